"""How old the facts are that placements are solved from: said while it matters, as a metric of the control plane."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from caribou.collectors.bodies import CarbonBody, PerformanceBody, ProviderBody
from caribou.collectors.facts import FactTable
from caribou.model.health.metrics import DATA_IS_OLD_H, HealthMetric

_BODIES = (CarbonBody, ProviderBody, PerformanceBody)
_HOUR_S = 3600


def data_age(table: FactTable, now: datetime) -> Mapping[HealthMetric, float]:
    """The age of the kind of facts that was collected longest ago, if it is out of date; nothing if none is.

    A kind is as old as its newest fact: a region that its source has left keeps the fact that it had. Of a kind that
    was never collected nothing is known. Raises InvalidInputError for a damaged fact.
    """
    newest = (max((fact.retrieved_at for fact in table.of_kind(body)), default=now) for body in _BODIES)
    hours = max((now - at).total_seconds() / _HOUR_S for at in newest)
    return {HealthMetric.DATA_AGE: hours} if hours > DATA_IS_OLD_H else {}
