"""What the runtime costs: AWS calls, DynamoDB units and bytes of a run; CPU time of a node; imports of a cold start.

    uv run python benchmarks/runtime_cost.py            # about a minute; tables in Markdown, as in docs/cost.md
    uv run python benchmarks/runtime_cost.py --json

Runs are played on the local cloud by the product's own `NodeRunner` with its AWS ports, in this process: every call
that botocore sends is counted, and the item that it wrote is read back by a client that is not, so that units follow
from the sizes of items (DynamoDB, "Capacity unit consumption for read and write operations"). Messages really go to
SNS; what SNS would deliver is handed to the next node here.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

import boto3
from botocore.config import Config

from caribou.local import LocalCloud
from caribou.model.bill import Priced
from caribou.model.graph import Edge, Function, Graph, Node
from caribou.model.names import WorkflowNames
from caribou.model.placement import Placement
from caribou.model.run.envelope import Start
from caribou.model.run.record import RunRecord
from caribou.model.run_settings import RunSettings
from caribou.model.template_contract import OPEN_INDEX
from caribou.runtime import CaribouWorkflow
from caribou.runtime import aws as runtime_aws
from caribou.runtime.clients import Clients
from caribou.runtime.event import Delivery
from caribou.runtime.external import OUR_CLIENTS
from caribou.runtime.node import NodeRunner
from caribou.runtime.ports import Ports
from caribou.runtime.settings import Settings
from caribou.runtime.testing.memory import InMemoryCloud

HOME, ACCOUNT = "us-east-1", "111122223333"
PAYLOAD = {"text": "x" * 1000}
"""About 1 KB, as in the reference system's examples."""
READ_UNIT_BYTES, WRITE_UNIT_BYTES, MESSAGE_UNIT_BYTES = 4096, 1024, 64 * 1024
OBJECT_CALLS = {"PutObject": Priced.PUT, "GetObject": Priced.GET}
KEYS = ("run_id", "id", "part")
IMPORTS = {
    "bare": "import boto3; from aws_lambda_powertools import Logger; "
    "from aws_lambda_powertools.utilities.typing import LambdaContext",
    "caribou": "import caribou.runtime.handler",
}


@dataclass(frozen=True)
class Shape:
    """A workflow to measure: its graph, the edges whose condition is false, and what the reference system needs.

    `reference` counts calls of a run that an event starts at home, with everything at home (`baseline.md`).
    """

    name: str
    graph: Graph
    skipped: frozenset[str] = frozenset()
    reference: Mapping[str, int] = field(default_factory=dict)


def graph_of(name: str, calls: Mapping[str, str], sync: str = "") -> Graph:
    """A graph out of `{"a": "b c", …}`, entry first; each node has a function of its own."""
    names = list(dict.fromkeys([*calls, *(target for targets in calls.values() for target in targets.split())]))
    return Graph(
        workflow=name,
        version="0.0.1",
        functions=tuple(Function(n, "app", n, entry_point=n == names[0], sync=n in sync.split()) for n in names),
        nodes=tuple(Node(n, n, sync=n in sync.split()) for n in names),
        edges=tuple(Edge(s, i, t) for s, targets in calls.items() for i, t in enumerate(targets.split())),
    )


DIAMOND = {"first": "left right", "left": "join", "right": "join"}
SHAPES = (
    Shape("one function", graph_of("bench1", {"first": ""}), reference={"GetItem": 1}),
    Shape(
        "chain of 3", graph_of("bench2", {"first": "second", "second": "third"}), reference={"GetItem": 1, "Publish": 2}
    ),
    Shape(
        "1 → 2 → sync",
        graph_of("bench3", DIAMOND, "join"),
        reference={"GetItem": 2, "UpdateItem": 6, "Publish": 3},
    ),
    Shape(
        "1 → 2 → sync, one branch skipped",
        graph_of("bench4", DIAMOND, "join"),
        frozenset({"first#1"}),
        reference={"GetItem": 2, "UpdateItem": 5, "Publish": 2},
    ),
)


@dataclass
class Tally:
    """What some runs sent: API calls by operation and by purpose, DynamoDB's units, and bytes of requests."""

    operations: Counter[str] = field(default_factory=Counter)
    purposes: Counter[str] = field(default_factory=Counter)
    write_units: int = 0
    read_units: int = 0
    sent_bytes: int = 0
    messages: list[tuple[str, str]] = field(default_factory=list)
    billed: Counter[tuple[str, Priced]] = field(default_factory=Counter)
    """Units by region and by what is priced."""

    def bill(self, region: str, priced: Priced, units: int = 1) -> None:
        """Count units."""
        self.billed[region, priced] += units
        self.write_units += units if priced is Priced.WRITE else 0
        self.read_units += units if priced is Priced.READ else 0


