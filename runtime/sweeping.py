"""The sweeper: what Lambda gave up is sent again, parked, or fails its run; runs past their deadline expire.

A message is the responsibility for what follows from it: Lambda takes it off its queue only when the node has sent all
that follows. So as long as a run is open, something of it is in a topic, in Lambda's queue, or in a failure queue, and
the failure queues are the outbox that this sweeper empties:

    failure queue ──> whose run?  ended well                 ──> dropped
                                  nobody's, or not readable   ──> left for a person
                                  past its deadline           ──> parked, the run EXPIRED
                                  a region or AWS failed      ──> sent again, attempt + 1: takes the node's claim over
                                  user code, or the message   ──> parked, the run FAILED

It runs at home, every minute. Everything it does may be done twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum, auto

from caribou.model.errors import CaribouError, InvalidEnvelopeError, UnreachableError
from caribou.model.placement import Placement
from caribou.model.run.envelope import Envelope, Start
from caribou.model.run.item import START_NODE, FailedEvent, Parked, RunItem, RunState
from caribou.runtime.event import json_or_text, message_of
from caribou.runtime.placement import new_run
from caribou.runtime.ports import Ports
from caribou.runtime.settings import Settings

_OF_OTHERS = frozenset({None, "UnreachableError"})
"""Error types that are not user code's: the function was never started, or could not reach what it needed."""


