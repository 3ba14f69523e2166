"""Load on a deployed workflow: starting runs at their times, and what became of them.

The loop is open: a run is started at its time whether or not earlier ones have ended, as it is with users who do not
know of each other. A driver that waits for the workflow slows down with it, and never shows how it does when it is
late.

    arrivals = poisson(2.0, 60.0, seed=1)              # seconds after the beginning
    load = Load(DeployedTarget(runs, aws, payloads), arrivals, "load-1")
    load.drive(limit_s=900)
    summary = summary_of(load.runs)
"""

from __future__ import annotations

import math
import statistics
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from caribou.control.aws import Aws
from caribou.control.runs import Runs
from caribou.model import payload as payloads
from caribou.model.errors import OperationFailedError
from caribou.runtime.ports import START_NODE, RunItem, RunState
from caribou.runtime.run_items import run_item

THREADS = 10
"""How many starts may be under way at once, as many as boto3 keeps connections: some hundred starts a second."""
LOOK_S = 0.5
"""Time between two looks at runs that have not ended: two requests a second, however many there are."""
LOOK_RUNS = 100
"""How many run items a look gets: the most that DynamoDB gives at once."""
MOST_FAILURES = 10
_ERROR_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a run that has ended, and the regions that its nodes were in."""

    state: RunState
    seconds: float
    regions: tuple[str, ...]
    failed_node: str | None = None
    error: str | None = None


class Target(Protocol):
    """What is loaded."""

    def start(self, run_id: str, number: int) -> None:
        """Start the run of that number. Raises OperationFailedError if it is not taken."""

    def look(self, run_ids: Sequence[str]) -> Mapping[str, Outcome]:
        """What became of those of the runs that have ended. Raises ClientError or BotoCoreError."""


@dataclass(frozen=True)
class DeployedTarget:
    """A deployed workflow; the runs take the payloads in turn."""

    runs: Runs
    aws: Aws
    payloads: Sequence[Any]

    def __post_init__(self) -> None:
        for payload in self.payloads:
            payloads.encode(payload)  # what can't be sent is told before anything is

    def start(self, run_id: str, number: int) -> None:
        """Start a run, as `caribou run` does."""
        self.runs.start(self.payloads[number % len(self.payloads)], run_id)

    def look(self, run_ids: Sequence[str]) -> Mapping[str, Outcome]:
        """Read the run items, not necessarily the newest of each: they will be looked at again."""
        table = self.runs.names.run_table
        client = self.aws.dynamodb(self.runs.manifest.home_region)
        keys: Any = [{"run_id": {"S": run_id}} for run_id in run_ids]
        answer = client.batch_get_item(RequestItems={table: {"Keys": keys}})
        items = [run_item(item) for item in answer["Responses"].get(table, [])]
        return {item.run.run_id: self._outcome(item, item.seconds) for item in items if item.seconds is not None}

    def _outcome(self, item: RunItem, seconds: float) -> Outcome:
        home = self.runs.manifest.home_region
        regions = {item.run.region_of(node.name, home) for node in self.runs.graph.nodes}
        return Outcome(item.state, seconds, tuple(sorted(regions)), item.failed_node, item.error)


@dataclass(slots=True)
class LoadedRun:
    """A run of a load: when it was to start, how late it did, and what became of it.

    `late_s` is None for one that was not started, `refused` says why if it was tried.
    """

    run_id: str
    planned_s: float
    late_s: float | None = None
    refused: str | None = None
    outcome: Outcome | None = None

    @property
    def is_started(self) -> bool:
        """Whether it was started, and taken."""
        return self.late_s is not None and self.refused is None


class LoadClock(Protocol):
    """Tells the time, and lets it pass."""

    def now(self) -> float:
        """Seconds since some moment."""

    def sleep(self, seconds: float) -> None:
        """Come back after so long."""


class _MonotonicClock:
    def now(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


@dataclass
class Load:
    """A load while it is driven. Its runs are named after it, and tell at any time how it stands."""

    target: Target
    arrivals: Sequence[float]
    name: str
    clock: LoadClock = field(default_factory=_MonotonicClock)
    threads: Callable[[int], Executor] = ThreadPoolExecutor
    runs: list[LoadedRun] = field(init=False)
    trouble: str | None = field(default=None, init=False)
    """Why the last look failed, if it did."""
    sent: int = field(default=0, init=False)
    """How many runs were due until now."""
    ended: int = field(default=0, init=False)
    """How many are known to have ended."""
    _open: deque[LoadedRun] = field(default_factory=deque, init=False)
    _starts: deque[Future[None]] = field(default_factory=deque, init=False)
    _look: Future[None] | None = field(default=None, init=False)
    _next_look_s: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        width = len(str(len(self.arrivals)))
        self.runs = [LoadedRun(f"{self.name}-{i:0{width}}", at) for i, at in enumerate(self.arrivals, 1)]

    def drive(self, limit_s: float, told: Callable[[Load], None] = lambda _: None) -> None:
        """Start the runs at their times, and come back when all have ended, or `limit_s` seconds after the last start.

        `told` is called now and then, to show how it goes. An interruption may be caught: the runs say how far it came.
        """
        starters, looker = self.threads(THREADS), self.threads(1)
        begun, give_up_s = self.clock.now(), (self.arrivals[-1] if self.arrivals else 0.0) + limit_s
        try:
            while True:
                now_s = self.clock.now() - begun
                self._start_due(starters, begun, now_s)
                self._look_again(looker, now_s)
                told(self)
                if self._is_over or now_s >= give_up_s:
                    return
                self.clock.sleep(max(0.0, min(self._next_s(), give_up_s) - (self.clock.now() - begun)))
        finally:
            starters.shutdown(wait=False, cancel_futures=True)
            looker.shutdown(wait=False, cancel_futures=True)

    @property
    def _is_over(self) -> bool:
        return self.sent == len(self.runs) and not self._starts and self._look is None and not self._open

    def _next_s(self) -> float:
        """When there is something to do next."""
        arrival_s = self.arrivals[self.sent] if self.sent < len(self.arrivals) else math.inf
        return min(arrival_s, self._next_look_s)

    def _start_due(self, starters: Executor, begun: float, now_s: float) -> None:
        while self.sent < len(self.runs) and self.runs[self.sent].planned_s <= now_s:
            self._starts.append(starters.submit(self._start, self.sent, begun))
            self.sent += 1
        while self._starts and self._starts[0].done():
            self._starts.popleft().result()

    def _start(self, number: int, begun: float) -> None:
        run = self.runs[number]
        run.late_s = max(0.0, self.clock.now() - begun - run.planned_s)
        try:
            self.target.start(run.run_id, number)
        except OperationFailedError as error:
            run.refused = str(error)
        except Exception as error:  # noqa: BLE001 - it is told with the run, and the others go on
            run.refused = _named(error)
        else:
            self._open.append(run)

    def _look_again(self, looker: Executor, now_s: float) -> None:
        """Look at the runs that were not looked at for longest, unless it is too soon."""
        if self._look is not None and self._look.done():
            self._look.result()
            self._look = None
        if now_s >= self._next_look_s:
            self._next_look_s = now_s + LOOK_S
            if self._look is None and self._open:
                self._look = looker.submit(self._look_at, [self._open.popleft() for _ in range(self._look_size)])

    @property
    def _look_size(self) -> int:
        return min(LOOK_RUNS, len(self._open))

    def _look_at(self, looked_at: Sequence[LoadedRun]) -> None:
        try:
            found, self.trouble = self.target.look([run.run_id for run in looked_at]), None
        except (ClientError, BotoCoreError) as error:
            found, self.trouble = {}, str(error)
        except Exception as error:  # noqa: BLE001 - it is told at the end, and the runs are looked at again
            found, self.trouble = {}, _named(error)
        for run in looked_at:
            run.outcome = found.get(run.run_id)
            if run.outcome is None:
                self._open.append(run)
            else:
                self.ended += 1


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


def _named(error: Exception) -> str:
    """An error that nobody expected, with its kind."""
    return f"{type(error).__name__}: {error}"


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