class Meter:
    """Listens to the clients that the runtime makes; `tally` begins anew with each shape."""

    def __init__(self) -> None:
        self.tally = Tally()
        self._lock = Lock()
        self._plain: dict[str, Any] = {}
        self._known: dict[str, Mapping[str, Any]] = {}

    def clients(self) -> Clients:
        """Clients that are listened to."""
        clients = Clients(config=Config(user_agent_extra=OUR_CLIENTS), home_region=HOME)
        events = clients._session.events  # noqa: SLF001 - only botocore's events see every call
        events.register("before-call", self._before)
        events.register("after-call", self._after)
        return clients

    def _before(
        self,
        model: Any,  # noqa: ANN401
        params: Mapping[str, Any],
        context: dict[str, Any],
        request_signer: Any,  # noqa: ANN401
        **_: object,
    ) -> None:
        body, region = params["body"], request_signer.region_name
        if model.name in OBJECT_CALLS:
            with self._lock:
                self.tally.operations[model.name] += 1
                self.tally.bill(region, OBJECT_CALLS[model.name])
            return
        request = body if isinstance(body, dict) else json.loads(body)
        context["caribou"] = (request, region)
        with self._lock:
            self.tally.operations[model.name] += 1
            self.tally.purposes[purpose_of(model.name, request)] += 1
            self.tally.sent_bytes += len(json.dumps(request))
            if model.name == "Publish":
                self.tally.messages.append((request["TopicArn"].rpartition("-")[2], request["Message"]))
                size = len(request["Message"].encode())
                self.tally.bill(region, Priced.MESSAGE, math.ceil(size / MESSAGE_UNIT_BYTES))

    def _after(self, model: Any, context: Mapping[str, Any], parsed: Mapping[str, Any], **_: object) -> None:  # noqa: ANN401
        if "caribou" not in context:
            return
        request, region = context["caribou"]
        with self._lock:
            if model.name == "Query":
                units = math.ceil(sum(map(item_bytes, parsed["Items"])) / READ_UNIT_BYTES)
                self.tally.bill(region, Priced.READ, units)
            elif model.name == "GetItem":
                self.tally.bill(
                    region, Priced.READ, math.ceil(item_bytes(parsed.get("Item", {})) / READ_UNIT_BYTES) or 1
                )
            elif model.name in ("PutItem", "UpdateItem"):
                self.tally.bill(region, Priced.WRITE, self._write_units(request, region))

    def _write_units(self, request: Mapping[str, Any], region: str) -> int:
        """Units of a write: by the larger of the item before and after; as many again for an index that has it."""
        named = request.get("Key") or {key: request["Item"][key] for key in KEYS if key in request["Item"]}
        name = json.dumps([region, request["TableName"], named], sort_keys=True)
        if region not in self._plain:
            own = Config(user_agent_extra=OUR_CLIENTS)
            self._plain[region] = boto3.client("dynamodb", region_name=region, config=own)
        answer = self._plain[region].get_item(TableName=request["TableName"], Key=named, ConsistentRead=True)
        before, after = self._known.get(name, {}), answer.get("Item", {})
        self._known[name] = after
        units = math.ceil(max(item_bytes(before), item_bytes(after), 1) / WRITE_UNIT_BYTES)
        return units * (2 if OPEN_INDEX in before or OPEN_INDEX in after else 1)


def purpose_of(operation: str, request: Mapping[str, Any]) -> str:
    """What a call of the runtime is for."""
    if operation == "Publish":
        return "publish a message"
    if operation in ("Query", "GetItem"):
        return "read a sync node's inputs"
    update, part = request.get("UpdateExpression", ""), request.get("Key", {}).get("part", {}).get("S")
    if operation == "PutItem":
        return "keep a payload for a sync node" if "part" in request["Item"] else "begin the run item"
    if part is not None:
        return "claim a node" if part == "claim" else "report an edge to a sync node"
    return "report a leaf to the run item" if "ADD ended" in update else "set the run item's state"


def item_bytes(item: Mapping[str, Any]) -> int:
    """Size of an item as DynamoDB counts it: names and values; numbers about a byte for two digits, and one more."""
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def _value_bytes(value: Mapping[str, Any]) -> int:
    (kind, content), *_ = value.items()
    if kind == "S":
        return len(content.encode())
    if kind == "N":
        return math.ceil(len(content.strip("-0.")) / 2) + 1
    return sum(len(one.encode()) for one in content) if kind == "SS" else 1


class CpuTimed:
    """A port whose calls are timed: CPU time of the calling thread."""

    def __init__(self, port: object, spent: list[float]) -> None:
        self._port, self._spent = port, spent

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._port, name)

        def timed(*args: Any, **options: Any) -> Any:  # noqa: ANN401 - any port's
            begun = time.thread_time()
            try:
                return method(*args, **options)
            finally:
                self._spent.append(time.thread_time() - begun)

        return timed


