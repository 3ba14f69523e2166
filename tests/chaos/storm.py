"""A storm over two workflows on the local cloud: everything that may go wrong goes wrong, and then it is counted.

    uv run python tests/chaos/storm.py --runs 500 --seed 7

Runs start at a steady pace. Meanwhile, by the seed: messages are delivered again, through their topics or by invoking
their functions with the same event; workers are killed with SIGKILL, most of them in the middle of user code; regions
are cut off, refusing, silent or with 503; calls are throttled; calls are done whose callers hear no answer; user code
raises, kills its process and sleeps past its time limit. The sweeper runs every second. When all runs have started the
weather clears. Every run must then end, the failed ones be redriven to their end, and nothing have happened twice.
"""

from __future__ import annotations

import argparse
import contextlib
import heapq
import importlib.util
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
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

from caribou.local import LocalCloud
from caribou.local.faults import Call, Cut, FaultProxy, Weather
from caribou.model.envelope import Start
from caribou.model.errors import UnreachableError
from caribou.model.names import WorkflowNames
from caribou.model.project.workflow import read_workflow
from caribou.model.run import RunState
from caribou.runtime.aws import aws_ports
from caribou.runtime.settings import Settings
from caribou.runtime.sweeping import Sweeper

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
HOME, WEST, NORTH = REGIONS = ("us-east-1", "us-west-2", "ca-central-1")
STORM, SAMPLE = "storm", "small_sync_example"
PLACED = {
    STORM: {"left": NORTH, "right": WEST, "late": NORTH, "join": NORTH, "last": WEST},
    SAMPLE: {"second_function": WEST, "sync_function": NORTH, "second_sync_function": WEST},
}
"""The workflows of a storm, and where their functions are placed; all others are at home."""
CALMLY_PLACED = {"sizes": {"keep": NORTH}, "crowd": {"gather": NORTH}}
POLL_S = 0.1
STRAGGLES_S = 6.0
MOST_STRAGGLERS = 30


def eventually(check, limit_s, what):
    """What the check returned when it was true at last."""
    give_up = time.monotonic() + limit_s
    while not (answer := check()):
        if time.monotonic() > give_up:
            raise TimeoutError(f"{what}: not within {limit_s:.0f} s")
        time.sleep(POLL_S)
    return answer


