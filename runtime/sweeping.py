"""The sweeper: what Lambda gave up is sent again, parked, or fails its run; runs past their deadline expire.

A message is the responsibility for what follows from it: Lambda takes it off its queue only when the node has sent all
that follows. So as long as a run is open, something of it is in a topic, in Lambda's queue, or in a failure queue, and
the failure queues are the outbox that this sweeper empties (`failed_events`).

It runs at home, every minute. Everything it does may be done twice. It is for times when something is broken, so
nothing that is broken ends a sweep: runs come first, regions are swept beside each other, and one that fails is left
for this sweep; an event, a queue or a run item that raises is counted, and the next one is looked at. What there is no
time for is done by the next sweep.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice

from caribou.model.errors import UnreachableError
from caribou.model.health.metrics import HealthMetric
from caribou.model.run.envelope import Envelope, Run
from caribou.model.run.item import START_NODE, FailedEvent, Parked, RunItem, RunState
from caribou.model.run.text import error_text
from caribou.runtime.cancelling import stop
from caribou.runtime.event import json_or_text, message_of
from caribou.runtime.failed_events import Action, FailedEvents
from caribou.runtime.notices import Notices
from caribou.runtime.ports import Ports
from caribou.runtime.settings import Settings

EVENTS_A_REGION = 2000
ENDS_A_SWEEP = 500
"""How much one sweep does at most, so that what is many keeps nothing else from its turn: the next sweep goes on."""
_REGIONS_AT_ONCE = 16
_PROBLEMS_SAID = 10


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep did, in numbers: events by what became of them, runs that expired, run items that can't be read.

    `notified` counts the runs of which an event was sent that they failed or expired, in this sweep or before.
    `failed` counts what raised, `problems` has the first of those errors; an event among them is in its queue still.
    """

    resent: int = 0
    parked: int = 0
    dropped: int = 0
    left: int = 0
    expired: int = 0
    notified: int = 0
    broken: int = 0
    failed: int = 0
    problems: tuple[str, ...] = ()


