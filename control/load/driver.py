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
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from caribou.control.aws import Aws
from caribou.control.runs.runs import Runs
from caribou.model.errors import OperationFailedError
from caribou.model.run import payload as payloads
from caribou.model.run.item import RunItem, RunState
from caribou.runtime.run_items import readable

THREADS = 10
"""How many starts may be under way at once, as many as boto3 keeps connections: some hundred starts a second."""
LOOK_S = 0.5
"""Time between two looks at runs that have not ended: two requests a second, however many there are."""
LOOK_RUNS = 100
"""How many run items a look gets: the most that DynamoDB gives at once."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a run that has ended, and the regions that its nodes were in."""

    state: RunState
    seconds: float
    regions: tuple[str, ...]
    failed_node: str | None = None
    error: str | None = None


class LoadTarget(Protocol):
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
            payloads.encode(payload)  # what can't be sent is refused before anything is

    def start(self, run_id: str, number: int) -> None:
        """Start a run, as `caribou run` does."""
        self.runs.start(self.payloads[number % len(self.payloads)], run_id)

    def look(self, run_ids: Sequence[str]) -> Mapping[str, Outcome]:
        """Read the run items, not necessarily the newest of each: they will be looked at again."""
        table = self.runs.names.run_table
        client = self.aws.dynamodb(self.runs.manifest.home_region)
        keys: Any = [{"run_id": {"S": run_id}} for run_id in run_ids]
        answer = client.batch_get_item(RequestItems={table: {"Keys": keys}})
        items = readable(answer["Responses"].get(table, []))
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
    """The time, and letting it pass."""

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
    """A load while it is driven. Its runs are named after it, and show at any time how it stands."""

    target: LoadTarget
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

    def drive(self, limit_s: float, notify: Callable[[Load], None] = lambda _: None) -> None:
        """Start the runs at their times, and come back when all have ended, or `limit_s` seconds after the last start.

        `notify` is called now and then, to show how it goes. An interruption may be caught: the runs say how far it
        came.
        """
        starters, looker = self.threads(THREADS), self.threads(1)
        begun, give_up_s = self.clock.now(), (self.arrivals[-1] if self.arrivals else 0.0) + limit_s
        try:
            while True:
                now_s = self.clock.now() - begun
                self._start_due(starters, begun, now_s)
                self._look_again(looker, now_s)
                notify(self)
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
        except Exception as error:  # noqa: BLE001 - it is kept with the run, and the others go on
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
        except Exception as error:  # noqa: BLE001 - it is reported at the end, and the runs are looked at again
            found, self.trouble = {}, _named(error)
        for run in looked_at:
            run.outcome = found.get(run.run_id)
            if run.outcome is None:
                self._open.append(run)
            else:
                self.ended += 1


def _named(error: Exception) -> str:
    """An error that nobody expected, with its kind."""
    return f"{type(error).__name__}: {error}"