@dataclass(eq=False)
class Project:
    """Two workflows deployed over three regions of a local cloud; `folder` is where storm notes its executions."""

    cloud: LocalCloud
    folder: Path
    root: Path

    @classmethod
    def deployed(cls, cloud, root, *workflows):
        """A project in an empty folder, with its workflows deployed where PLACED says."""
        project = cls(cloud, root / "notes", root)
        (project.folder / "busy").mkdir(parents=True)
        for name in ("app.py", "cdk.json"):
            shutil.copy(REPOSITORY / name, root)
        for workflow in workflows:
            project._copy(workflow)
            project._place(workflow)
        project.cdk("deploy", *(f"Workflow-{workflow}" for workflow in workflows), "--concurrency", "4")
        return project

    def _copy(self, workflow):
        source = HERE / "workflows" / workflow
        source = source if source.exists() else REPOSITORY / "workflows" / workflow
        folder = self.root / "workflows" / workflow
        shutil.copytree(source, folder, ignore=shutil.ignore_patterns("__pycache__"))
        manifest = folder / ".caribou" / "config.yml"
        manifest.write_text(manifest.read_text().replace("@folder@", str(self.folder)))

    def _place(self, workflow):
        definition, places = self.workflow(workflow), {**PLACED, **CALMLY_PLACED}[workflow]
        regions = {n.name: places.get(n.function, HOME) for n in definition.graph.nodes}
        placement = {
            "schema": "caribou.placement/1",
            "workflow": workflow,
            "workflow_version": definition.graph.version,
            "home_region": HOME,
            "expires_at": "2999-01-01T00:00:00Z",
            "plans": [{"hours": list(range(24)), "regions": regions}],
        }
        (definition.folder / ".caribou" / "placement.json").write_text(json.dumps(placement))

    def cdk(self, *arguments):
        """Run `cdk`, to its good end."""
        command = [str(Path(sys.prefix) / "bin" / "cdk"), *arguments, "--require-approval", "never"]
        environment = {**self.cloud.env(), "PYTHONUNBUFFERED": "1"}
        done = subprocess.run(
            command, cwd=self.root, env=environment, capture_output=True, text=True, timeout=280, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"

    @cache  # noqa: B019 - projects are few and live as long as the test
    def workflow(self, name):
        """The workflow as it is deployed."""
        return read_workflow(self.root / "workflows" / name)

    def settings(self, name):
        """A workflow's settings, as seen at home."""
        manifest, graph = self.workflow(name).manifest, self.workflow(name).graph
        return Settings(
            graph=graph,
            function=graph.entry.function,
            home_region=HOME,
            region=HOME,
            stage="dev",
            runs=manifest.runs,
        )

    @cache  # noqa: B019 - as above
    def sweeper(self, name):
        """The sweeper, in this process, past the proxy: for a person's redrive."""
        return Sweeper(self.settings(name), aws_ports(self.settings(name), partition="aws", account=self.cloud.account))

    @cache  # noqa: B019 - as above
    def sweeper_function(self, name):
        """The deployed sweeper's name."""
        prefix = f"Workflow-{name.replace('_', '-')}-Sweeper"
        pages = self.cloud.client("lambda").get_paginator("list_functions").paginate()
        return next(
            f["FunctionName"] for page in pages for f in page["Functions"] if f["FunctionName"].startswith(prefix)
        )

    def sweep(self, name):
        """Invoke the deployed sweeper; what it counted, or the error that it ended with."""
        answer = self.cloud.client("lambda").invoke(FunctionName=self.sweeper_function(name), Payload=b"{}")
        return json.loads(answer["Payload"].read())

    def topic(self, name, function, region=HOME):
        """The ARN of a function's topic."""
        return f"arn:aws:sns:{region}:{self.cloud.account}:{WorkflowNames(name).topic(function)}"

    def start(self, name, payload, run_id):
        """Start a run under a name."""
        message = Start(run_id, json.dumps(payload, ensure_ascii=False)).to_text()
        topic = self.topic(name, self.workflow(name).graph.entry.function)
        self.cloud.client("sns").publish(TopicArn=topic, Message=message)

    def states(self, name):
        """All run items, by run."""
        pages = self.cloud.client("dynamodb").get_paginator("scan").paginate(TableName=WorkflowNames(name).run_table)
        return {item["run_id"]["S"]: item for page in pages for item in page["Items"]}

    def state(self, name, run_id):
        """A run's state; None if it has not begun."""
        item = self.sweeper(name).ports.runs.get(run_id)
        return None if item is None else item.state

    def ended(self, name, run_id, limit_s=60):
        """The state in which a run has ended, while the sweeper is called."""

        def look():
            self.sweep(name)
            state = self.state(name, run_id)
            return state if state not in (None, RunState.RUNNING) else None

        return eventually(look, limit_s, f"the end of run {run_id}")

    def claims(self, name):
        """Claims of every region: (run, node, region) to the tries that were made under it."""
        found = {}
        for region in REGIONS:
            pages = self.cloud.client("dynamodb", region).get_paginator("scan")
            for page in pages.paginate(TableName=WorkflowNames(name).sync_table):
                for item in page["Items"]:
                    if item["part"]["S"] == "claim":
                        run, _, node = item["id"]["S"].partition("#")
                        tries = [int(value["N"]) for key, value in item.items() if key.startswith("tries_")]
                        found[run, node, region] = sum(tries)
        return found

    def lines(self, name):
        """Every line of JSON that the workflow's functions wrote to their logs."""
        for region in REGIONS:
            logs = self.cloud.client("logs", region)
            prefix = f"/aws/lambda/{WorkflowNames(name).function('')}"
            for group in logs.describe_log_groups(logGroupNamePrefix=prefix)["logGroups"]:
                pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"])
                for event in (event for page in pages for event in page["events"]):
                    for line in event["message"].splitlines():
                        with contextlib.suppress(ValueError):
                            value = json.loads(line)
                            if isinstance(value, dict):
                                yield value

    def records(self, name):
        """The run records of a workflow."""
        return [line["caribou_record"] for line in self.lines(name) if "caribou_record" in line]

    def notes(self, run_id):
        """What storm's functions noted of a run, in order."""
        path = self.folder / f"{run_id}.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


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
        except Exception as error:  # noqa: BLE001 - told by the main thread
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
        for workflow in PLACED:
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
                {"sweeps that failed": 1} if failed else {f"swept: {k}": v for k, v in answer.items() if v}
            )

    def _client(self, service, region):
        """A client of this thread's own."""
        session = boto3.Session(
            aws_access_key_id=self.project.cloud.account, aws_secret_access_key="test", region_name=region
        )
        config = Config(read_timeout=70, retries={"max_attempts": 1})
        key = (threading.get_ident(), service, region)
        if key not in self._clients:
            self._clients[key] = session.client(service, endpoint_url=self.project.cloud.endpoint, config=config)
        return self._clients[key]

    def _await_ends(self):
        names = {planned.run_id for planned in self.planned}
        with contextlib.suppress(TimeoutError):
            eventually(lambda: not names - self._ended(), 180 + len(names), "the end of all runs")

    def _redrive(self, limit_s=240):
        """Heal user code, then redrive what failed until it has succeeded."""
        failed = {}
        states = {workflow: self.project.states(workflow) for workflow in PLACED}
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
        give_up = time.monotonic() + limit_s
        while failed and time.monotonic() < give_up:
            for run_id, planned in list(failed.items()):
                state = self.project.state(planned.workflow, run_id)
                if state is RunState.SUCCEEDED:
                    del failed[run_id]
                elif state is not RunState.RUNNING:
                    with contextlib.suppress(UnreachableError):
                        self.project.sweeper(planned.workflow).redrive(run_id)
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
        for workflow in PLACED:
            records = [record for record in self.project.records(workflow) if not record["redirect"]]
            self.report.executions += len(records)
            done = Counter((r["run_id"], r["node"], r["attempt"]) for r in records if not r["error"])
            ran = Counter((run, node) for run, node, _ in done)
            sync = {node.name for node in self.project.workflow(workflow).graph.nodes if node.sync}
            self.report.ran_twice += sum(n > 1 for n in ran.values())
            same = {key: n for key, n in done.items() if n > 1}
            self.report.double_fired += [f"{key}: {n} records" for key, n in same.items() if key[1] in sync]
            claimed = Counter((run, node) for run, node, _region in self.project.claims(workflow) if node in sync)
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
    spec = importlib.util.spec_from_file_location("chaos_sample", REPOSITORY / "workflows" / SAMPLE / "app.py")
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


