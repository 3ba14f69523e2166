"""Bringing a run home that waits for a region which does not answer. The sweeper's work, by order of a redrive.

    order ──> every region of its map answers            ──> refused
              it is open                                 ──> halted: what is under way comes in, and is parked
              a node's work may still come in            ──> nothing, yet: the same order goes on
              what a node had made or got is there only  ──> refused: it waits for the region, or a new run is started
              else                                       ──> opened with a map that names the silent regions no more,
                                                             and all that waits is sent, by that map

What is in the silent region can't be seen: claims, sync state, payloads, messages in its queues. So whatever of the run
is not known to have ended elsewhere is done again at home, if what it needs is elsewhere: a parked message, the run's
input, a sync node's state. An open run is halted first: of a node that is being tried nobody knows whether it will end.
If the region was only slow, what it had in its queues runs there besides. Receivers drop what they have; but a sync
node whose state was there may run once on each side.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from itertools import takewhile

from caribou.model.errors import UnreachableError
from caribou.model.run.envelope import Envelope
from caribou.model.run.item import START_NODE, Parked, RunItem, RunState
from caribou.model.run.order import RedriveAnswer, Refusal, Sent
from caribou.runtime.event import json_or_text, message_of
from caribou.runtime.progress import Progress
from caribou.runtime.redrive_checks import first_refusal, of_another_graph
from caribou.runtime.remains import remains
from caribou.runtime.sweeping import Sweeper

LATE_S = 300.0
"""How long after a run failed its message may still be on its way to the failure queue."""


@dataclass(frozen=True, slots=True)
class _Found:
    """A run by its new map: its `progress`, what can be sent `again` out of tables, and what is `parked` for it.

    `stale` are parked messages of sync nodes whose state is out of reach, `lost` nodes whose work is nowhere in reach,
    `unreadable` those whose message is parked, with a payload out of reach.
    """

    progress: Progress
    again: tuple[Envelope, ...]
    parked: tuple[Parked, ...]
    stale: tuple[Parked, ...]
    lost: tuple[str, ...]
    unreadable: tuple[str, ...]

    @property
    def nodes(self) -> set[str]:
        """The nodes that would run again."""
        return {*self.progress.waiting, *(message.node for message in self.again)}


@dataclass(frozen=True)
class Homecoming:
    """Brings runs of one workflow home, at home."""

    sweeper: Sweeper

    def bring(self, item: RunItem) -> RedriveAnswer:
        """Bring a run home that has not ended well; what became of it. Raises UnreachableError if home is silent."""
        ports, graph = self.sweeper.ports, self.sweeper.settings.graph
        silent = frozenset(region for region in item.run.regions.values() if self._is_silent(region, item))
        if not silent:
            return RedriveAnswer(refusal=_all_answer(item))
        if item.run.graph != graph.digest:
            return RedriveAnswer(refusal=of_another_graph(item, graph.version))
        now = ports.clock.now()
        if item.state is RunState.RUNNING:
            ports.runs.halt(item.run.run_id, now)
            item = ports.runs.get(item.run.run_id) or item
            if item.state in (RunState.SUCCEEDED, RunState.CANCELLED):
                return RedriveAnswer(refusal=_has_ended(item))
        problems = self.sweeper.empty_queues_of(item)
        unknown = tuple(problem for problem in problems if not problem.startswith(tuple(silent)))
        found = self._found(item, silent)
        lost = sorted({*found.lost, *found.unreadable})
        if unknown or (lost and now - (item.ended_at or now) < LATE_S):
            return RedriveAnswer(problems=(*unknown, *(f"{node} may be under way still" for node in lost)))
        if refusal := _gone(lost, silent) if lost else first_refusal(found.progress, found.nodes):
            return RedriveAnswer(refusal=refusal)
        return self._sent(found)

    def _is_silent(self, region: str, item: RunItem) -> bool:
        try:
            self.sweeper.ports.claims.claimed(region, item.run.run_id, self.sweeper.settings.graph.entry.name)
        except UnreachableError:
            return region != self.sweeper.settings.home_region
        return False

    def _found(self, item: RunItem, silent: frozenset[str]) -> _Found:
        """What waits of a run, and what is missing, if what is in the silent regions is left out of account."""
        settings, ports = self.sweeper.settings, self.sweeper.ports
        graph, regions = settings.graph, item.run.regions
        moved = replace(item.run, regions={node: place for node, place in regions.items() if place not in silent})
        parked = ports.parking.parked(item.run.run_id)
        syncs = {node.name for node in graph.nodes if node.sync}
        stale = tuple(message for message in parked if message.node in syncs and regions.get(message.node) in silent)
        waiting = tuple(message for message in parked if message not in stale)
        nodes = frozenset(graph.entry.name if p.node == START_NODE else p.node for p in waiting)
        progress = Progress(replace(item, run=moved), graph, settings.home_region, ports, waiting=nodes)
        again, lost = remains(progress, ports.clock.now())
        return _Found(
            progress=progress,
            again=tuple(message for message in again if message.node not in nodes),
            parked=waiting,
            stale=stale,
            lost=tuple(node for node in lost if node not in nodes),
            unreadable=tuple(p.node for p in waiting if _rests_in(p) in silent),
        )

    def _sent(self, found: _Found) -> RedriveAnswer:
        """Send, and open the run in between: an order that is interrupted before goes on, the sweeper after it."""
        sweeper, item, sent = self.sweeper, found.progress.item, []
        for parked in found.stale:  # its predecessors report anew, and the last of them fires it
            sweeper.ports.parking.unpark(parked)
        for message in found.again:
            sweeper.send_again(message)
            sent.append(Sent(message.node, "what it had sent on is in a region that does not answer"))
        deadline = sweeper.ports.clock.now() + sweeper.settings.runs.run_deadline_s
        sweeper.ports.runs.reopen(item.run.run_id, deadline, item.run.regions)
        for parked in takewhile(lambda _: sweeper.has_time(), found.parked):
            sweeper.resend(parked, item.run)
            sent.append(Sent(parked.node, parked.reason))
        return RedriveAnswer(sent=tuple(sent))


def _rests_in(parked: Parked) -> str | None:
    """The region in which a parked message's payload rests; None if the message has it."""
    message = message_of(json_or_text(parked.message), parked.run_id)
    return None if message.pointer is None else message.pointer.region


def _has_ended(item: RunItem) -> Refusal:
    return Refusal("it has ended meanwhile", fix=f"see `caribou trace {item.run.run_id}`", found=item.state)


def _all_answer(item: RunItem) -> Refusal:
    ended_badly = item.state in (RunState.FAILED, RunState.EXPIRED)
    run_id = item.run.run_id
    return Refusal(
        "every region of its map answers, so there is nothing to bring home",
        fix=f"`caribou redrive {run_id}`, without --home"
        if ended_badly
        else f"see `caribou trace {run_id}`: it goes on",
        found=", ".join(sorted(set(item.run.regions.values()))) or "all nodes at home",
    )


def _gone(lost: Iterable[str], silent: AbstractSet[str]) -> Refusal:
    return Refusal(
        f"what {' and '.join(lost)} had made, or was to work on, is in a region that does not answer, and nowhere else",
        fix="`caribou redrive` it once the region is back; or start a new run, under another name, with a placement "
        "without that region",
        found=", ".join(sorted(silent)),
    )
