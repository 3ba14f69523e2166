"""What the model says that a run is billed for is what is counted of the runtime's calls, for every workflow."""

import dataclasses
import json
import uuid
from collections import Counter
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import boto3
import numpy as np
import pytest
from botocore import handlers
from botocore.client import BaseClient
from builders import ROOT, graph_of, placement_of
from run_records import manifest_of
from scripts import script

from caribou.cli.samples import Samples
from caribou.collectors.records import record_item
from caribou.collectors.sources.snapshot import packaged_facts
from caribou.control.plan.problem import build_problem
from caribou.model.bill import LAMBDAS_LINES_BYTES, LOG_USD_PER_GB, Priced
from caribou.model.manifest import RegionRules
from caribou.model.metric import Metric
from caribou.model.project.workflow import read_workflow
from caribou.model.run import payload as payloads
from caribou.model.run.envelope import Start
from caribou.model.run.record import RunRecord
from caribou.model.schema.problem_file import parse_problem
from caribou.runtime import CaribouWorkflow, starts
from caribou.runtime.aws import aws_ports
from caribou.runtime.external import OUR_CLIENTS, Exchange, ExternalCalls
from caribou.runtime.record_log import record_line
from caribou.runtime.testing import LocalRunner, load_functions
from caribou.runtime.testing.memory import InMemoryCloud
from caribou.solver.simulation.checks import place_positions
from caribou.solver.simulation.evaluator import Evaluator

HOME, AWAY, FAR = "us-east-1", "us-west-2", "ca-central-1"
SAMPLES = {
    "dna_visualization": "input_light.json",
    "fem_simulation": "input_patch.json",
    "image_processing": "input_light.json",
    "map_reduce": "input_light.json",
    "markdown_to_html": "input.json",
    "rag_data_ingestion": "input_light.json",
    "small_sync_example": "input.json",
    "text_2_speech_censoring": "input_clean.json",
    "video_analytics": "input_light.json",
}
PRICED = {"PutObject": Priced.PUT, "CopyObject": Priced.PUT, "GetObject": Priced.GET, "HeadObject": Priced.GET}
PRICES = (Priced.WRITE, Priced.READ, Priced.MESSAGE, Priced.PUT, Priced.GET)
NOW = datetime(2026, 7, 1, tzinfo=UTC)
cost = script("runtime_cost")


