"""How old the facts are that placements are solved from: said while it matters, as a metric of the control plane."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from caribou.collectors.bodies import CarbonBody, PerformanceBody, ProviderBody
from caribou.collectors.facts import FactTable
from caribou.model.health.metrics import HealthMetric
from caribou.model.schedule import old_after_h

_BODIES = (CarbonBody, ProviderBody, PerformanceBody)
_HOUR = timedelta(hours=1)


def data_age(table: FactTable, now: datetime, every_h: Mapping[str, float]) -> Mapping[HealthMetric, float]:
    """The age, hours, of the kind of facts that is most overdue by its schedule; nothing if none is.

    `every_h` says of each kind after how many hours it is collected again. A kind is as old as its newest fact: a
    region that its source has left keeps the fact that it had. Of a kind that was never collected nothing is known.
    Raises InvalidInputError for a damaged fact.
    """
    ages = {
        body.kind: (now - max((fact.retrieved_at for fact in table.of_kind(body)), default=now)) / _HOUR
        for body in _BODIES
    }
    overdue_h, kind = max((age - old_after_h(every_h[kind]), kind) for kind, age in ages.items())
    return {HealthMetric.DATA_AGE: ages[kind]} if overdue_h > 0 else {}
