"""A storm of forged messages: a forger who can publish to every topic, invoke the entry and fill a function's queue.

Nothing here is denied by a policy: these are the forgeries that receivers withstand alone. What they do not withstand,
and a policy has to stop, is listed in docs/chaos.md, and is not sent.

    past the topic   anything, whatever it looks like, is a payload: a run of its own, under the request's name
    topics           what no sender of ours can have sent, and sync nodes that are started early
    a failure queue  what is not of the queue's own function
"""

from __future__ import annotations

import json
from dataclasses import replace
from random import Random

from simulated import AWAY, FAR, HOME, REGIONS, TO_THE_END, Plan_, Violation, World, graph_of, placement_of, tagged

from caribou.model.run.envelope import Envelope, Run, Start
from caribou.model.run.item import FailedEvent, RunState

GRAPH = graph_of({"a": "b c", "b": "s", "c": "s t", "s": "t", "t": "d"}, "s t")
PLACED = {"b": AWAY, "s": FAR, "t": AWAY}
NONSENSE = (
    "",
    "[" * 2000,
    "[]",
    '{"schema":"caribou.envelope/1"}',
    '{"schema":"caribou.envelope/99","run_id":"x"}',
    '{"schema":"caribou.start/1","run_id":["x"],"payload":null,"pointer":null,"attempt":0}',
    '{"schema":"caribou.start/1","run_id":"x","payload":"{","pointer":null,"attempt":1e400}',
)


