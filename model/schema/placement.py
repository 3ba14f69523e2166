"""The placement's file, `solved.json`: who placed what where, at which hours, and how good the solver says it is.

The runtime reads placements without pydantic (`Placement.from_json`); this is for files that people and pipelines hand
us: every field is known, every number in range. A plan's report may be left out, as in a placement written by hand.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from caribou.model.errors import InvalidPlacementError
from caribou.model.placement import Placement
from caribou.model.schema.findings import finding
from caribou.model.schema.parsing import StrictModel, json_schema, read_json, validated

_UTC_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")


def _utc(text: str) -> str:
    if not _UTC_TIME.fullmatch(text):
        raise finding("is not a UTC time", "write 2026-01-31T00:00:00Z")
    return text


Name = Annotated[str, Field(min_length=1, max_length=128)]
UtcTime = Annotated[str, AfterValidator(_utc)]
NotNegative = Annotated[float, Field(ge=0)]
Hour = Annotated[int, Field(ge=0, le=23)]


class EstimateFile(StrictModel):
    """Mean and 95th percentile over the drawn runs, and the 95 % confidence interval of the mean."""

    mean: NotNegative
    p95: NotNegative
    ci95: Annotated[tuple[float, float], Field(strict=False)]


class MetricsFile(StrictModel):
    """The metrics of one run, averaged over the plan's hours."""

    carbon_g: EstimateFile
    cost_usd: EstimateFile
    runtime_s: EstimateFile


class ConstraintFile(StrictModel):
    """A limit, `hard.` (on the tail) or `soft.` (on the mean), at the hour of the plan at which it is closest.

    `slack` is limit - value. `binding` says that the limit is violated, or that a better placement is known without it.
    """

    name: Annotated[str, Field(pattern=r"^(hard|soft)\.(carbon|cost|runtime)$")]
    limit: NotNegative
    value: NotNegative
    slack: float
    binding: bool


class PlanFile(StrictModel):
    """What holds during some hours (UTC). `objective`, `bound`: the metric of first priority, in its unit.

    `optimal`: nothing better exists on the drawn runs. `feasible`: it meets the hard limits. `infeasible`: nothing that
    does was found, so the regions are home's. `bound` is a lower bound on the objective, `gap` its distance as a share.
    """

    hours: Annotated[tuple[Hour, ...], Field(strict=False, min_length=1, max_length=24)]
    regions: Annotated[dict[Name, Name], Field(min_length=1)]
    status: Literal["optimal", "feasible", "infeasible"] | None = None
    objective: NotNegative | None = None
    bound: NotNegative | None = None
    gap: Annotated[float, Field(ge=0, le=1)] | None = None
    metrics: MetricsFile | None = None
    home_metrics: MetricsFile | None = None
    constraints: Annotated[tuple[ConstraintFile, ...], Field(strict=False)] | None = None


class SolverFile(StrictModel):
    """What solved it: the same name, version, seed, number of samples and problem give the same placement."""

    name: Name
    version: Name
    seed: Annotated[int, Field(ge=0)]
    samples: Annotated[int, Field(ge=1)] | None = None
    seconds: NotNegative | None = None


class PlacementFile(StrictModel):
    """The file. Each hour from 0 to 23 is in exactly one plan; `expires_at` null means never."""

    schema_version: Annotated[Literal["caribou.placement/1"], Field(alias="schema")]
    workflow: Name
    workflow_version: Name
    home_region: Name
    solved_at: UtcTime | None = None
    expires_at: UtcTime | None = None
    problem_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    solver: SolverFile | None = None
    plans: Annotated[tuple[PlanFile, ...], Field(strict=False, min_length=1, max_length=24)]


def parse_placement(data: Any, where: str = "placement") -> Placement:  # noqa: ANN401 - it comes out of a file
    """The placement in a JSON value. Raises InvalidPlacementError."""
    validated(PlacementFile, data, where, InvalidPlacementError)
    return Placement.from_json(data, where)


def read_placement(path: Path) -> Placement:
    """The placement in a file. Raises InvalidPlacementError, also when the file can't be read."""
    return parse_placement(read_json(path, InvalidPlacementError), str(path))


def placement_json_schema() -> dict[str, Any]:
    """The JSON Schema of the file, as published in docs/schemas/placement.schema.json."""
    return json_schema(PlacementFile)
