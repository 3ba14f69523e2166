"""How fast run records become a problem, and in how much memory: a million of them, from a file of JSON lines.

    uv run benchmarks/log_collection.py                     # two minutes, a GB in a temporary folder
    uv run benchmarks/log_collection.py --records 100000    # a few seconds
    uv run benchmarks/log_collection.py --write             # and write the table into docs/data.md

The records are made up, in the shape that the runtime gives them: four workflows, each with a rare branch that one of
20,000 runs takes. Each file is read, and its problem built, in a process of its own. Seconds are CPU seconds, user and
system, of that process: all of it after its imports; memory is the most that was resident, imports and all.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import count, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from caribou.cli.record_file import read_record_file
from caribou.collectors.sources.snapshot import packaged_facts
from caribou.control.plan.problem import build_problem
from caribou.model.graph import Edge, Function, Graph, Node
from caribou.model.manifest import FunctionSettings, Manifest, RegionRules
from caribou.model.run.record import EndpointRecord, Outcome, RunRecord, SuccessorRecord

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "data.md"
_BEGIN, _END = "<!-- log collection: begin -->\n", "<!-- log collection: end -->"
RECORDS = 1_000_000
RARE = 20_000
"""The rare branch is taken by the first of so many runs."""
COLD = 0.05
START = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
NOW = datetime(2026, 2, 1, tzinfo=UTC)
DAYS = 20
HOME, AWAY = "us-east-1", "ca-central-1"


@dataclass(frozen=True)
class Shape:
    """A workflow: node to the nodes that it calls, entry first; its sync nodes, and the node of the rare branch."""

    name: str
    calls: Mapping[str, str]
    sync: str = ""

    @property
    def graph(self) -> Graph:
        """Its graph, each node with a function of its own."""
        names = list(dict.fromkeys([*self.calls, *(to for targets in self.calls.values() for to in targets.split())]))
        return Graph(
            workflow=self.name,
            version="0.0.1",
            functions=tuple(Function(n, "app", n, entry_point=n == names[0], sync=n in self.sync) for n in names),
            nodes=tuple(Node(n, n, sync=n in self.sync) for n in names),
            edges=tuple(
                Edge(source, i, target, conditional=target == "rare")
                for source, targets in self.calls.items()
                for i, target in enumerate(targets.split())
            ),
        )


MAPS = [f"map{i}" for i in range(10)]
SHAPES = (
    Shape("chain", {"get": "resize rare", "resize": "blur", "blur": "store"}),
    Shape("diamond", {"start": "left right rare", "left": "join", "right": "join"}, sync="join"),
    Shape("fan_out", {"split": f"{' '.join(MAPS)} rare", **dict.fromkeys(MAPS, "reduce")}, sync="reduce"),
    Shape("two_nodes", {"ask": "answer rare"}),
)


@dataclass(slots=True)
class Play:
    """A run in the making: its number, when each node starts, when and over which edge the message came."""

    graph: Graph
    number: int
    chance: random.Random
    starts: dict[str, tuple[float, float | None, str | None]]

    @property
    def records(self) -> Iterator[RunRecord]:
        """What the runtime writes of it, external data and cold starts too."""
        run_id = f"{self.chance.getrandbits(128):032x}"
        for node in self.graph.nodes:
            if node.name in self.starts:
                yield self._record(node, run_id)

    def _record(self, node: Node, run_id: str) -> RunRecord:
        at, sent_at, by = self.starts[node.name]
        took_s, cold = self.chance.lognormvariate(0, 0.5), self.chance.random() < COLD
        calls = enumerate(self.graph.out_edges(node.name))
        successors = tuple(self._call(edge, at, round(took_s + i / 50, 6)) for i, edge in calls)
        return RunRecord(
            run_id=run_id,
            workflow=self.graph.workflow,
            workflow_version=self.graph.version,
            node=node.name,
            function=node.function,
            region=HOME if node is self.graph.entry else self._region,
            placement="b5bb9d8014a0f9b1d61e21e796d78dccdf1352f23cd32812f4850b878ae4944c",
            attempt=1,
            cold_start=cold,
            started_at=round(at, 6),
            duration_s=round(took_s + 0.3, 6),
            cpu_s=round(took_s * 0.6, 6),
            memory_mb=1769,
            bytes_in=self._size,
            bytes_out=sum(successor.payload_bytes for successor in successors),
            external=(
                EndpointRecord("s3", HOME, "", 2, 2, 0, self._size, 0.2, round(self.chance.random(), 6), 0, 3),
                EndpointRecord("dynamodb", AWAY, "", 1, 1, 400, 900, 0.1, 0.1, 1, 1),
            ),
            edge=None if node.sync else by,
            sent_at=None if sent_at is None else round(sent_at, 6),
            redirect=False,
            stays_home=False,
            error=None,
            successors=successors,
            init_s=0.5 if cold else None,
            import_s=0.2 if cold else None,
            import_cpu_s=0.2 if cold else None,
            result_bytes=None if successors else 900,
        )

    def _call(self, edge: Edge, at: float, offset_s: float) -> SuccessorRecord:
        took_s = round(self.chance.uniform(0.01, 0.05), 6)
        if edge.conditional and self.number % RARE:
            return SuccessorRecord(edge.id, edge.target, None, Outcome.SKIPPED, 0, offset_s, took_s)
        before_s = self.starts.get(edge.target, (0.0,))[0]
        arrives_s = at + offset_s + self.chance.uniform(0.08, 0.3)
        self.starts[edge.target] = max(arrives_s, before_s), at + offset_s, edge.id
        if self.graph.node(edge.target).sync:
            return SuccessorRecord(edge.id, edge.target, self._region, Outcome.JOINED, self._size, offset_s, took_s)
        size = self._size
        return SuccessorRecord(edge.id, edge.target, self._region, Outcome.SENT, size, offset_s, took_s, size + 1024)

    @property
    def _region(self) -> str:
        return HOME if self.number % 10 else AWAY

    @property
    def _size(self) -> int:
        return self.chance.randrange(500, 50_000)


def records_of(graph: Graph, apart_s: float) -> Iterator[RunRecord]:
    """The records of runs that begin so many seconds apart, without end."""
    chance = random.Random(7)
    for number in count():
        yield from Play(graph, number, chance, {graph.entry.name: (START + number * apart_s, None, None)}).records


def write_file(path: Path, shape: Shape, records: int) -> None:
    """So many records of a workflow, over `DAYS` days, as JSON lines."""
    graph = shape.graph
    apart_s = DAYS * 86_400 * (len(graph.nodes) - 1) / records
    with path.open("w", encoding="utf-8") as file:
        for record in islice(records_of(graph, apart_s), records):
            file.write(json.dumps(record.to_json(), sort_keys=True, separators=(",", ":")) + "\n")


@dataclass(frozen=True)
class Measured:
    """What it took to make a problem of a file."""

    shape: str
    records: int
    file_mb: float
    cpu_s: float
    peak_mb: float
    runs: int

    @property
    def row(self) -> str:
        """As a row of the table."""
        rate = self.records / self.cpu_s
        return (
            f"| {self.shape} | {self.records:,} | {self.file_mb:,.0f} MB | {self.runs:,} | {self.cpu_s:.1f} s "
            f"| {rate:,.0f} | {self.peak_mb:,.0f} MB |"
        )


def measure(path: Path, shape: Shape, records: int) -> Measured:
    """Make a problem of a file, in this process."""
    settings = FunctionSettings(timeout_s=60, memory_mb=1769, regions=RegionRules(allowed=(HOME, AWAY)))
    graph, facts = shape.graph, packaged_facts(NOW)
    manifest = Manifest(graph.workflow, graph.version, HOME, {f.name: settings for f in graph.functions})
    before_s = time.process_time()
    stored = read_record_file(path, graph)
    built = build_problem(graph=graph, manifest=manifest, facts=facts, records=stored, control_region=HOME, now=NOW)
    cpu_s = time.process_time() - before_s
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # KB on Linux
    return Measured(shape.name, records, path.stat().st_size / 1e6, cpu_s, peak_mb, len(built["runs"]["id"]))


def measured(folder: Path, shape: Shape, records: int) -> Measured:
    """Write a file, and make a problem of it in a process of its own."""
    path = folder / f"{shape.name}.jsonl"
    write_file(path, shape, records)
    command = [sys.executable, __file__, "--one", shape.name, "--file", str(path), "--records", str(records)]
    data: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    path.unlink()
    return Measured(**data)


def _table(measured: list[Measured]) -> str:
    head = "| workflow | records | file | rows of the problem | CPU | records a CPU second | memory at most |"
    return "\n".join([head, "|---|---|---|---|---|---|---|", *(one.row for one in measured)]) + "\n"


def _write(text: str) -> None:
    before = PAGE.read_text(encoding="utf-8")
    head, _, rest = before.partition(_BEGIN)
    PAGE.write_text(f"{head}{_BEGIN}{text}{_END}{rest.partition(_END)[2]}", encoding="utf-8")


def main() -> None:
    """Measure all shapes, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=RECORDS, help="of each workflow")
    parser.add_argument("--write", action="store_true", help="write the table into docs/data.md")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    by_name = {shape.name: shape for shape in SHAPES}
    if chosen.one:
        print(json.dumps(asdict(measure(chosen.file, by_name[chosen.one], chosen.records))))
        return
    with TemporaryDirectory() as folder:
        text = _table([measured(Path(folder), shape, chosen.records) for shape in SHAPES])
    print(text, end="")
    if chosen.write:
        _write(text)


if __name__ == "__main__":
    main()
