"""The placement's file, `solved.json`: who placed what where, at which hours, and how good the solver says it is.

The runtime reads placements without pydantic (`Placement.from_json`); this is for files that people and pipelines hand
us: every field is known, every number in range. A plan's report may be left out, as in a placement written by hand.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import AfterValidator, Field

from caribou.model.errors import InvalidPlacementError
from caribou.model.metric import LimitKind, Metric
from caribou.model.placement import Placement, PlanStatus
from caribou.model.schema.findings import finding
from caribou.model.schema.parsing import StrictModel, Word, json_schema, read_json, validated

_UTC_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")


def _utc(text: str) -> str:
    if not _UTC_TIME.fullmatch(text):
        raise finding("is not a UTC time", "write 2026-01-31T00:00:00Z")
    return text


def _limit_pattern(*kinds: LimitKind) -> str:
    """The names of the limits of some kinds, as a regular expression: see `limit_name`."""
    named = kinds[0].value if len(kinds) == 1 else f"({'|'.join(kinds)})"
    return rf"^{named}\.({'|'.join(Metric)})$"


T = TypeVar("T")
Name = Annotated[str, Field(min_length=1, max_length=128)]
UtcTime = Annotated[str, AfterValidator(_utc)]
NotNegative = Annotated[float, Field(ge=0)]
Hour = Annotated[int, Field(ge=0, le=23)]


class EstimateFile(StrictModel):
    """Mean and 95th percentile over the runs, and their 95 % confidence intervals.

    `p95_ci95` is absent where runs are drawn, and of carbon, which differs by hour; its upper end is null where the
    runs are too few to bound it.
    """

    mean: NotNegative
    p95: NotNegative
    ci95: Annotated[tuple[float, float], Field(strict=False)]
    p95_ci95: Annotated[tuple[float, float | None], Field(strict=False)] | None = None


class EachMetric(StrictModel, Generic[T]):
    """One of something for each metric, by `Metric.field`."""

    __annotations__ = {metric.field: T for metric in Metric}  # type: ignore[misc]  # what each field is, for pydantic


class MetricsFile(EachMetric[EstimateFile]):
    """The metrics of one run, averaged over the plan's hours."""


class ConstraintFile(StrictModel):
    """A limit, `hard.` (on the tail) or `soft.` (on the mean), at the hour of the plan at which it is closest.

    `slack` is limit - value. `binding` says that the limit is violated, or that a better placement is known without it.
    `verdict`, of observed runs: whether they say that it is met.
    """

    name: Annotated[str, Field(pattern=_limit_pattern(*LimitKind))]
    limit: NotNegative
    value: NotNegative
    slack: float
    binding: bool
    verdict: Annotated[str, Field(min_length=1, max_length=80)] | None = None


class RelaxFile(StrictModel):
    """A hard limit that has to be relaxed for any placement to meet the limits, and what is `needed` instead."""

    name: Annotated[str, Field(pattern=_limit_pattern(LimitKind.HARD))]
    limit: NotNegative
    needed: NotNegative


class OutOfSampleTailFile(StrictModel):
    """Mean and tail out of sample, and the 95 % confidence interval of the tail."""

    mean: NotNegative
    tail: NotNegative
    tail_ci95: Annotated[tuple[NotNegative, NotNegative], Field(strict=False)]


class OutOfSampleLimitFile(StrictModel):
    """A hard limit out of sample: relative ones are relative to home on the same runs."""

    name: Annotated[str, Field(pattern=_limit_pattern(LimitKind.HARD))]
    limit: NotNegative
    tail: NotNegative
    met: bool


class OutOfSampleFile(EachMetric[OutOfSampleTailFile]):
    """The plan on runs that it was not chosen on, drawn from another stream of numbers."""

    samples: Annotated[int, Field(ge=1)]
    limits: Annotated[tuple[OutOfSampleLimitFile, ...], Field(strict=False)]


class NearFile(StrictModel):
    """Of a plan that is within a share of the least of a metric: the most that it may be, and what it is."""

    metric: Word[Metric]
    limit: NotNegative
    value: NotNegative


class WithinFile(StrictModel):
    """By what `share` the metric of first priority may be above its least, and what is minimised `then`."""

    share: NotNegative
    then: Word[Metric]


class PlanFile(StrictModel):
    """What holds during some hours (UTC). `objective`, `bound`: the metric that is minimised, in its unit.

    `optimal`: nothing better exists on the drawn runs. `feasible`: it meets the hard limits. `infeasible`: nothing that
    does was found, so the regions are home's. `bound` is a lower bound on the objective, `gap` its distance as a share.
    """

    hours: Annotated[tuple[Hour, ...], Field(strict=False, min_length=1, max_length=24)]
    regions: Annotated[dict[Name, Name], Field(min_length=1)]
    status: Word[PlanStatus] | None = None
    objective: NotNegative | None = None
    bound: NotNegative | None = None
    gap: Annotated[float, Field(ge=0, le=1)] | None = None
    metrics: MetricsFile | None = None
    home_metrics: MetricsFile | None = None
    constraints: Annotated[tuple[ConstraintFile, ...], Field(strict=False)] | None = None
    near: NearFile | None = None
    relax: Annotated[tuple[RelaxFile, ...], Field(strict=False)] | None = None
    out_of_sample: OutOfSampleFile | None = None


class StaticFile(StrictModel):
    """The best plan that is the same at all hours: what a placement without hours would give, over the day."""

    regions: Annotated[dict[Name, Name], Field(min_length=1)]
    status: Word[PlanStatus]
    objective: NotNegative
    bound: NotNegative
    gap: Annotated[float, Field(ge=0, le=1)]


