"""Forged messages on the local cloud: what receivers withstand alone, sent by someone whom no policy stops.

The simulator sends many more, in any order (`tests/simulator/forgeries.py`); here they pass real topics, Lambda's
retries and failure queues. What a policy has to stop is in docs/chaos.md.
"""

import hashlib
import json
import os
import random
from collections import Counter
from dataclasses import replace

import pytest
from deployed import HOME, PLACED, SIZES, STORM
from waiting import eventually

from caribou.model.run.envelope import Envelope, Run, Start
from caribou.model.run.item import RunState

pytestmark = [pytest.mark.local_cloud, pytest.mark.slow]
VICTIMS = int(os.environ.get("CARIBOU_FORGED_RUNS", "2"))
"""Runs that are forged against."""

TAKEN = {"start", "left", "right", "side", "late", "join", "last"}


class Forger:
    """Publishes to every topic, and invokes an entry."""

    def __init__(self, project, seed):
        self.project, self.chance = project, random.Random(seed)
        self.graph = project.workflow(STORM).graph
        self.places = {n.name: PLACED[STORM].get(n.function, HOME) for n in self.graph.nodes}
        self.sent, self.invoked = Counter(), []

    def forge(self, victim):
        """One forgery of each kind, of a run."""
        envelope = self._envelope(victim)
        others = [node.function for node in self.graph.nodes if node.name != envelope.node]
        self._publish("unknown node", self.graph.node(envelope.node).function, replace(envelope, node="nobody"))
        self._publish("another function's", self.chance.choice(others), envelope)
        self._publish("predecessors", self.graph.node(envelope.node).function, replace(envelope, inputs="0" * 16))
        (join,) = (node.name for node in self.graph.nodes if node.function == "join")
        early = replace(envelope, node=join, edge=None, inputs=self.graph.inputs_digest(join), payload=None, attempt=0)
        elsewhere = replace(early, run=replace(early.run, regions={join: "eu-west-1"}))
        self._publish("early", "join", self.chance.choice((early, elsewhere)))
        for message in (envelope.to_text(), Start(f"{victim}-sizes", '"forged"', attempt=9).to_text()):
            self._invoke(self.chance.choice((json.loads(message), {"Records": [{"Sns": {"Message": message}}]})))

    def _envelope(self, victim):
        edge = self.chance.choice(
            [edge for edge in self.graph.edges if self.graph.node(edge.target).function != "join"]
        )
        regions = {node: region for node, region in self.places.items() if region != HOME}
        run = Run(victim, self.graph.version, self.graph.digest, "p", regions, 0.0, 1.0)
        inputs, attempt = self.graph.inputs_digest(edge.target), self.chance.choice((0, 5))
        return Envelope(run, edge.target, edge.id, inputs, 1, 0.0, json.dumps("forged"), attempt=attempt)

    def _publish(self, kind, function, envelope):
        self.sent[kind] += 1
        region = PLACED[STORM].get(function, HOME)
        topic = self.project.topic(STORM, function, region)
        self.project.cloud.client("sns", region).publish(TopicArn=topic, Message=envelope.to_text())

    def _invoke(self, event):
        answer = self.project.cloud.client("lambda").invoke(
            FunctionName=f"caribou-dev-{SIZES}-take", Payload=json.dumps(event).encode()
        )
        self.invoked.append((json.loads(answer["Payload"].read())["run_id"], event))


def _digest(payload):
    return hashlib.sha256(str(payload).encode()).hexdigest()


def _ran_once(project, runs):
    """Each node of each run once, or as often as its claim says that it was tried."""
    tries = Counter()
    for (run, node, _region), n in project.claims(STORM).items():
        tries[run, node.partition(":")[0]] += n
    for run_id in runs:
        ran = Counter(note["node"] for note in project.notes(run_id))
        assert set(ran) == TAKEN
        assert all(n == 1 or n <= tries[run_id, node] for node, n in ran.items()), ran


def test_runs_when_a_forger_sends_what_receivers_withstand_then_none_notices(calm):
    """Six forgeries a run: it succeeds, each node once, on its own payloads; what came past the topic is a payload."""
    project, forger = calm.project, Forger(calm.project, seed=VICTIMS)
    runs = [f"victim-{i}" for i in range(VICTIMS)]
    quiet = {"right": True, "side": True, "late": True, "orders": {}, "seconds": 0.0, "pad": 0}
    for run_id in runs:
        project.start(STORM, quiet, run_id)
        project.start(SIZES, run_id, f"{run_id}-sizes")
        forger.forge(run_id)

    assert {project.ended(STORM, run_id) for run_id in runs} == {RunState.SUCCEEDED}
    given = {f"{run_id}-sizes": run_id for run_id in runs} | dict(forger.invoked)
    assert {project.ended(SIZES, run_id) for run_id in given} == {RunState.SUCCEEDED}
    for run_id, payload in given.items():
        assert [note["sha256"] for note in project.notes(run_id)] == [_digest(payload)] * 2
    for run_id in runs:
        (output,) = (note["output"] for note in project.notes(run_id) if note["node"] == "last")
        assert sorted(name for name, _ in output) == ["late", "left", "right", "start"]
    _ran_once(project, runs)
    refused = sum(n for kind, n in forger.sent.items() if kind != "early")
    eventually(lambda: _waiting(project) >= refused, "the forgeries in the failure queues")
    assert {project.state(STORM, run_id) for run_id in runs} == {RunState.SUCCEEDED}


def _waiting(project):
    """How many events lie in the failure queues of the storm."""
    count = 0
    for function in TAKEN:
        for region in {HOME, PLACED[STORM].get(function, HOME)}:
            client = project.cloud.client("sqs", region)
            url = client.get_queue_url(QueueName=f"caribou-dev-{STORM}-{function}")["QueueUrl"]
            said = client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
            count += int(said["ApproximateNumberOfMessages"]) + int(said["ApproximateNumberOfMessagesNotVisible"])
    return count