def functions_of(shape: Shape) -> Mapping[str, Callable[[Any], None]]:
    """User code that calls what the graph says, and nothing else."""
    workflow, functions = CaribouWorkflow(shape.graph.workflow, "0.0.1"), dict[str, Callable[[Any], None]]()

    def function_of(node: Node) -> Callable[[Any], None]:
        def function(_: object) -> None:
            if node.sync:
                workflow.get_predecessor_data()
            for edge in shape.graph.out_edges(node.name):
                workflow.invoke_serverless_function(functions[edge.target], PAYLOAD, edge.id not in shape.skipped)

        return workflow.serverless_function(name=node.function)(function)

    for node in shape.graph.nodes:
        functions[node.name] = function_of(node)
    return functions


@dataclass
class Player:
    """Plays runs of a shape in this process; `ports` are the same for all its nodes, as all are at home."""

    shape: Shape
    ports: Ports
    published: Callable[[], list[tuple[str, str]]]
    _runners: dict[str, NodeRunner] = field(default_factory=dict)
    _functions: Mapping[str, Callable[[Any], None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._functions = functions_of(self.shape)
        for function in self.shape.graph.functions:
            self._runners[function.name] = self._runner(function.name)

    def play(self, run_id: str) -> float:
        """Play a run; the CPU time in seconds that its nodes took."""
        entry = self.shape.graph.entry.function
        waiting = [(entry, Start(run_id, json.dumps(PAYLOAD), message_id=str(uuid.uuid4())).to_text())]
        spent = 0.0
        while waiting:
            function, message = waiting.pop(0)
            delivery = Delivery(json.loads(message), id=run_id, request_id=f"{run_id}-{function}", from_topic=True)
            begun = time.process_time()
            self._runners[function].handle(delivery, cold_start=False)
            spent += time.process_time() - begun
            waiting += self.published()
        return spent

    def _runner(self, function: str) -> NodeRunner:
        return NodeRunner(
            settings=settings_of(self.shape.graph, function),
            ports=self.ports,
            placement=Placement.at_home(self.shape.graph, HOME),
            user_function=self._functions[function],
            memory_mb=1769,
            emit=_emit,
            exchanges=dict,
        )


def _emit(record: RunRecord) -> None:
    """Make the line of a record, and drop it."""
    json.dumps(record.to_json())


def settings_of(graph: Graph, function: str) -> Settings:
    """The settings of a function at home."""
    return Settings(
        graph=graph,
        function=function,
        home_region=HOME,
        region=HOME,
        stage="bench",
        runs=RunSettings(),
    )


def make_resources(graph: Graph) -> None:
    """The tables and topics of a workflow at home."""
    names, sns = settings_of(graph, "").names, boto3.client("sns", region_name=HOME)
    make_sync_table(names, HOME)
    make_run_table(names)
    for function in graph.functions:
        sns.create_topic(Name=names.topic(function.name))


def make_sync_table(names: WorkflowNames, region: str) -> None:
    """The table of claims and of sync nodes in a region."""
    boto3.client("dynamodb", region_name=region).create_table(
        TableName=names.sync_table,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "part", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "id", "AttributeType": "S"},
            {"AttributeName": "part", "AttributeType": "S"},
        ],
    )