@dataclass
class _Tally:
    """What a sweep has done so far, or one region's part of it."""

    actions: Counter[Action] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    @contextmanager
    def noting(self, what: str) -> Iterator[None]:
        """Within it, an error ends this one thing, and is noted."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - one bad thing stops nobody
            self.problems.append(f"{what}: {error_text(error)}")


def health_of(swept: Swept) -> dict[HealthMetric, float]:
    """What a sweep has to say to who watches: nothing if all is well. Its notices have said their own."""
    counts = {
        HealthMetric.PARKED: swept.parked,
        HealthMetric.LEFT: swept.left,
        HealthMetric.SWEEP_FAILED: swept.failed,
    }
    return {metric: count for metric, count in counts.items() if count}


def _is_open(item: RunItem) -> bool:
    return item.state is RunState.RUNNING


def _is_finished(item: RunItem) -> bool:
    """Whether all of it ran, also after it failed: one that expired stays so."""
    return item.is_complete and item.state is not RunState.EXPIRED


def _always() -> bool:
    return True


def _threads() -> Executor:
    return ThreadPoolExecutor(_REGIONS_AT_ONCE)


@dataclass(frozen=True)
class Sweeper:
    """Sweeps one workflow, from home. `has_time` says whether there is time for one more step of some seconds."""

    settings: Settings
    ports: Ports
    has_time: Callable[[], bool] = _always
    pool: Callable[[], Executor] = _threads

    @property
    def _events(self) -> FailedEvents:
        return FailedEvents(self.settings, self.ports)

    def sweep(self) -> Swept:
        """One sweep: the open runs, then the failure queues of home's entry and of the regions that they are in.

        What ends a run badly, here or in a function, is notified of by the next sweep.
        """
        listed, tally = self.ports.runs.listed(), _Tally()
        expired = self._end_runs(listed.items, tally)
        self._stop(listed.items, tally)
        notified = Notices(self.ports, self.has_time, tally.noting).give(listed.items, ENDS_A_SWEEP)
        self._empty_queues(listed.items, tally)
        resent = self._go_on(listed.items, tally)
        return Swept(
            resent=tally.actions[Action.RESEND] + resent,
            parked=tally.actions[Action.PARK],
            dropped=tally.actions[Action.DROP],
            left=tally.actions[Action.LEAVE],
            expired=expired,
            notified=notified,
            broken=listed.broken,
            failed=len(tally.problems),
            problems=tuple(tally.problems[:_PROBLEMS_SAID]),
        )

    def resend(self, parked: Parked, run: Run) -> None:
        """Send a parked message of a run again, as an attempt that takes its node over, by the map that it has now.

        Raises UnreachableError, and InvalidEnvelopeError if this version of the workflow has no such node.
        """
        message = message_of(json_or_text(parked.message), parked.run_id)
        if isinstance(message, Envelope) and self.settings.graph.has_node(message.node):
            message = replace(message, run=self._events.as_decided(message, run))
        self._events.send_again(message)
        self.ports.parking.unpark(parked)

    def send_again(self, message: Envelope) -> None:
        """Send a message as the attempt after its own. Raises UnreachableError."""
        self._events.send_again(message)

    def empty_queues_of(self, item: RunItem) -> tuple[str, ...]:
        """Handle what lies in the queues that a run may have been in, whosever it is; the first problems."""
        tally = _Tally()
        self._empty_queues((item,), tally)
        return tuple(tally.problems[:_PROBLEMS_SAID])

    def _end_runs(self, items: Iterable[RunItem], tally: _Tally) -> int:
        """Expire runs past their deadline, the longest first, finish those that nobody finished; how many expired."""
        now, expired = self.ports.clock.now(), 0
        due = (item for item in items if _is_finished(item) or (_is_open(item) and now >= item.run.deadline))
        for item in islice(sorted(due, key=lambda item: item.run.deadline), ENDS_A_SWEEP):
            if not self.has_time():
                break
            with tally.noting(f"run {item.run.run_id}"):
                expired += self._end(item, now)
        return expired

    def _end(self, item: RunItem, now: float) -> bool:
        if _is_finished(item):
            self.ports.runs.succeed(item.run.run_id, now)
            return False
        self.ports.runs.expire(item.run.run_id, now)
        return True

    def _stop(self, items: Iterable[RunItem], tally: _Tally) -> None:
        """Stop runs that were cancelled: the order was interrupted, or a region did not answer."""
        cancelled = (item for item in items if item.state is RunState.CANCELLED)
        for item in islice(cancelled, ENDS_A_SWEEP):
            if not self.has_time():
                break
            with tally.noting(f"run {item.run.run_id}"):
                tally.problems += stop(item, self.settings, self.ports, self.has_time)

    def _empty_queues(self, items: tuple[RunItem, ...], tally: _Tally) -> None:
        """All queues, regions beside each other: one that is silent takes its own time only."""
        queues = self._queues(items)
        with self.pool() as pool:
            parts = [pool.submit(partial(self._sweep_region, region, queues[region])) for region in sorted(queues)]
            for part in parts:
                done = part.result()
                tally.actions += done.actions
                tally.problems += done.problems

    def _queues(self, items: tuple[RunItem, ...]) -> dict[str, tuple[str, ...]]:
        """The queues to look into: the home entry's always, all others only where an open run may have been."""
        home, graph = self.settings.home_region, self.settings.graph
        functions = tuple(function.name for function in graph.functions)
        used = {region for item in items for region in item.run.regions.values()} | ({home} if items else set())
        return {home: (graph.entry.function,)} | dict.fromkeys(used, functions)

    def _sweep_region(self, region: str, functions: tuple[str, ...]) -> _Tally:
        """The queues of a region, some events of each in turn, until they are empty, it fails, or time is up."""
        tally, queues, seen = _Tally(), deque(functions), 0
        while queues and seen < EVENTS_A_REGION and self.has_time():
            function = queues.popleft()
            events: tuple[FailedEvent, ...] = ()
            try:
                events = self.ports.failures.receive(region, function)
            except UnreachableError as error:
                tally.problems.append(f"{region}: {error_text(error)}")
                break
            except Exception as error:  # noqa: BLE001 - one queue stops no other
                tally.problems.append(f"{function} in {region}: {error_text(error)}")
            for event in events:
                if self.has_time():
                    with tally.noting(f"an event of {function} in {region}"):
                        tally.actions[self._events.handle(event)] += 1
            seen += len(events)
            if events:
                queues.append(function)
        return tally

    def _go_on(self, items: Iterable[RunItem], tally: _Tally) -> int:
        """Send what is parked of runs that a redrive opened: it was interrupted, or somebody parked meanwhile."""
        now, sent = self.ports.clock.now(), 0
        opened = (item for item in items if _is_open(item) and item.ended_at is not None)
        for item in islice((item for item in opened if now < item.run.deadline), ENDS_A_SWEEP):
            if not self.has_time():
                break
            with tally.noting(f"run {item.run.run_id}"):
                for message in self.ports.parking.parked(item.run.run_id):
                    if message.node == START_NODE or self.settings.graph.has_node(message.node):
                        self.resend(message, item.run)
                        sent += 1
        return sent
