"""One failed event: whose run it is of, and whether it is dropped, left, sent again or parked.

    failure queue ──> whose run?  ended well, or cancelled    ──> dropped
                                  another start's            ──> dropped
                                  nobody's, or not readable   ──> left for a person, aside for an hour
                                  past its deadline           ──> parked, the run EXPIRED
                                  a region or AWS failed      ──> sent again, attempt + 1: takes the node's claim over
                                  user code, or the message   ──> parked, the run FAILED

A function may put anything into its own queue. So of a message nothing is believed but its node: that must be one of
the queue's function, the edge one of the node's, and of the run counts what the run item says.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum, auto

from caribou.model.errors import CaribouError, InvalidEnvelopeError, UnreachableError
from caribou.model.health.metrics import HealthMetric
from caribou.model.placement import Placement
from caribou.model.run.envelope import Envelope, Run, Start
from caribou.model.run.item import START_NODE, FailedEvent, Parked, RunItem, RunState
from caribou.model.run.text import storable
from caribou.runtime.event import json_or_text, message_of
from caribou.runtime.placement import new_run
from caribou.runtime.ports import Ports
from caribou.runtime.settings import Settings
from caribou.runtime.starts import sendable

_OF_OTHERS = frozenset({None, "UnreachableError"})
"""Error types that are not user code's: the function was never started, or could not reach what it needed."""
_OVER = (RunState.SUCCEEDED, RunState.CANCELLED)


class Action(StrEnum):
    """What to do with a failed event."""

    DROP = auto()
    LEAVE = auto()
    RESEND = auto()
    PARK = auto()


def decide(event: FailedEvent, message: Envelope | Start | None, item: RunItem | None, now: float) -> Action:
    """What to do with an event, by what it is and how its run stands."""
    if message is None:
        return Action.LEAVE
    if item is None:  # a start that failed before its run began; anything else is of a run that is long forgotten
        if not isinstance(message, Start):
            return Action.LEAVE
        return Action.RESEND if event.error_type in _OF_OTHERS else Action.PARK
    if item.state in _OVER or (isinstance(message, Start) and not item.is_of(message)):
        return Action.DROP
    if item.state is RunState.RUNNING and now < item.run.deadline and event.error_type in _OF_OTHERS:
        return Action.RESEND
    return Action.PARK


@dataclass(frozen=True)
class FailedEvents:
    """Handles the failed events of one workflow, from home. Everything it does may be done twice."""

    settings: Settings
    ports: Ports

    def handle(self, event: FailedEvent) -> Action:
        """Do with an event what is to be done; it is out of its queue then, or left there.

        Raises what the tables and queues raise: it comes out of the queue again.
        """
        message = self._read(event)
        item = None if message is None else self.ports.runs.get(run_id_of(message))
        if item is not None and isinstance(message, Envelope):
            message = self._trusted(message, event, item)
        now = self.ports.clock.now()
        action = decide(event, message, item, now)
        if message is None or action is Action.LEAVE:
            self.ports.failures.set_aside(event)
            return Action.LEAVE
        if action is Action.RESEND and not self._has_node(message):
            action = Action.PARK
        if action is Action.PARK and isinstance(message, Start) and not self._begun(message, now).is_of(message):
            action = Action.DROP
        if isinstance(message, Start) and action in (Action.RESEND, Action.PARK):
            message = sendable(message, self.settings, self.ports)
        if action is Action.RESEND:
            self.send_again(message)
        elif action is Action.PARK:
            self._park(event, message, now)
        self.ports.failures.delete(event)
        return action

    def send_again(self, message: Envelope | Start) -> None:
        """Send a message as the next attempt: where its node is placed, or home.

        Raises UnreachableError, and InvalidEnvelopeError if this version of the workflow has no such node.
        """
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
            self.ports.metrics.put({HealthMetric.REROUTED: 1})

    def _read(self, event: FailedEvent) -> Envelope | Start | None:
        """The message of an event; None if it is not one that this version reads, or a start where none can be."""
        try:
            message = message_of(json_or_text(event.message), event.message_id)
        except CaribouError:
            return None
        entry = (self.settings.home_region, self.settings.graph.entry.function)
        starts = event.message_id != "" and (event.region, event.function) == entry
        return message if isinstance(message, Envelope) or starts else None

    def _trusted(self, message: Envelope, event: FailedEvent, item: RunItem) -> Envelope | None:
        """The message with the run as its item has it; None if it is not one that could lie in this queue."""
        graph, run = self.settings.graph, item.run
        if not graph.has_node(message.node):
            return None if run.graph == graph.digest else message  # a node of another version
        node = graph.node(message.node)
        edges = {edge.id for edge in graph.in_edges(node.name)}
        fits = message.edge in edges if message.edge is not None else node.sync or node == graph.entry
        fits = fits and message.inputs == graph.inputs_digest(node.name)
        if node.function != event.function or (run.graph == graph.digest and not fits):
            return None
        return replace(message, run=self.as_decided(message, run))

    def as_decided(self, message: Envelope, run: Run) -> Run:
        """The run as its item has it. That a plain node was moved home, since its region was out of reach, stays."""
        needed, home = run.as_needed_by(message.node, self.settings.graph), self.settings.home_region
        is_moved = message.run.region_of(message.node, home) == home and not self.settings.graph.node(message.node).sync
        return needed.at_home(message.node) if is_moved else needed

    def _park(self, event: FailedEvent, message: Envelope | Start, now: float) -> None:
        """Park a message, and fail its run if that is what it means: first, since no open run has parked messages."""
        run_id, node, is_known = run_id_of(message), self._node(message), self._has_node(message)
        said = f"{event.error_type or 'AWS'}: {event.error}" if is_known else f"{node} is in this version no more"
        reason = storable(said)
        place = START_NODE if isinstance(message, Start) else node
        parked = Parked(run_id, place, message.attempt, message.to_text(), reason)
        if event.error_type not in _OF_OTHERS or not is_known:
            self.ports.runs.fail(run_id, now, node, reason)
        self.ports.parking.park(parked)
        self.ports.runs.close(run_id)

    def _begun(self, start: Start, now: float) -> RunItem:
        """The run of a start whose code may never have come to begin it: one that can fail, at home.

        Another start of that name may have begun one meanwhile.
        """
        graph = self.settings.graph
        run = new_run(run_id_of(start), now, Placement.at_home(graph, self.settings.home_region), self.settings)
        return self.ports.runs.begin(run, frozenset(graph.leaves), start.message_id)

    def _has_node(self, message: Envelope | Start) -> bool:
        return self.settings.graph.has_node(self._node(message))

    def _node(self, message: Envelope | Start) -> str:
        return message.node if isinstance(message, Envelope) else self.settings.graph.entry.name


def run_id_of(message: Envelope | Start) -> str:
    """The run that a message is of; a start has a name by now."""
    return message.run.run_id if isinstance(message, Envelope) else message.run_id or ""