class ToolkitFile(StrictModel):
    """What the sweeper and the collectors take in a month, runs or not, and how many runs save as much carbon.

    `pays_from_runs` is null if none is saved.
    """

    cost_usd: NotNegative
    carbon_g: NotNegative
    pays_from_runs: Annotated[int, Field(ge=0)] | None


class SolverFile(StrictModel):
    """What solved it: the same name, version, seed, number of samples, options and problem give the same placement.

    The options are `robust`, `within`, `max_regions`, `switching_penalty` and `time_limit_s`, where they were given;
    where the last one ended the solve, the placement depends on the machine. `left_out` are regions that could not be
    judged by the worst corner. The rest is measured: `seconds` on the clock, `cpu_seconds` of all threads, and what
    these are accounted as, as if a Lambda function had spent them in the region `accounted_in`. `pays_back_after_runs`
    is null if no carbon is saved.
    """

    name: Name
    version: Name
    seed: Annotated[int, Field(ge=0)]
    samples: Annotated[int, Field(ge=1)] | None = None
    evaluations: Annotated[int, Field(ge=0)] | None = None
    robust: bool | None = None
    left_out: Annotated[tuple[Name, ...], Field(strict=False)] | None = None
    within: WithinFile | None = None
    max_regions: Annotated[int, Field(ge=0)] | None = None
    switching_penalty: NotNegative | None = None
    time_limit_s: NotNegative | None = None
    seconds: NotNegative | None = None
    cpu_seconds: NotNegative | None = None
    accounted_in: Name | None = None
    energy_kwh: NotNegative | None = None
    carbon_g: NotNegative | None = None
    cost_usd: NotNegative | None = None
    pays_back_after_runs: Annotated[int, Field(ge=0)] | None = None
    toolkit_a_month: ToolkitFile | None = None


class SavingsFile(StrictModel):
    """Low and high transmission energy to the saving, a share of home's carbon; negative if the plan emits more."""

    low: Annotated[float, Field(le=1)]
    high: Annotated[float, Field(le=1)]


class RangeFile(StrictModel):
    """The two ends of a range."""

    low: NotNegative
    high: NotNegative


class FourCornersFile(StrictModel):
    """What placements had before they had corners: the saving by average and by marginal intensity, at two energies."""

    transmission_kwh_per_gb: RangeFile
    average: SavingsFile
    marginal: SavingsFile | None
    marginal_unknown: Annotated[tuple[Name, ...], Field(strict=False)]
    sign_depends: bool | None


class CornerFile(StrictModel):
    """The saving over the day under one set of assumptions, a share of home's carbon, and its 95 % interval.

    `ci95` is null where the runs are drawn and not observed ones.
    """

    transmission_kwh_per_gb: NotNegative
    intra_region_kwh_per_gb: NotNegative
    intensity: Literal["average", "marginal"]
    saving: Annotated[float, Field(le=1)]
    ci95: Annotated[tuple[float, float], Field(strict=False)] | None


class SensitivityFile(StrictModel):
    """Whether the plan saves carbon, over all corners that are known: none by marginal intensity if a region lacks it.

    `break_even_kwh_per_gb`: the energy of data between regions at which the plan neither saves nor loses, null if none.
    `runs`: how many observed runs it rests on, null if they are drawn. `runs_needed`: about how many would do where
    they are too few to say, null where they are not, or where no number would.
    """

    verdict: Annotated[str, Field(min_length=1, max_length=80)]
    corners: Annotated[tuple[CornerFile, ...], Field(strict=False, min_length=1)]
    marginal_unknown: Annotated[tuple[Name, ...], Field(strict=False)]
    break_even_kwh_per_gb: NotNegative | None
    runs: Annotated[int, Field(ge=1)] | None
    runs_needed: Annotated[int, Field(ge=1)] | None = None


class ChangeFile(StrictModel):
    """Between what a mean and a 95th percentile change, 95 % sure, as shares of home's.

    `p95` is null for carbon, which differs by hour.
    """

    mean: Annotated[tuple[float, float], Field(strict=False)]
    p95: Annotated[tuple[float, float], Field(strict=False)] | None


class ChangesFile(EachMetric[ChangeFile]):
    """The change of each metric."""


class DayFile(StrictModel):
    """One run, averaged over the day, beside the same runs with all nodes at home; `changes` of observed runs."""

    metrics: MetricsFile
    home_metrics: MetricsFile
    changes: ChangesFile | None = None


class PlacementFile(StrictModel):
    """The file. Each hour from 0 to 23 is in exactly one plan; `expires_at` null means never.

    `data`: which facts it rests on, as the problem's provenance says it: `sources`, and what is to be known of them.
    `problem_sha256`: SHA-256 of the problem's JSON (no white space, fields in the schema's order, defaults filled in),
    so that it does not depend on how the problem's file is laid out. Names of nodes and regions stand as in the file.
    """

    schema_version: Annotated[Literal["caribou.placement/1"], Field(alias="schema")]
    workflow: Name
    workflow_version: Name
    home_region: Name
    solved_at: UtcTime | None = None
    expires_at: UtcTime | None = None
    problem_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    solver: SolverFile | None = None
    static: StaticFile | None = None
    day: DayFile | None = None
    data: dict[str, str] | None = None
    sensitivity: SensitivityFile | FourCornersFile | None = None
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