@contextlib.contextmanager
def project_in_a_storm(root, *workflows):
    """A project behind a proxy: (project, proxy). The environment of this process leads to the cloud meanwhile."""
    with contextlib.ExitStack() as stack:
        proxy = stack.enter_context(FaultProxy.start())
        cloud = stack.enter_context(LocalCloud.start(root / "cloud", regions=REGIONS, settings=proxy.settings()))
        proxy.lead_to(cloud.endpoint)
        (root / "project").mkdir()
        yield Project.deployed(cloud, root / "project", *workflows), proxy


def main():
    """Run a storm, and print its report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    arguments = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="caribou-storm-"))
        project, proxy = stack.enter_context(project_in_a_storm(Path(folder), STORM, SAMPLE))
        os.environ.update(project.cloud.variables())
        campaign = Campaign(project, proxy, arguments.seed, arguments.runs)
        proxy.observe(campaign.observe)
        report = campaign.run()
        sys.stdout.write(report.to_text() + "\n")
        if report.lost or report.double_fired or report.wrong:
            keep = Path(tempfile.mkdtemp(prefix="caribou-storm-kept-"))
            shutil.copytree(project.folder, keep / "notes")
            shutil.copy(project.cloud.log, keep)
            sys.exit(f"kept in {keep}")


if __name__ == "__main__":
    main()