def make_run_table(names: WorkflowNames) -> None:
    """The table of runs, at home."""
    boto3.client("dynamodb", region_name=HOME).create_table(
        TableName=names.run_table,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "run_id", "KeyType": "HASH"}],
        AttributeDefinitions=[
            {"AttributeName": "run_id", "AttributeType": "S"},
            {"AttributeName": OPEN_INDEX, "AttributeType": "S"},
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": OPEN_INDEX,
                "KeySchema": [{"AttributeName": OPEN_INDEX, "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )


def measure_calls(runs: int) -> list[dict[str, Any]]:
    """A row a shape: calls, units and bytes of a run, and the reference system's calls."""
    meter, rows = Meter(), []
    for shape in SHAPES:
        make_resources(shape.graph)
        player = Player(shape, _ports(shape, meter), lambda: _taken(meter))
        meter.tally = Tally()
        for number in range(runs):
            player.play(f"run-{number:032}")
        tally = meter.tally
        rows.append(
            {
                "shape": shape.name,
                "operations": {name: count / runs for name, count in sorted(tally.operations.items())},
                "purposes": {name: count / runs for name, count in sorted(tally.purposes.items())},
                "calls": sum(tally.operations.values()) / runs,
                "write_units": tally.write_units / runs,
                "read_units": tally.read_units / runs,
                "request_bytes": round(tally.sent_bytes / runs),
                "reference": dict(shape.reference),
                "reference_calls": sum(shape.reference.values()),
            }
        )
    return rows


def measure_cpu(runs: int) -> dict[str, float]:
    """CPU time of a node in ms: with ports in memory, and with those of AWS, the ports' own share taken off."""
    shape = SHAPES[2]
    in_memory = InMemoryCloud()
    nodes = len(shape.graph.nodes)
    player = Player(shape, in_memory.ports(HOME), lambda: [(m.function, m.text) for m in in_memory.bus.take()])
    memory_ms = [player.play(f"memory-{number}") / nodes * 1e3 for number in range(runs)]
    meter, spent = Meter(), list[float]()
    ports = _ports(shape, meter)
    timed = Ports(**{name: CpuTimed(getattr(ports, name), spent) for name in Ports.__slots__})
    player = Player(shape, timed, lambda: _taken(meter))
    player.play("warm")
    whole, wrapper = [], []
    for number in range(max(20, runs // 10)):
        spent.clear()
        total = player.play(f"aws-{number}")
        whole.append(total / nodes * 1e3)
        wrapper.append((total - sum(spent)) / nodes * 1e3)
    return {
        "in_memory_ms": statistics.median(memory_ms),
        "on_aws_ms": statistics.median(whole),
        "on_aws_without_calls_ms": statistics.median(wrapper),
    }


def measure_imports(repetitions: int) -> dict[str, float]:
    """CPU time in ms of what a cold start imports, compiled before; medians, taken in turn."""
    times: dict[str, list[float]] = {name: [] for name in IMPORTS}
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": cache}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        for repetition in range(repetitions + 1):
            for name, code in IMPORTS.items():
                spent_ms = _import_ms(code, environment)
                if repetition:  # the first one compiles
                    times[name].append(spent_ms)
    bare, ours = statistics.median(times["bare"]), statistics.median(times["caribou"])
    return {"bare_ms": bare, "caribou_ms": ours, "overhead": ours / bare - 1}


def _import_ms(code: str, environment: Mapping[str, str]) -> float:
    script = f"import time; begun = time.process_time(); {code}; print((time.process_time() - begun) * 1e3)"
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout)


def _ports(shape: Shape, meter: Meter) -> Ports:
    settings = settings_of(shape.graph, "")
    return runtime_aws.aws_ports(settings, partition="aws", account=ACCOUNT, clients=meter.clients())


def _taken(meter: Meter) -> list[tuple[str, str]]:
    taken, meter.tally.messages = meter.tally.messages, []
    return taken


@contextmanager
def _local_cloud() -> Iterator[None]:
    """A local cloud of our own that this process talks to."""
    with tempfile.TemporaryDirectory() as state, LocalCloud.start(Path(state), regions=()) as cloud:
        os.environ.update(cloud.as_account(ACCOUNT).variables())
        yield


def _markdown(found: Mapping[str, Any]) -> Iterator[str]:
    yield "| a run of | calls | of them | write units | read units | bytes sent | the reference's calls |"
    yield "|---|---|---|---|---|---|---|"
    for row in found["runs"]:
        reference = ", ".join(f"{count} {name}" for name, count in row["reference"].items())
        purposes = ", ".join(f"{count:g} {name}" for name, count in row["purposes"].items())
        yield (
            f"| {row['shape']} | {row['calls']:g} | {purposes} | {row['write_units']:g} | {row['read_units']:g} | "
            f"{row['request_bytes']} | {row['reference_calls']}: {reference} |"
        )
    cpu, imports = found["cpu"], found["imports"]
    yield ""
    yield "| CPU time | ms |"
    yield "|---|---|"
    yield f"| a node, ports in memory | {cpu['in_memory_ms']:.2f} |"
    yield f"| a node on the local cloud | {cpu['on_aws_ms']:.2f} |"
    yield f"| … without its AWS calls: our wrapper | {cpu['on_aws_without_calls_ms']:.2f} |"
    yield f"| import of boto3 and Powertools | {imports['bare_ms']:.0f} |"
    yield f"| import of `caribou.runtime.handler`, which imports boto3 alone | {imports['caribou_ms']:.0f} |"
    yield f"| … more than those two | {imports['overhead']:.0%} |"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--runs", type=int, default=10, help="runs of each shape (default 10)")
    options = parser.parse_args()
    with _local_cloud():
        found = {
            "python": sys.version.split()[0],
            "runs": measure_calls(options.runs),
            "cpu": measure_cpu(20 * options.runs),
            "imports": measure_imports(15),
        }
    print(json.dumps(found, indent=1) if options.json else "\n".join(_markdown(found)))


if __name__ == "__main__":
    main()