class MeteredCloud(InMemoryCloud):
    """Tables and buckets of the local cloud, each call to which is counted; a bus in memory, counted as SNS does."""

    def __init__(self, settings, account):
        super().__init__()
        self.meter = cost.Meter()
        ports = aws_ports(settings, partition="aws", account=account, clients=self.meter.clients())
        self._ports = dataclasses.replace(ports, bus=self)
        self.sent = []

    def publish(self, region, function, message):
        """Count the message, and hand it on."""
        self.sent.append((region, len(message.encode())))
        self.bus.publish(region, function, message)

    def ports(self, region):
        """The same for all regions."""
        del region
        return self._ports

    def units(self):
        """Region and what is priced to units."""
        counted = Counter(self.meter.tally.billed)
        for region, size in self.sent:
            counted[region, Priced.MESSAGE] += -(-size // (64 * 1024))
        return counted


class MeteredRunner(LocalRunner):
    """A runner that sees what user code exchanges, as Lambda's handler does."""

    external = None

    def runner(self, function, region):
        """The product's, with the meter of external data."""
        is_new, made = (function, region) not in self._runners, super().runner(function, region)
        if is_new and self.external is not None:
            made = self._runners[function, region] = dataclasses.replace(made, exchanges=since(self.external))
        return made


def since(external):
    """What was exchanged from now on, as if this process had begun."""
    before = external.totals()
    return lambda: {to: now.minus(before.get(to, Exchange())) for to, now in external.totals().items()}


@pytest.fixture
def objects(monkeypatch):
    """Counts user code's calls for objects, by price, and sees what they exchange."""
    monkeypatch.setattr(handlers, "BUILTIN_HANDLERS", list(handlers.BUILTIN_HANDLERS))
    counted, real = Counter(), BaseClient._make_api_call

    def noted(client, operation, parameters):
        if OUR_CLIENTS not in (client.meta.config.user_agent_extra or "") and operation in PRICED:
            counted[PRICED[operation]] += 1
        return real(client, operation, parameters)

    monkeypatch.setattr(BaseClient, "_make_api_call", noted)
    return SimpleNamespace(counted=counted, calls=ExternalCalls.of_all_sessions())


@pytest.fixture
def metered(local_cloud, led_to, monkeypatch, objects):
    """`metered(name, moved)`: play a sample; its records, what was counted, workflow and problem of the records."""
    cloud = led_to(local_cloud.as_account("555500006666"))

    def play(name, moved):
        workflow = in_these_regions(read_workflow(ROOT / "workflows" / name))
        for settings in workflow.manifest.functions.values():
            for variable, value in settings.environment_variables.items():
                monkeypatch.setenv(variable, value)
        samples = Samples(workflow, cloud.account)
        samples.upload(cloud.client("s3", HOME))
        functions = load_functions(workflow.folder, workflow.graph)
        runner = runner_of(workflow.graph, functions, moved, cloud.account)
        runner.external = objects.calls
        objects.counted.clear()
        return played(runner, samples.payload(SAMPLES[name]), workflow.manifest)

    return play


def in_these_regions(workflow):
    """The workflow with its home and the regions that it may run in as if its manifest had them so."""
    regions = RegionRules(allowed=(HOME, AWAY, FAR))
    settings = workflow.manifest.functions.items()
    functions = {name: dataclasses.replace(each, regions=regions) for name, each in settings}
    manifest = dataclasses.replace(workflow.manifest, home_region=HOME, functions=functions)
    return dataclasses.replace(workflow, manifest=manifest)


@pytest.fixture
def metered_code(local_cloud, led_to):
    """`metered_code(code, moved)`: the same of code that is written for a test."""
    cloud = led_to(local_cloud.as_account("555500006667"))

    def play(code, moved):
        manifest = manifest_of(code.graph, (HOME, AWAY, FAR))
        return played(runner_of(code.graph, code.functions(), moved, cloud.account), code.input, manifest)

    return play


def runner_of(graph, functions, moved, account):
    """A runner whose tables and buckets are the local cloud's."""
    runner = MeteredRunner(graph, functions, placement=placement_of(graph, moved))
    settings = runner._settings(graph.entry.function, HOME)
    make_resources(settings.names, account)
    runner.cloud = MeteredCloud(settings, account)
    return runner


def played(runner, payload, manifest):
    """A run, played to its end: its records, and what was counted."""
    start = sendable(Start(f"run-{uuid.uuid4().hex}", payloads.encode(payload), message_id="x" * 36), runner)
    runner.cloud.publish(HOME, runner.graph.entry.function, start.to_text())
    runner.deliver_all()
    assert {record.error for record in runner.records} == {None}
    return SimpleNamespace(
        graph=runner.graph,
        manifest=manifest,
        records=as_collected(runner.records, manifest),
        counted=runner.cloud.units(),
    )


def sendable(start, runner):
    """As a client sends it: a large payload rests in home's bucket."""
    return starts.sendable(start, runner._settings(runner.graph.entry.function, HOME), runner.cloud.ports(HOME))


def make_resources(names, account):
    """The tables and buckets of a workflow in three regions."""
    known = set(boto3.client("dynamodb", region_name=HOME).list_tables()["TableNames"])
    if names.run_table in known:
        return
    cost.make_run_table(names)
    for region in (HOME, AWAY, FAR):
        cost.make_sync_table(names, region)
        place = {} if region == HOME else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        boto3.client("s3", region_name=region).create_bucket(Bucket=names.payload_bucket(account, region), **place)


def as_collected(records, manifest):
    """The records as they come out of a log, of functions with the manifest's memory."""
    read = [RunRecord.from_json(json.loads(json.dumps(record.to_json()))) for record in records]
    return [dataclasses.replace(r, memory_mb=manifest.functions[r.function].memory_mb) for r in read]


def problem_of(played):
    """The problem that a run's records make."""
    return parse_problem(
        build_problem(
            graph=played.graph,
            manifest=played.manifest,
            facts=packaged_facts(NOW),
            records=played.records,
            control_region=HOME,
            now=NOW,
        )
    )


def modelled(problem, moved):
    """Region and what is priced to units of the problem's first run, for what the runtime's calls are billed for."""
    part = Evaluator(problem, 0, 20).part
    billed, regions = part.carbon_and_cost.billed, {node: moved.get(node, HOME) for node in problem.nodes}
    units = Counter()

    def add(region, amounts):
        for priced, amount in amounts.items():
            if priced is not Priced.LOG:
                units[region, priced] += int(np.broadcast_to(amount, 1)[0])

    for place, node in enumerate(problem.node_order):
        add(regions[node], billed.at_node(place))
    add(HOME, billed.at_home())
    places = place_positions(problem, regions)
    home = list(problem.regions).index(HOME)
    units[HOME, Priced.WRITE] += int(billed.run_items.more(places[np.newaxis], home)[0, 0])
    if regions[problem.entry.node] != HOME:
        there, _ = billed.forwarded()
        add(regions[problem.entry.node], there)
    return +units


def split(graph):
    """Nodes to three regions in turn, the entry away too."""
    return {node.name: (AWAY, FAR, HOME)[i % 3] for i, node in enumerate(graph.nodes)}


@pytest.mark.parametrize("name", SAMPLES)
def test_bill_when_a_workflow_runs_then_units_modelled_are_units_counted(metered, name):
    """At home, and split over three regions as the run at home foretells it: exactly, region by region."""
    at_home = metered(name, {})
    problem = problem_of(at_home)
    assert modelled(problem, {}) == at_home.counted
    moved = split(at_home.graph)
    moved = {node: region for node, region in moved.items() if region in problem.nodes[node].allowed_regions}
    assert modelled(problem, moved) == metered(name, moved).counted


@pytest.mark.parametrize("name", SAMPLES)
def test_cost_when_a_workflow_has_run_then_is_that_of_a_priced_log_of_its_calls(metered, objects, name):
    """Within 2 per cent, at home: tables, messages, functions, logs and their collection, objects of user code."""
    ran = metered(name, {})
    problem = problem_of(ran)
    prices = packaged_facts(NOW).provider[HOME].body.price_usd
    units = {priced: count for (_, priced), count in (ran.counted + in_home(objects.counted)).items()}
    lines = sum(len(record_line(record)) + LAMBDAS_LINES_BYTES for record in ran.records)
    kept = sum(-(-item_size(record) // 1024) for record in ran.records)
    gb_s = sum((r.duration_s + (r.init_s or 0)) * r.memory_mb / 1024 for r in ran.records)
    bill = {
        "tables and messages": sum(units.get(p, 0) * getattr(prices, p) for p in PRICES),
        "requests": len(ran.records) * prices.invocation["x86_64"],
        "compute": gb_s * prices.compute_per_gb_s["x86_64"],
        "logs": lines / 1024**3 * LOG_USD_PER_GB,
        "collection": kept * prices.table_write_unit,
    }

    evaluator = Evaluator(problem, 0, 20)
    modelled_usd = evaluator.details(evaluator.home, [0])[Metric.COST][0]

    assert modelled_usd == pytest.approx(sum(bill.values()), rel=0.02)


def in_home(counted):
    """What was counted, as home's."""
    return Counter({(HOME, priced): count for priced, count in counted.items()})


def item_size(record):
    """What the control plane's table counts of a record."""
    return sum(len(name) + len(str(value).encode()) for name, value in record_item(record, 30).items())


@dataclasses.dataclass
class Code:
    """User code that calls what its graph says, with what each edge sends, and what each leaf returns."""

    graph: Any
    sent: dict = dataclasses.field(default_factory=dict)
    skipped: tuple = ()
    returned: Any = None
    input: Any = "x"

    def functions(self):
        """The functions by their names."""
        workflow, made = CaribouWorkflow(self.graph.workflow, "0.0.1"), {}

        def function_of(node):
            def function(_):
                if node.sync:
                    workflow.get_predecessor_data()
                for edge in self.graph.out_edges(node.name):
                    sent = self.sent.get(edge.id, "x")
                    workflow.invoke_serverless_function(made[edge.target], sent, edge.id not in self.skipped)
                return self.returned

            return workflow.serverless_function(name=node.function)(function)

        for node in self.graph.nodes:
            made[node.name] = function_of(node)
        return made


CODES = {
    "quotation marks that double a message": Code(
        graph_of({"a": "b", "b": "c"}, name="bill1"), {"a#0": ['"'] * 15_000, "b#0": "x" * 60_000}
    ),
    "a message of 10 MB": Code(graph_of({"a": "b"}, name="bill2"), {"a#0": "x" * 10_000_000}),
    "a start of 300 KB": Code(graph_of({"a": "b"}, name="bill3"), input="x" * 300_000),
    "five payloads of 100 KB": Code(
        graph_of({"a": "b c d e f", **dict.fromkeys("bcdef", "g")}, sync="g", name="bill4"),
        {f"{node}#0": "x" * 100_000 for node in "bcdef"},
    ),
    "a payload that no item holds": Code(
        graph_of({"a": "b c", "b": "d", "c": "d"}, sync="d", name="bill5"), {"b#0": "x" * 350_000}
    ),
    "results of nearly a KB": Code(graph_of({"a": "b c d"}, name="bill6"), returned="x" * 990, input="y" * 300),
    "skips of leaves and into a sync node": Code(
        graph_of({"a": "b c d", "b": "e", "c": "e", "d": "f g"}, sync="e", conditional="a#0 a#2", name="bill7"),
        skipped=("a#0", "a#2"),
    ),
    "a sync node that is skipped itself": Code(
        graph_of({"a": "b c h", "b": "d", "c": "d", "d": "e"}, sync="d", conditional="a#0 a#1", name="bill8"),
        skipped=("a#0", "a#1"),
    ),
    "many nodes, whose regions fill the run's item": Code(
        graph_of({"a": " ".join(f"node_of_a_long_name_{i}" for i in range(14))}, name="bill9"), input="y" * 100
    ),
}


@pytest.mark.parametrize("name", CODES)
def test_bill_when_sizes_cross_a_unit_then_units_modelled_are_units_counted(metered_code, name):
    """Large payloads, results, skips, long names: from the run at home, for it and for one over three regions."""
    at_home = metered_code(CODES[name], {})
    problem = problem_of(at_home)
    assert modelled(problem, {}) == at_home.counted
    moved = {node: region for node, region in split(at_home.graph).items() if problem.nodes[node].runs}
    assert modelled(problem, moved) == metered_code(CODES[name], moved).counted
