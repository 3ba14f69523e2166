"""What became of a load: counts, spreads of times, failures."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from caribou.control.load.driver import LoadedRun, Outcome
from caribou.model.run.item import START_NODE, RunState

MOST_FAILURES = 10


_ERROR_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Spread:
    """How some times are spread, in seconds."""

    count: int
    min: float
    mean: float
    p50: float
    p90: float
    p95: float
    p99: float
    max: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread | None:
        """The spread of some times; None of none."""
        found = sorted(values)
        if not found:
            return None
        p50, p90, p95, p99 = (percentile(found, percent) for percent in (50, 90, 95, 99))
        return cls(len(found), found[0], statistics.fmean(found), p50, p90, p95, p99, found[-1])


@dataclass(frozen=True, slots=True)
class Failure:
    """Runs that failed alike: at a node with an error; one of them."""

    node: str
    error: str
    runs: int
    example: str


@dataclass(frozen=True, slots=True)
class Summary:
    """What became of a load. Times of runs are those that succeeded, from a run item's start to its end.

    `by_regions` has them by each set of regions that a run's nodes were in, even if there is only one; `failures` the
    most frequent, and `more_failures` how many runs failed otherwise.
    """

    planned: int
    started: int
    succeeded: int
    failed: int
    expired: int
    cancelled: int
    unfinished: int
    seconds: Spread | None
    lateness_s: Spread | None
    by_regions: Mapping[tuple[str, ...], Spread]
    failures: tuple[Failure, ...]
    more_failures: int

    @property
    def is_good(self) -> bool:
        """Whether every run was started and has succeeded."""
        return self.succeeded == self.planned

    def to_json(self) -> dict[str, Any]:
        """The summary as a JSON object."""
        by_regions = [
            {"regions": list(regions), "seconds": asdict(spread)} for regions, spread in self.by_regions.items()
        ]
        return {**asdict(self), "by_regions": by_regions}


def summary_of(runs: Sequence[LoadedRun]) -> Summary:
    """What became of the runs of a load."""
    started = [run for run in runs if run.is_started]
    ended = [run.outcome for run in started if run.outcome is not None]
    states = Counter(outcome.state for outcome in ended)
    good = [outcome for outcome in ended if outcome.state is RunState.SUCCEEDED]
    failures = _failures(runs)
    return Summary(
        planned=len(runs),
        started=len(started),
        succeeded=states[RunState.SUCCEEDED],
        failed=states[RunState.FAILED],
        expired=states[RunState.EXPIRED],
        cancelled=states[RunState.CANCELLED],
        unfinished=len(started) - len(ended),
        seconds=Spread.of(outcome.seconds for outcome in good),
        lateness_s=Spread.of(run.late_s for run in runs if run.late_s is not None),
        by_regions=_by_regions(good),
        failures=tuple(failures[:MOST_FAILURES]),
        more_failures=sum(failure.runs for failure in failures[MOST_FAILURES:]),
    )


def percentile(values: Sequence[float], percent: float) -> float:
    """The percentile of sorted values, at least one; between two of them on the line that joins them."""
    place = (len(values) - 1) * percent / 100
    low = math.floor(place)
    high = min(low + 1, len(values) - 1)
    return values[low] + (values[high] - values[low]) * (place - low)


def _by_regions(outcomes: Iterable[Outcome]) -> dict[tuple[str, ...], Spread]:
    seconds: dict[tuple[str, ...], list[float]] = {}
    for outcome in outcomes:
        seconds.setdefault(outcome.regions, []).append(outcome.seconds)
    spreads = {regions: Spread.of(values) for regions, values in sorted(seconds.items())}
    return {regions: spread for regions, spread in spreads.items() if spread is not None}


def _failures(runs: Iterable[LoadedRun]) -> list[Failure]:
    """The failures, the most frequent first."""
    counts: Counter[tuple[str, str]] = Counter()
    examples: dict[tuple[str, str], str] = {}
    for run in runs:
        kind = _failure_kind(run)
        if kind is not None:
            counts[kind] += 1
            examples.setdefault(kind, run.run_id)
    return [Failure(*kind, count, examples[kind]) for kind, count in counts.most_common()]


def _failure_kind(run: LoadedRun) -> tuple[str, str] | None:
    """The node and the error with which a run failed; None if it did not."""
    if run.refused is not None:
        return START_NODE, run.refused[:_ERROR_LENGTH]
    if run.outcome is None or run.outcome.state is not RunState.FAILED:
        return None
    return run.outcome.failed_node or "", (run.outcome.error or "")[:_ERROR_LENGTH]