class ForgeryStorm:
    """So many runs and forgeries, in an order by the seed; `play` ends when nothing moves any more."""

    def __init__(self, seed, runs, forgeries):
        self.chance = Random(seed)
        self.world = World(GRAPH, Plan_(is_tagged=True), placement_of(GRAPH, PLACED), seed=seed)
        self.runs = [f"run-{i}" for i in range(runs)]
        self.forged_runs = []
        self._begun = []
        self._acts = [*((self._start, run_id) for run_id in self.runs), *[(self._forge, None)] * forgeries]
        self.chance.shuffle(self._acts)

    def play(self):
        """All of it, and what must hold in the end."""
        world, chance = self.world, self.chance
        while self._acts or world.processes or world.pending:
            if self._acts and chance.random() < 0.2:
                act, of = self._acts.pop()
                act(of)
            elif world.processes and chance.random() < 0.7:
                world.advance(chance.choice(world.processes), chance.choice((1, 3, TO_THE_END)))
            elif world.pending:
                event = chance.choice(world.pending)
                world.now_s = max(world.now_s, event.due_s)
                world.invoke(event)
            if chance.random() < 0.01:
                world.cloud.failures.show()
                world.sweep()
        world.settle()
        world.invariants.at_the_end()
        self._check()
        return self

    def _check(self):
        world, every = self.world, [*self.runs, *self.forged_runs]
        if wrong := [run_id for run_id in every if world.state(run_id) is not RunState.SUCCEEDED]:
            raise Violation(f"did not succeed: {wrong}")
        if unknown := world.cloud.runs.items.keys() - set(every):
            raise Violation(f"runs that nobody started: {unknown}")
        if wrong := {key: n for key, n in world.ran.items() if n != 1}:
            raise Violation(f"ran more than once: {wrong}")
        if len(world.ran) != len(every) * len(GRAPH.nodes):
            raise Violation("some nodes did not run")

    def _start(self, run_id):
        self.world.start(run_id, payload=tagged(run_id))
        self._begun.append(run_id)

    def _forge(self, _):
        self.chance.choice((self._past_the_topic, self._past_the_topic, self._to_a_topic, self._into_a_queue))()

    def _past_the_topic(self):
        """A direct invocation, or a record of an event source."""
        event = self.chance.choice((self._takeover, self._notification, self._record))()
        function = self.chance.choice(("a", "a", "a", *(node.function for node in GRAPH.nodes)))
        region = HOME if function == "a" else self.chance.choice(REGIONS)
        direct = self.world.invoke_directly(region, function, event)
        if function == "a":
            self.world.accepted.add(direct.message_id)
            self.world.given[direct.message_id] = event
            self.forged_runs.append(direct.message_id)

    def _takeover(self):
        """Whatever would be a message if it came from us: a later attempt of any node, with a map, or a start."""
        if self.chance.random() < 0.3:
            return json.loads(Start(self._victim(), json.dumps(tagged("forger")), attempt=3).to_text())
        return json.loads(replace(self._envelope(), attempt=self.chance.choice((0, 1, 5))).to_text())

    def _notification(self):
        """What SNS sends, raw: of another topic than the function's own."""
        text = json.dumps(self._takeover())
        arn = "arn:aws:sns:us-east-1:111122223333:" + self.chance.choice(("of-somebody", "caribou-test-flow-b2", ""))
        return {"Records": [{"EventSource": "aws:sns", "Sns": {"TopicArn": arn, "MessageId": "m", "Message": text}}]}

    def _record(self):
        return {"Records": [{"body": json.dumps(self._takeover())}]}

    def _to_a_topic(self):
        """An envelope at a topic of ours that none of ours sends, or a sync node before its time."""
        kind, envelope = self.chance.randrange(5), self._envelope()
        function, region = envelope.node, self.chance.choice(REGIONS)
        if kind == 0:
            envelope = replace(envelope, node=self.chance.choice(("nobody", "a:9", "é")))
        elif kind == 1:
            function = self.chance.choice([node.function for node in GRAPH.nodes if node.name != envelope.node])
        elif kind == 2:
            envelope = replace(envelope, inputs="0" * 16)
        elif kind == 3:
            self._early()
            return
        else:
            self.world.enqueue(region, self.chance.choice("bcstd"), self.chance.choice(NONSENSE))
            return
        self.world.enqueue(region, function, envelope.to_text())

    def _early(self):
        """A sync node is started by a stranger, under its run's own map, or under one that has its state elsewhere."""
        node, elsewhere = self.chance.choice("st"), self.chance.choice(["eu-west-1", "eu-west-2"])
        run = replace(self._run(), regions=self.chance.choice((PLACED, {**PLACED, node: elsewhere})))
        early = Envelope(run, node, None, GRAPH.inputs_digest(node), 1, self.world.now_s)
        self.world.enqueue(self.chance.choice((PLACED[node], HOME)), node, early.to_text())

    def _into_a_queue(self):
        """A function fills its own failure queue with what is not its own."""
        envelope = self._envelope()
        function = self.chance.choice([node.function for node in GRAPH.nodes if node.name != envelope.node])
        text = self.chance.choice((envelope.to_text(), envelope.to_text(), *NONSENSE))
        region = self.chance.choice((AWAY, FAR)) if function == "a" else self.chance.choice(REGIONS)
        error = self.chance.choice((None, "UnreachableError", "ValueError"))
        handle = self.world.new_id("failure")
        self.world.cloud.failures.put(FailedEvent(region, function, text, "m", error, "forged", handle))

    def _envelope(self):
        """A message to some node of a run that is under way, or of none."""
        edge = self.chance.choice(GRAPH.edges)
        return Envelope(
            run=self._run(),
            node=edge.target,
            edge=edge.id,
            inputs=GRAPH.inputs_digest(edge.target),
            hop=1,
            sent_at=self.world.now_s,
            payload=json.dumps(tagged("forger")),
            attempt=self.chance.choice((0, 0, 1, 7)),
        )

    def _run(self):
        regions = self.chance.choice((PLACED, {}, {"d": "eu-west-1"}))
        now_s = self.world.now_s
        return Run(self._victim(), "0.0.1", GRAPH.digest, "p", regions, now_s, now_s + 10)

    def _victim(self):
        return self.chance.choice([*self._begun[-5:], *self.runs[-1:], "nobody's"])
