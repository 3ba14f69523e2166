"""One seeded schedule: a workflow's shape, a plan of what its code does, and everything that may go wrong."""

from __future__ import annotations

from collections import Counter
from random import Random

from refusals import Refusal
from simulated import REGIONS, TO_THE_END, Fault, Plan_, Violation, World, graph_of, placement_of

from caribou.model.run.item import RunState

SHAPES = {
    "chain": graph_of({"a": "b", "b": "c", "c": "d"}),
    "fan-out": graph_of({"a": "b c d e"}),
    "diamond": graph_of({"a": "b c", "b": "s", "c": "s"}, "s"),
    "nested conditionals": graph_of({"a": "b s", "b": "c s", "c": "d s", "d": "s", "s": "e"}, "s"),
    "sync behind sync": graph_of({"a": "b c", "b": "s", "c": "s t", "s": "t", "t": "d"}, "s t"),
    "two edges of one function": graph_of({"a": "s b s", "b": "s", "s": "c"}, "s"),
    "sync node at once": graph_of({"a": "s", "s": "t u", "t": "v", "u": "v"}, "s v"),
}


def random_shape(chance):
    """A random DAG of up to seven nodes."""
    count = chance.randint(2, 7)
    calls, sync = {str(node): [] for node in range(count)}, []
    for node in range(1, count):
        callers = [str(chance.randrange(node)) for _ in range(chance.choice((1, 1, 1, 2, 3)))]
        if len(callers) > 1 or chance.random() < 0.2:
            sync.append(str(node))
        for caller in callers:
            calls[caller].append(str(node))
    return graph_of({node: " ".join(targets) for node, targets in calls.items()}, " ".join(sync))


class Chaos:
    """A schedule by its seed; `run` plays it, checks it, and reports what happened."""

    def __init__(self, seed):
        self.seed = seed
        self.chance = chance = Random(seed)
        shape = chance.choice([*SHAPES, "random", "random", "random"])
        graph = random_shape(chance) if shape == "random" else SHAPES[shape]
        self.shape = shape
        edges, nodes = [edge.id for edge in graph.edges], [node.name for node in graph.nodes]
        self.placements = [
            placement_of(graph, {node: chance.choice(REGIONS) for node in nodes} if chance.random() < 0.8 else {})
            for _ in range(2)
        ]
        plan = Plan_(
            skip=frozenset(edge for edge in edges if chance.random() < chance.choice((0, 0.3, 0.9))),
            bad=frozenset(node for node in nodes if chance.random() < 0.03),
            payload=chance.choice((None, None, "same", "x" * 1500)),
            is_fickle=chance.random() < 0.1,
        )
        self.world = world = World(
            graph,
            plan,
            self.placements[0],
            seed=chance.getrandbits(32),
            deadline_s=chance.choice((86400, 86400, 86400, 2400)),
            message_limit_bytes=1500,
            deduplicate=chance.random() > 0.1,
            is_skewed=chance.random() < 0.5,
        )
        world.is_delaying = chance.random() < 0.5
        world.is_stale = chance.random() < 0.3
        world.fault = self._fault
        mild = chance.choice((0.0, 0.0, 0.01, 0.05))
        self.rates = Counter(
            killed=chance.choice((0, 0, 0.02, 0.15)),
            refused=mild,
            in_doubt=chance.choice((0, mild)),
            twice=chance.choice((0, mild)),
            killed_after=chance.choice((0, 0.01)),
            duplicate=chance.choice((0, 0.1, 0.5)),
            user_error=chance.choice((0, 0, 0.1, 0.5)),
            outage=chance.choice((0, 0, 0.03)),
            redrive=chance.choice((0, 0, 0.02)),
            deploy=chance.choice((0, 0.03)),
            never_started=chance.choice((0, 0.02)),
            denied=chance.choice((0, 0, 0.05)),
        )
        self.budgets = chance.choice(((1,), (1, 2, 3), (1, 5, TO_THE_END), (TO_THE_END,)))

    def run(self):
        """Play it."""
        world = self.world
        world.start("run")
        if self._happens("duplicate"):
            world.start("run", payload="y")
        for _ in range(300):
            if not (world.processes or world.pending or world.cloud.failures.events):
                break
            self._step()
        world.settle()
        world.invariants.at_the_end()
        self.state = world.state()
        self._redrive()
        return self

    def _step(self):
        world, chance = self.world, self.chance
        due = [event for event in world.pending if event.due_s <= world.now_s]
        if world.processes and (not due or chance.random() < 0.7):
            self._go_on(chance.choice(world.processes))
        elif due:
            self._deliver(chance.choice(due))
        else:
            world.now_s += 60
            world.cloud.failures.show()
        self._meanwhile()

    def _go_on(self, process):
        if self._happens("killed"):
            self.world.kill(process)
        else:
            self.world.advance(process, self.chance.choice(self.budgets))

    def _deliver(self, event):
        world = self.world
        if self._happens("duplicate"):
            world.duplicate(self.chance.choice(world.seen), same_request=self.chance.random() < 0.2)
        if event.tries == 0 and self._happens("never_started"):
            world.pending.remove(event)
            world.give_up(event, None, "EventAgeExceeded")
            return
        process = world.invoke(event)
        process.raises = self._happens("user_error")
        if world.plan.is_fickle:
            process.flips = frozenset(edge.id for edge in world.graph.edges if self.chance.random() < 0.3)

    def _meanwhile(self):
        world, chance = self.world, self.chance
        if chance.random() < 0.05:
            world.sweep()
        if self._happens("outage"):
            region = chance.choice(REGIONS)
            if world.down.pop(region, None) is None:
                world.down[region] = chance.choice(list(Refusal))
        if self._happens("deploy"):
            world.placement = chance.choice(self.placements)
        if chance.random() < 0.05:
            world.now_s += chance.choice((10, 60, 300))
            world.cloud.failures.show()
        if self._happens("redrive"):
            world.redrive()

    def _fault(self, process, operation):
        if operation.name.startswith("user."):
            return Fault.NONE
        if process.label == "sweep" and self._happens("denied"):
            return self.chance.choice(list(Refusal))
        if self._happens("refused"):
            return self.chance.choice(list(Refusal))
        for fault in (Fault.IN_DOUBT, Fault.TWICE, Fault.KILLED_AFTER):
            if self._happens(fault.name.lower()):
                return fault
        return Fault.NONE

    def _happens(self, what):
        rate = self.rates[what]
        return rate > 0 and self.chance.random() < rate

    def _redrive(self):
        """Whatever ended badly can be redriven once its cause is gone."""
        world = self.world
        world.plan.bad = frozenset()
        if world.state() is RunState.SUCCEEDED:
            return
        world.advance(world.redrive())
        world.settle()
        world.invariants.at_the_end()
        if world.state() is not RunState.SUCCEEDED:
            raise Violation(f"the redrive did not end well: {world.item()}")


def play(seed, *, is_traced=False):
    """Play a schedule; what it violates names the seed, and how to see each of its operations."""
    chaos = Chaos(seed)
    chaos.world.is_traced = is_traced
    try:
        return chaos.run()
    except Exception as error:
        trace = "".join(f"\n{line}" for line in chaos.world.trace)
        replay = f"SEED={seed} uv run pytest tests/simulator -k replay"
        raise Violation(f"seed {seed} ({chaos.shape}): {error}. To replay: {replay}{trace}") from error
