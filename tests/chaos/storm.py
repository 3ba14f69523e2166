"""A storm over two workflows on the local cloud: everything that may go wrong goes wrong, and then it is counted.

Runs start at a steady pace. Meanwhile, by the seed: messages are delivered again, through their topics or by invoking
their functions with the same event; workers are killed with SIGKILL, most of them in the middle of user code; regions
are cut off, refusing, silent or with 503; calls are throttled; calls are done whose callers hear no answer; user code
raises, kills its process and sleeps past its time limit. The sweeper runs every second. When all runs have started the
weather clears. Every run must then end, the failed ones be redriven to their end, and nothing have happened twice.
"""

from __future__ import annotations

import contextlib
import heapq
import importlib.util
import json
import os
import random
import signal
import sys
import threading
import time
import uuid
from collections import Counter
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from builders import ROOT
from deployed import HOME, NORTH, SAMPLE, STORM, WEST
from faults import Call, Cut, Weather
from waiting import BACKSTOP_S, eventually

from caribou.model.run.item import RunState

WORKFLOWS = (STORM, SAMPLE)
STRAGGLES_S = 6.0
MOST_STRAGGLERS = 30


@dataclass
class Report:
    """What a storm came to. `lost` and `double_fired` must be empty."""

    seed: int
    started: int = 0
    succeeded: int = 0
    failed_as_expected: int = 0
    failed_by_kills: int = 0
    redriven: int = 0
    ran_twice: int = 0
    executions: int = 0
    seconds: float = 0.0
    lost: list[str] = field(default_factory=list)
    double_fired: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    faults: dict[str, int] = field(default_factory=dict)

    def to_text(self):
        """The report, a line a number."""
        return "\n".join(f"{name:20} {value}" for name, value in asdict(self).items())


@dataclass(frozen=True)
class Planned:
    """A run to be: what it is given, and what must come of it."""

    workflow: str
    run_id: str
    payload: dict
    expected: object
    fails: bool = False


