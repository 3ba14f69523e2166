"""How old the facts are that placements are solved from: fresh, old or expired, and a metric while it matters."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from caribou.collectors.bodies import Body, CarbonBody, PerformanceBody, ProviderBody
from caribou.collectors.facts import Fact, FactTable
from caribou.model.health.metrics import HealthMetric
from caribou.model.schedule import old_after_h

_BODIES = (CarbonBody, ProviderBody, PerformanceBody)
_HOUR, _DAYS_FROM_H = timedelta(hours=1), 48
_FAST = timedelta(minutes=15)
"""How far a clock may be ahead of another one."""


def data_age(table: FactTable, now: datetime, every_h: Mapping[str, float]) -> Mapping[HealthMetric, float]:
    """The age, hours, of the kind of facts that is most overdue by its schedule; nothing if none is.

    `every_h` says of each kind after how many hours it is collected again. A kind is as old as its newest fact: a
    region that its source has left keeps the fact that it had. Of a kind that was never collected nothing is known, and
    a time to come says nothing either. Raises InvalidInputError for a damaged fact.
    """
    ages = {
        body.kind: (now - max((at for fact in table.of_kind(body) if (at := fact.retrieved_at) <= now), default=now))
        / _HOUR
        for body in _BODIES
    }
    overdue_h, kind = max((age - old_after_h(every_h[kind]), kind) for kind, age in ages.items())
    return {HealthMetric.DATA_AGE: ages[kind]} if overdue_h > 0 else {}


class Freshness(StrEnum):
    """Whether a fact is to be used: collected of late, collected longer ago than collectors do, or past its time."""

    FRESH = "fresh"
    OLD = "old"
    EXPIRED = "expired"


def freshness(fact: Fact[Body], now: datetime, every: timedelta) -> Freshness:
    """How a fact is at a time that is collected so often.

    One of an earlier version does not say until when it is to be used: it never expires. One of a time to come is old,
    whatever its clock said: else none would count as old for as long as that clock was ahead.
    """
    if fact.valid_until is not None and now > fact.valid_until:
        return Freshness.EXPIRED
    age = now - fact.retrieved_at
    is_fresh = -_FAST <= age <= timedelta(hours=old_after_h(every / _HOUR))
    return Freshness.FRESH if is_fresh else Freshness.OLD


def age_text(age: timedelta) -> str:
    """How long ago, in whole days, or in hours below two days."""
    hours = max(round(age / _HOUR), 0)
    return f"{hours // 24} days" if hours >= _DAYS_FROM_H else "1 hour" if hours == 1 else f"{hours} hours"