class Action(StrEnum):
    """What to do with a failed event."""

    DROP = auto()
    LEAVE = auto()
    RESEND = auto()
    PARK = auto()


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep did, in numbers."""

    resent: int = 0
    parked: int = 0
    dropped: int = 0
    left: int = 0
    expired: int = 0


def decide(event: FailedEvent, message: Envelope | Start | None, item: RunItem | None, now: float) -> Action:
    """What to do with an event, by what it is and how its run stands."""
    if message is None:
        return Action.LEAVE
    if item is None:  # a start that failed before its run began; anything else is of a run that is long forgotten
        if not isinstance(message, Start):
            return Action.LEAVE
        return Action.RESEND if event.error_type in _OF_OTHERS else Action.PARK
    if item.state is RunState.SUCCEEDED:
        return Action.DROP
    if item.state is RunState.RUNNING and now < item.run.deadline and event.error_type in _OF_OTHERS:
        return Action.RESEND
    return Action.PARK


@dataclass(frozen=True)
class Sweeper:
    """Sweeps one workflow, from home."""

    settings: Settings
    ports: Ports

    def sweep(self) -> Swept:
        """One sweep: the failure queues of home's entry and of the open runs' regions, then the runs themselves."""
        items = self.ports.runs.listed()
        counts = self._empty_queues(items)
        expired = sum(self._end(item) for item in items)
        resent = sum(self._go_on(item) for item in items)
        return Swept(
            resent=counts[Action.RESEND] + resent,
            parked=counts[Action.PARK],
            dropped=counts[Action.DROP],
            left=counts[Action.LEAVE],
            expired=expired,
        )

    def resend(self, parked: Parked) -> None:
        """Send a parked message again, as an attempt that takes its node over.

        Raises UnreachableError, and InvalidEnvelopeError if this version of the workflow has no such node.
        """
        self._send_again(message_of(json_or_text(parked.message), parked.run_id))
        self.ports.parking.unpark(parked)

    def redrive(self, run_id: str) -> tuple[Parked, ...]:
        """Go on with a run that FAILED or EXPIRED: send what is parked, or lies in a failure queue; those messages.

        The sweeper ends one that was interrupted.
        """
        item = self.ports.runs.get(run_id)
        if item is None or item.state is RunState.SUCCEEDED:
            return ()
        self._empty_queues((item,))
        if item.state is RunState.EXPIRED or self.ports.parking.parked(run_id):
            self.ports.runs.reopen(run_id, self.ports.clock.now() + self.settings.runs.run_deadline_s)
        parked = self.ports.parking.parked(run_id)
        for message in parked:
            self.resend(message)
        return parked

    def _empty_queues(self, items: tuple[RunItem, ...]) -> dict[Action, int]:
        counts = dict.fromkeys(Action, 0)
        for region, function in self._queues(items):
            for event in self._events(region, function):
                counts[self._handle(event)] += 1
        return counts

    def _queues(self, items: tuple[RunItem, ...]) -> Iterator[tuple[str, str]]:
        """The queues to look into: the home entry's always, all others only where an open run may have been."""
        home, entry = self.settings.home_region, self.settings.graph.entry.function
        yield home, entry
        regions = {region for item in items for region in item.run.regions.values()} | ({home} if items else set())
        for region in sorted(regions):
            for function in self.settings.graph.functions:
                if (region, function.name) != (home, entry):
                    yield region, function.name

    def _events(self, region: str, function: str) -> Iterator[FailedEvent]:
        """All events of a queue; none if its region can't be reached now, or has no such function."""
        try:
            while events := self.ports.failures.receive(region, function):
                yield from events
        except UnreachableError:
            return

    def _handle(self, event: FailedEvent) -> Action:
        message = self._read(event)
        item = None if message is None else self.ports.runs.get(_run_id(message))
        now = self.ports.clock.now()
        action = decide(event, message, item, now)
        if message is None or action is Action.LEAVE:
            return Action.LEAVE
        if action is Action.RESEND and not self._has_node(message):
            action = Action.PARK
        try:
            if action is Action.RESEND:
                self._send_again(message)
            elif action is Action.PARK:
                self._park(event, message, now)
            self.ports.failures.delete(event)
        except UnreachableError:
            return Action.LEAVE  # it comes out of the queue again
        return action

    def _read(self, event: FailedEvent) -> Envelope | Start | None:
        """The message of an event; None if it is not one that this version reads, or a start where none can be."""
        try:
            message = message_of(json_or_text(event.message), event.message_id)
        except CaribouError:
            return None
        entry = (self.settings.home_region, self.settings.graph.entry.function)
        starts = event.message_id != "" and (event.region, event.function) == entry
        return message if isinstance(message, Envelope) or starts else None

    def _park(self, event: FailedEvent, message: Envelope | Start, now: float) -> None:
        """Park a message, and fail its run if that is what it means: first, since no open run has parked messages."""
        run_id, node, is_known = _run_id(message), self._node(message), self._has_node(message)
        reason = f"{event.error_type or 'AWS'}: {event.error}" if is_known else f"{node} is in this version no more"
        place = START_NODE if isinstance(message, Start) else node
        parked = Parked(run_id, place, message.attempt, message.to_text(), reason)
        if isinstance(message, Start):
            self._begin(run_id, now)
        if event.error_type not in _OF_OTHERS or not is_known:
            self.ports.runs.fail(run_id, now, node, reason)
        self.ports.parking.park(parked)
        self.ports.runs.close(run_id)

    def _begin(self, run_id: str, now: float) -> None:
        """A start whose code never came to begin its run: one that can fail, at home."""
        graph = self.settings.graph
        run = new_run(run_id, now, Placement.at_home(graph, self.settings.home_region), self.settings)
        self.ports.runs.begin(run, frozenset(graph.leaves))

    def _end(self, item: RunItem) -> bool:
        """Expire a run that is past its deadline, finish one that nobody finished."""
        run_id, now = item.run.run_id, self.ports.clock.now()
        if item.is_complete:
            self.ports.runs.succeed(run_id, now)
        elif now >= item.run.deadline:
            self.ports.runs.expire(run_id, now)
            return item.state is RunState.RUNNING
        return False

    def _go_on(self, item: RunItem) -> int:
        """Send what is parked of a run that a redrive opened: it was interrupted, or somebody parked meanwhile."""
        if item.state is not RunState.RUNNING or item.ended_at is None or self.ports.clock.now() >= item.run.deadline:
            return 0
        parked = [
            message
            for message in self.ports.parking.parked(item.run.run_id)
            if message.node == START_NODE or self._has(message.node)
        ]
        for message in parked:
            self.resend(message)
        return len(parked)

    def _send_again(self, message: Envelope | Start) -> None:
        again = replace(message, attempt=message.attempt + 1)
        home = self.settings.home_region
        if isinstance(again, Start):
            self.ports.bus.publish(home, self.settings.graph.entry.function, again.to_text())
            return
        if not self._has_node(again):
            raise InvalidEnvelopeError(f"Version {self.settings.graph.version} has no node {again.node}")
        node = self.settings.graph.node(again.node)
        region = again.run.region_of(node.name, home)
        try:
            self.ports.bus.publish(region, node.function, again.to_text())
        except UnreachableError:
            if region == home:
                raise
            moved = again if node.sync else replace(again, run=again.run.at_home(node.name))
            self.ports.bus.publish(home, node.function, moved.to_text())

    def _has_node(self, message: Envelope | Start) -> bool:
        return self._has(self._node(message))

    def _has(self, node: str) -> bool:
        return self.settings.graph.has_node(node)

    def _node(self, message: Envelope | Start) -> str:
        return message.node if isinstance(message, Envelope) else self.settings.graph.entry.name


def _run_id(message: Envelope | Start) -> str:
    return message.run.run_id if isinstance(message, Envelope) else message.run_id or ""