class Campaign:
    """One storm, from its seed."""

    def __init__(self, project, proxy, seed, runs, *, in_flight=16):
        self.project, self.proxy, self.seed = project, proxy, seed
        self.chance = random.Random(seed)
        self.in_flight = in_flight
        self.report = Report(seed)
        self.faults = Counter()
        self.over = threading.Event()
        self.errors = []
        self._again, self._again_lock = [], threading.Lock()
        self._clients, self._calm = {}, False
        self._redeliveries = random.Random(seed + 1)
        self.planned = [self._plan(i) for i in range(runs)]

    def _plan(self, i):
        run_id = f"run-{self.seed}-{i}"
        return self._plan_sample(run_id, i) if i % 5 == 4 else self._plan_storm(run_id)

    def _plan_sample(self, run_id, i):
        switches = {f"execute_{k}": self.chance.random() < 0.7 for k in (1, 2, 4)}
        payload = {"limit": 900 + i, **switches, "execute_3": True}
        return Planned(SAMPLE, run_id, payload, sample_output(payload))

    def _plan_storm(self, run_id):
        draw = self.chance.random
        right, side, late = draw() < 0.7, draw() < 0.6, draw() < 0.6
        orders, fails = {}, draw() < 0.06
        nodes = ["start", "left", "join", "last", *(["right"] if right else []), *(["side"] if side else [])]
        for node in nodes:
            if draw() < 0.15:
                orders[node] = [self.chance.choice(["raise", "kill"]) for _ in range(self.chance.choice([1, 1, 2]))]
        if draw() < 0.01:
            orders["left"] = ["sleep"]
        if fails:
            orders[self.chance.choice(nodes)] = ["poison"]
        pad = self.chance.choice([0, 0, 0, 10, 1000, 140_000, 160_000, 400_000])
        payload = {"right": right, "side": side, "late": late, "orders": orders, "seconds": 0.15, "pad": pad}
        came = {"start": 0, "left": pad, **({"right": 0} if right else {}), **({"late": 0} if side and late else {})}
        return Planned(STORM, run_id, payload, sorted([node, size] for node, size in came.items()), fails)

    def observe(self, call: Call):
        """Of a message that was published, in the proxy's thread: it may come again, soon or late."""
        if call.service == "sns" and b"Action=Publish" in call.body and self._redeliveries.random() < 0.2:
            form = dict(call.form)
            for _ in range(self._redeliveries.choice([1, 1, 2])):
                at = time.monotonic() + self._redeliveries.choice([0.0, 0.1, 1.0, 5.0])
                with self._again_lock:
                    heapq.heappush(self._again, (at, self._redeliveries.random(), call.region, form))

    def run(self):
        """The storm, then the count; the report."""
        begun = time.monotonic()
        self._say(f"storm: seed {self.seed}, {len(self.planned)} runs")
        (self.project.folder / "healed").unlink(missing_ok=True)
        threads = [
            threading.Thread(target=self._guarded, args=(work,), name=work.__name__)
            for work in (self._change_weather, self._kill, self._deliver_again, self._sweep_storm, self._sweep_sample)
        ]
        for thread in threads:
            thread.start()
        try:
            for step in (self._start_all, self._calm_down, self._await_ends, self._redrive):
                self._say(step.__name__.strip("_"))
                step()
        finally:
            self.over.set()
            for thread in threads:
                thread.join()
        assert not self.errors, self.errors
        self._count()
        self.report.seconds = round(time.monotonic() - begun, 1)
        self.report.faults = dict(sorted((self.faults + self.proxy.counts).items()))
        return self.report

    def _say(self, what):
        sys.stdout.write(f"{time.strftime('%H:%M:%S')} {what} {dict(self.faults)}\n")
        sys.stdout.flush()

    def _calm_down(self):
        """No new faults from here on; messages that are on their way a second time still come."""
        self._calm = True
        self.proxy.weather = Weather()

    def _guarded(self, work):
        try:
            work()
        except Exception as error:  # noqa: BLE001 - the main thread raises it
            self.errors.append(f"{work.__name__}: {error!r}")

    def _start_all(self):
        """At most `in_flight` runs are open, beside some stragglers: those that wait for a sweep hold up nothing."""
        begun = {}
        for planned in self.planned:
            while not self._has_room(begun):
                self.over.wait(0.5)
                ended = self._ended()
                begun = {run: at for run, at in begun.items() if run not in ended}
            self.project.start(planned.workflow, planned.payload, planned.run_id)
            self.report.started += 1
            begun[planned.run_id] = time.monotonic()

    def _has_room(self, begun):
        stragglers = sum(time.monotonic() - at > STRAGGLES_S for at in begun.values())
        return len(begun) - min(stragglers, MOST_STRAGGLERS) < self.in_flight

    def _ended(self):
        found = {}
        for workflow in WORKFLOWS:
            found.update(self.project.states(workflow))
        return {run for run, item in found.items() if item["state"]["S"] != RunState.RUNNING}

    def _change_weather(self):
        chance = random.Random(self.seed + 2)
        while not self.over.is_set() and not self._calm:
            kind = chance.choice(["calm", "cut", "cut", "throttled", "unanswered", "both"])
            if kind == "cut":
                region, cut = chance.choice([WEST, NORTH, NORTH, HOME]), chance.choice(list(Cut))
                self.proxy.weather = Weather(cut={region: cut}, throttled=0.02)
                self.faults[f"cut {region} {cut.value}"] += 1
            else:
                throttled = 0.2 if kind in ("throttled", "both") else 0.0
                unanswered = 0.08 if kind in ("unanswered", "both") else 0.0
                self.proxy.weather = Weather(throttled=throttled, unanswered=unanswered)
                self.faults[kind] += 1
            self.over.wait(chance.uniform(1.0, 4.0))
            if self._calm:
                self.proxy.weather = Weather()

    def _kill(self):
        chance = random.Random(self.seed + 3)
        while not self.over.wait(chance.uniform(0.5, 2.0)):
            if self._calm:
                return
            busy = [int(path.name) for path in (self.project.folder / "busy").iterdir()]
            workers = [pid for pid in workers_of(self.project.cloud) if pid not in busy]
            in_user_code = [pid for pid in busy if pid in workers_of(self.project.cloud)]
            victims = in_user_code if in_user_code and chance.random() < 0.8 else workers
            if victims:
                victim = chance.choice(victims)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(victim, signal.SIGKILL)
                    self.faults["killed in user code" if victim in busy else "killed"] += 1
                (self.project.folder / "busy" / str(victim)).unlink(missing_ok=True)

    def _deliver_again(self):
        chance = random.Random(self.seed + 4)
        while not self.over.wait(0.05):
            with self._again_lock:
                due = self._again and self._again[0][0] <= time.monotonic()
                message = heapq.heappop(self._again) if due else None
            if message is None:
                continue
            _at, _tie, region, form = message
            with contextlib.suppress(ClientError):
                if chance.random() < 0.5:
                    self._client("sns", region).publish(TopicArn=form["TopicArn"], Message=form["Message"])
                    self.faults["published again"] += 1
                else:
                    self._invoke_again(region, form)
                    self.faults["invoked again"] += 1

    def _invoke_again(self, region, form):
        notification = {
            "Type": "Notification",
            "MessageId": str(uuid.uuid4()),
            "TopicArn": form["TopicArn"],
            "Message": form["Message"],
        }
        event = {"Records": [{"EventSource": "aws:sns", "EventVersion": "1.0", "Sns": notification}]}
        name = form["TopicArn"].rpartition(":")[2]
        payload = json.dumps(event, ensure_ascii=False).encode()
        self._client("lambda", region).invoke(FunctionName=name, InvocationType="Event", Payload=payload)

    def _sweep_storm(self):
        self._sweep(STORM)

    def _sweep_sample(self):
        self._sweep(SAMPLE)

    def _sweep(self, workflow):
        client = self._client("lambda", HOME)
        function = self.project.sweeper_function(workflow)
        while not self.over.wait(1.0):
            answer = json.loads(client.invoke(FunctionName=function, Payload=b"{}")["Payload"].read())
            failed = "errorType" in answer
            self.faults.update(
                {"sweeps that failed": 1}
                if failed
                else {f"swept: {k}": v for k, v in answer.items() if isinstance(v, int)}
            )

    def _client(self, service, region):
        """A client of this thread's own."""
        cloud = self.project.cloud
        session = boto3.Session(
            aws_access_key_id=cloud.account,
            aws_secret_access_key=cloud.secret,
            region_name=region,
        )
        config = Config(read_timeout=BACKSTOP_S, retries={"max_attempts": 1})
        key = (threading.get_ident(), service, region)
        if key not in self._clients:
            self._clients[key] = session.client(service, endpoint_url=cloud.endpoint, config=config)
        return self._clients[key]

    def _await_ends(self):
        names = {planned.run_id for planned in self.planned}
        with contextlib.suppress(AssertionError):  # they are counted as lost
            eventually(lambda: not names - self._ended(), "the end of all runs")

    def _redrive(self):
        """Heal user code, then redrive what failed until it has succeeded."""
        failed = {}
        states = {workflow: self.project.states(workflow) for workflow in WORKFLOWS}
        for planned in self.planned:
            item = states[planned.workflow].get(planned.run_id)
            state = item["state"]["S"] if item else None
            if state == RunState.SUCCEEDED:
                self.report.succeeded += 1
                if planned.fails:
                    self.report.wrong.append(f"{planned.run_id} succeeded with a node that always raises")
            elif state == RunState.FAILED:
                failed[planned.run_id] = planned
                self._judge(planned, item)
            else:
                self.report.lost.append(f"{planned.run_id}: {state}")
        (self.project.folder / "healed").touch()
        self.report.redriven = len(failed)
        give_up = time.monotonic() + BACKSTOP_S
        while failed and time.monotonic() < give_up:
            for run_id, planned in list(failed.items()):
                state = self.project.state(planned.workflow, run_id)
                if state is RunState.SUCCEEDED:
                    del failed[run_id]
                elif state is not RunState.RUNNING:
                    self.project.redrive(planned.workflow, run_id)
            time.sleep(0.5)
        self.report.lost += [f"{run_id}: redriven in vain" for run_id in failed]

    def _judge(self, planned, item):
        """A failure is as expected if it was ordered, or if the failing node's process was killed three times."""
        error = item.get("error", {}).get("S", "")
        killed = any(word in error for word in ("Runtime.ExitError", "StormError", "Sandbox.Timedout"))
        if planned.fails:
            self.report.failed_as_expected += 1
        elif killed:
            self.report.failed_by_kills += 1
        else:
            self.report.wrong.append(f"{planned.run_id} failed: {error}")
        if not item.get("failed_node"):
            self.report.wrong.append(f"{planned.run_id} failed without a node")

    def _count(self):
        for workflow in WORKFLOWS:
            records = [record for record in self.project.records(workflow) if not record["redirect"]]
            self.report.executions += len(records)
            done = Counter((r["run_id"], r["node"], r["attempt"]) for r in records if not r["error"])
            ran = Counter((run, node) for run, node, _ in done)
            sync = {node.name for node in self.project.workflow(workflow).graph.nodes if node.sync}
            self.report.ran_twice += sum(n > 1 for n in ran.values())
            same = {key: n for key, n in done.items() if n > 1}
            self.report.double_fired += [f"{key}: {n} records" for key, n in same.items() if key[1] in sync]
            ours = {planned.run_id for planned in self.planned}  # a cancelled run of another test is marked everywhere
            claims = [(run, node) for run, node, _region in self.project.claims(workflow) if run in ours]
            claimed = Counter((run, node) for run, node in claims if node in sync)
            self.report.double_fired += [f"{key}: claimed in {n} regions" for key, n in claimed.items() if n > 1]
        tries = Counter()
        for (run, node, _region), n in self.project.claims(STORM).items():
            tries[run, node.partition(":")[0]] += n
        for planned in self.planned:
            if planned.workflow == STORM:
                self._check_notes(planned, tries)
        self._check_summaries()

    def _check_notes(self, planned, tries):
        notes = self.project.notes(planned.run_id)
        outputs = [sorted(note["output"]) for note in notes if note["node"] == "last"]
        if any(output != planned.expected for output in outputs) or not outputs:
            self.report.wrong.append(f"{planned.run_id}: {outputs}, not {planned.expected}")
        executed = Counter(note["node"] for note in notes)
        for node, n in executed.items():
            if n > tries[planned.run_id, node]:
                self.report.double_fired.append(
                    f"{planned.run_id} {node}: {n} executions, {tries[planned.run_id, node]} claimed"
                )

    def _check_summaries(self):
        expected = {p.expected["limit"]: p.expected for p in self.planned if p.workflow == SAMPLE}
        seen = {}
        for line in self.project.lines(SAMPLE):
            if "parts" in line and line["limit"] in expected:
                seen.setdefault(line["limit"], []).append(line)
        for limit, output in expected.items():
            if not seen.get(limit) or any(line != output for line in seen[limit]):
                self.report.wrong.append(f"limit {limit}: {seen.get(limit)}, not {output}")


def sample_output(payload):
    """What small_sync_example comes to, by its own plain functions."""
    app = _sample_functions()
    first, second, third = app.parts_of(payload["limit"])
    parts = [first] * payload["execute_1"] + [second] * payload["execute_2"] + [third] * payload["execute_4"]
    return app.summary_of([{"limit": payload["limit"]}, *([app.joined_counts(parts)] if parts else [])])


@cache
def _sample_functions():
    spec = importlib.util.spec_from_file_location("chaos_sample", ROOT / "workflows" / SAMPLE / "app.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def workers_of(cloud):
    """Processes of functions of workflows that the cloud's server has started."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            group = int(stat.read_text().rpartition(")")[2].split()[2])
            if group == cloud.pid and b"ministack-lambda-caribou-" in (stat.parent / "cmdline").read_bytes():
                found.append(int(stat.parent.name))
    return found
