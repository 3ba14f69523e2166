"""Every interleaving of the predecessors of a sync node, operation by operation, with a crash or a duplicate anywhere.

The schedules form a tree; two that lead to the same state have the same future, so the search walks the graph of
states and counts schedules instead of playing each (`Search.schedules`). Predecessors that stand alike are
interchangeable: of those, one is tried, and counts for all. Nothing else is left out: an operation is every call of a
port (claim, payload, report, message, leaf, end), and the acknowledgement at the end of an invocation is one too.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from simulated import HOME, Plan_, Violation, World, graph_of

from caribou.model.run.item import RunState

SYNC = "s"


def fan_in(taken, skipped):
    """A world whose entry has run: so many predecessors of a sync node wait whose edge will be taken, or skipped."""
    names = [f"p{i}" for i in range(taken + skipped)]
    calls = {"a": " ".join(names), **dict.fromkeys(names, SYNC)}
    graph = graph_of(calls, SYNC)
    plan = Plan_(skip=frozenset(f"{name}#0" for name in names[taken:]), payload="same")
    world = World(graph, plan)
    world.gates_user_code = False
    world.start()
    world.advance(world.invoke(world.pending[0]))
    return world


@dataclass
class Search:
    """A walk over all states of a world; at most so many crashes and duplicates on a way."""

    world: World
    crashes: int = 0
    duplicates: int = 0
    memo: dict = field(default_factory=dict)
    steps: int = 0

    def schedules(self):
        """How many schedules there are; each was found to end well."""
        key = self._key()
        if key not in self.memo:
            self.memo[key] = self._schedules_from_here()
        return self.memo[key]

    def _schedules_from_here(self):
        moves = self._moves()
        if not moves:
            self._check_end()
            return 1
        before, count = self._saved(), 0
        for move, times in moves:
            self.steps += 1
            move()
            count += times * self.schedules()
            self._restore(before)
        return count

    def _moves(self):
        """What may happen next, each with how many interchangeable ones it stands for."""
        world, moves = self.world, {}
        for event in world.pending:
            moves.setdefault((self._alike(event), "invoke"), []).append(lambda e=event: self._invoke(e))
        for process in world.processes:
            alike = self._alike(process.event)
            moves.setdefault((alike, "go on"), []).append(lambda p=process: world.advance(p, 1))
            if self.crashes:
                moves.setdefault((alike, "kill"), []).append(lambda p=process: self._kill(p))
        if self.duplicates:
            for event in world.seen[1:]:
                moves.setdefault((self._alike(event), "again"), []).append(lambda e=event: self._again(e))
        return [(alike[0], len(alike)) for alike in moves.values()]

    def _invoke(self, event):
        self.world.advance(self.world.invoke(event), 1)

    def _kill(self, process):
        self.crashes -= 1
        self.world.kill(process)

    def _again(self, event):
        self.duplicates -= 1
        self.world.duplicate(event)

    def _alike(self, event):
        """What makes a message differ from others: that of its node, and its own progress."""
        return self._node_key(event.function), self._event_key(event)

    def _key(self):
        nodes = Counter(self._node_key(node.name) for node in self.world.graph.nodes[1:])
        item = self.world.item()
        return frozenset(nodes.items()), item.state, item.ended, self.crashes, self.duplicates

    def _node_key(self, node):
        world = self.world
        inputs = world.cloud.syncs._inputs.get((HOME, "run", SYNC))
        edge = f"{node}#0"
        reported = inputs and (edge in inputs.payloads, edge in inputs.state.taken, edge in inputs.state.skipped)
        _, attempt, tries = self._claims().get((HOME, "run", node), (None, -1, 0))
        events = [event for event in world.pending if event.function == node]
        events += [process.event for process in world.processes if process.event.function == node]
        is_skipping = edge in world.plan.skip
        return (
            node == SYNC,
            is_skipping,
            reported,
            attempt,
            tries,
            frozenset(Counter(map(self._event_key, events)).items()),
        )

    def _event_key(self, event):
        owner, *_ = self._claims().get((HOME, "run", event.function), (None, -1, 0))
        log = next((self._log_key(p) for p in self.world.processes if p.event is event), None)
        return event.tries, owner == event.request_id, log

    def _log_key(self, process):
        """How far a process has come: of the state that a report gave it, only whether it was complete matters."""
        return tuple(
            answer.reported() == len(self.world.graph.in_edges(SYNC))
            if hasattr(answer, "reported")
            else str(type(answer))
            for answer, _ in process.log
        )

    def _claims(self):
        return self.world.cloud.claims._owners

    def _check_end(self):
        world = self.world
        world.invariants.at_the_end()
        if world.state() is not RunState.SUCCEEDED or world.cloud.failures.events:
            raise Violation(f"ended {world.state()}")

    def _saved(self):
        world, cloud = self.world, self.world.cloud
        return (
            [dict(each) for each in self._dicts()],
            set(cloud.runs._listed),
            [(event, event.tries) for event in world.pending],
            [(p, list(p.log), list(p._times), p.event.tries) for p in world.processes],
            list(world.seen),
            (self.crashes, self.duplicates, set(world.started), set(world.returned)),
        )

    def _restore(self, saved):
        world, cloud = self.world, self.world.cloud
        dicts, listed, pending, processes, seen, (self.crashes, self.duplicates, started, returned) = saved
        for each, content in zip(self._dicts(), dicts, strict=True):
            each.clear()
            each.update(content)
        cloud.runs._listed = set(listed)
        world.pending, world.processes, world.seen = [e for e, _ in pending], [p for p, *_ in processes], list(seen)
        world.started, world.returned = set(started), set(returned)
        for event, tries in pending:
            event.tries = tries
        for process, log, times, tries in processes:
            process.log, process._times, process.event.tries = list(log), list(times), tries
            process.error = process.answer = None

    def _dicts(self):
        cloud = self.world.cloud
        return (
            cloud.syncs._inputs,
            self._claims(),
            cloud.runs.items,
            cloud.failures._events,
            self.world.invariants._owners,
        )
