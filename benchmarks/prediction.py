"""Is a placement's run time what the model says of it? Runs at home against runs in three regions, on the local cloud.

    uv run benchmarks/prediction.py                              # 10 repetitions of 200 runs at home and 200 placed
    uv run benchmarks/prediction.py --runs 40 --repetitions 1 --placement leaf_home
    uv run benchmarks/prediction.py --output records.jsonl       # and keep the run records
    uv run benchmarks/prediction.py --records records.jsonl      # hold today's model against them

A local cloud with distances gets `benchmarks/far_apart` with a placement over three regions. Half of its runs stay
home; one of these and one that is placed go side by side, pair after pair, so that both meet the machine in the same
state. A problem is made of the runs at home alone. What the model says of the placement on it is held against what the
placed runs took: mean and 95th percentile, each within an interval for the figure of as many new runs, of 97.5 %, so
that both hold in 95 % of repetitions. Then, for each node and edge, how much longer it took than at home, and how much
longer the model says. Exits with 1 if both held in fewer than 9 of 10 repetitions.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from caribou.cli.cdk_run import run_cdk
from caribou.cli.local import measured_distances
from caribou.collectors.edges import hops
from caribou.collectors.logs import CloudWatchLogReader
from caribou.collectors.observed import Observed, RecordFilter, Run, observe
from caribou.collectors.record_lines import read_record_lines, record_in, write_record_lines
from caribou.collectors.sources.snapshot import packaged_facts
from caribou.control.plan.problem import build_problem
from caribou.control.runs.runs import Runs, RunState
from caribou.local.cloud import LocalCloud
from caribou.model.graph import Edge, Node
from caribou.model.metric import Metric
from caribou.model.names import DEFAULT_STAGE
from caribou.model.placement import ALL_HOURS, Placement, Plan
from caribou.model.project.workflow import Workflow, read_workflow
from caribou.model.run.record import RunRecord
from caribou.model.schema.problem import Problem
from caribou.model.schema.problem_file import parse_problem
from caribou.runtime.placement import share_of
from caribou.solver.simulation.bootstrap import prediction_interval
from caribou.solver.simulation.checks import place_positions
from caribou.solver.simulation.evaluator import Evaluator
from caribou.solver.simulation.random_streams import Floats
from caribou.solver.simulation.weights import percentile

ROOT = Path(__file__).resolve().parents[1]
NAME = "far_apart"
FOLDER = ROOT / "benchmarks" / NAME
HOME, WEST, CANADA = REGIONS = ("us-east-1", "us-west-2", "ca-central-1")
PLACEMENTS = {
    "leaf_away": {"split": HOME, "left": WEST, "right": CANADA, "join": CANADA, "store": WEST},
    "leaf_home": {"split": HOME, "left": WEST, "right": CANADA, "join": WEST, "store": HOME},
    "entry_away": {"split": WEST, "left": CANADA, "right": WEST, "join": CANADA, "store": HOME},
}
"""Function to region, each of one node: messages and reports cross between all three, the bucket is at home."""
BUCKET, KEY, OBJECT_BYTES = "far-apart-benchmark", "input/object", 60_000
TAIL = 95.0
SURE = 0.975
"""Of each of two intervals."""
HOME_SHARE = 0.5
"""That of the workflow's manifest."""
WARM_UP = 5
"""Pairs of runs that do not count: processes start, and SDKs load their data."""
_ENOUGH = 0.9
_LIMIT_S = 300.0
_POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Figure:
    """What was predicted of a figure of run time, within what, and what came, seconds."""

    predicted: float
    low: float
    high: float
    measured: float

    @property
    def holds(self) -> bool:
        """Whether what came is in the interval."""
        return self.low <= self.measured <= self.high

    def __str__(self) -> str:
        within = f"{self.predicted:.3f} ({self.low:.3f} to {self.high:.3f})"
        return f"{within} | {self.measured:.3f} | {'yes' if self.holds else 'no'}"


@dataclass(frozen=True, slots=True)
class Part:
    """What a node or an edge takes on average: at home, as the model says of the placement, and placed; seconds."""

    name: str
    route: str
    home: float
    predicted: float
    placed: float

    def __str__(self) -> str:
        more = f"{self.predicted - self.home:+.3f} | {self.placed - self.home:+.3f}"
        return f"| {self.name} | {self.route} | {self.home:.3f} | {more} | {self.predicted - self.placed:+.3f} |"


class Repetition:
    """Runs at home and as many placed, and what the model says of the placed ones, by those at home."""

    def __init__(self, workflow: Workflow, regions: dict[str, str], records: Iterable[RunRecord]) -> None:
        kept = list(records)
        self._graph = workflow.graph
        self._at_home = _observed(workflow, [record for record in kept if record.stays_home])
        self._away = _observed(workflow, [record for record in kept if not record.stays_home])
        self._problem = _problem_of(workflow, [record for record in kept if record.stays_home])
        self._evaluator = Evaluator(self._problem, 0, 0)
        self._regions, self._names = regions, list(self._problem.regions)
        self.home, self.placed = _seconds(self._at_home), _seconds(self._away)
        self.predicted = self._evaluator.moved_runs(Metric.RUNTIME, place_positions(self._problem, regions))

    @property
    def mean(self) -> Figure:
        """The mean's."""
        low, high = prediction_interval(self.predicted, len(self.placed), sure=SURE)
        return Figure(float(self.predicted.mean()), low, high, float(self.placed.mean()))

    @property
    def tail(self) -> Figure:
        """The 95th percentile's."""
        low, high = prediction_interval(self.predicted, len(self.placed), tail_percentile=TAIL, sure=SURE)
        return Figure(tail_of(self.predicted), low, high, tail_of(self.placed))

    @property
    def holds(self) -> bool:
        """Whether both are within their intervals."""
        return self.mean.holds and self.tail.holds

    def __str__(self) -> str:
        return f"| {self.home.mean():.3f} | {self.mean} | {self.tail} |"

    def parts(self) -> list[Part]:
        """Each node's duration, then each edge's latency from the call to the start."""
        return [*map(self._node, self._graph.nodes), *map(self._edge, self._graph.edges)]

    def _node(self, node: Node) -> Part:
        region = self._regions[node.name]
        modelled = self._evaluator.part.scenarios.runs[self._problem.node_order.index(node.name)].duration_s
        return Part(
            node.function,
            region,
            _mean(record.duration_s for record in self._at_home.of(node.name)),
            float(modelled[self._names.index(region)].mean()),
            _mean(record.duration_s for record in self._away.of(node.name)),
        )

    def _edge(self, edge: Edge) -> Part:
        source, target = self._regions[edge.source], self._regions[edge.target]
        pair = self._names.index(source), self._names.index(target)
        modelled = self._evaluator.part.scenarios.edges[self._graph.edges.index(edge)].latency
        return Part(
            f"{self._graph.node(edge.source).function} to {self._graph.node(edge.target).function}",
            f"{source} to {target}",
            _mean(hop.latency_s for hop in hops(edge, self._at_home, self._graph)),
            float(modelled.seen[modelled.row[pair]].mean() + modelled.shift[pair]),
            _mean(hop.latency_s for hop in hops(edge, self._away, self._graph)),
        )


class Deployed:
    """The workflow in a local cloud with distances, placed; half of its runs stay home."""

    def __init__(self, project: Path, cloud: LocalCloud, placement: str) -> None:
        self.workflow = _copied(project)
        self.regions = regions_of(self.workflow, placement)
        self._runs = Runs(self.workflow.graph, self.workflow.manifest, DEFAULT_STAGE, cloud.account)
        s3 = cloud.client("s3", HOME)
        s3.create_bucket(Bucket=BUCKET)
        s3.put_object(Bucket=BUCKET, Key=KEY, Body=os.urandom(OBJECT_BYTES))
        file = project / "placement.json"
        file.write_text(json.dumps(_placement(self.workflow, self.regions).to_json()), encoding="utf-8")
        arguments = [f"Workflow-{NAME}", "-c", f"workflow={NAME}", "-c", f"placement={file}"]
        arguments += ["--require-approval", "never", "--concurrency", "4"]
        run_cdk(["deploy", *arguments], root=project, log=project / "cdk.log")

    def pairs(self, count: int) -> list[RunRecord]:
        """The records of so many new runs at home, and of as many placed, one of each at a time."""
        begun_s = time.time()
        with ThreadPoolExecutor(2) as both:
            run_ids = {run_id for _ in range(count) for run_id in both.map(self._run, (False, True))}
        give_up, wanted = time.monotonic() + _LIMIT_S, len(run_ids) * len(self.regions)
        while len(records := [r for r in self._records(begun_s) if r.run_id in run_ids and not r.redirect]) < wanted:
            assert time.monotonic() < give_up, f"{wanted - len(records)} records are missing"
            time.sleep(_POLL_S)
        return [record for record in self._records(begun_s) if record.run_id in run_ids]

    def _run(self, placed: bool) -> str:  # noqa: FBT001 - mapped over both
        """One run, to its end; its id."""
        run_id = _name(placed=placed)
        self._runs.start({"bucket": BUCKET, "key": KEY}, run_id)
        *_, ended = self._runs.follow(run_id, limit_s=_LIMIT_S, poll_s=_POLL_S)
        assert ended.state is RunState.SUCCEEDED, f"run {run_id} failed at {ended.failed_node}: {ended.error}"
        return run_id

    def _records(self, begun_s: float) -> list[RunRecord]:
        """The records of all runs since then."""
        reader, names = CloudWatchLogReader(), self._runs.names
        span_ms = int(begun_s * 1000), int(time.time() * 1000)
        functions = [function.name for function in self.workflow.graph.functions]
        groups = [(region, names.log_group(function)) for region in REGIONS for function in functions]
        events = (event for region, group in groups for event in reader.events(region, group, *span_ms))
        found = (record_in(line) for event in events for line in event.message.split("\n"))
        return [record for record in found if record is not None]


@contextmanager
def deployed(placement: str) -> Iterator[Deployed]:
    """The workflow, deployed with a placement, and warm."""
    with tempfile.TemporaryDirectory(prefix="caribou-prediction-") as folder:
        project, state = Path(folder, "project"), Path(folder, "cloud")
        project.mkdir()
        settings = {"LAMBDA_WARM_TTL_SECONDS": "300"}
        cloud = LocalCloud.start(state, regions=REGIONS, distances=measured_distances(), settings=settings)
        with cloud, cloud.environment():
            own = Deployed(project, cloud, placement)
            own.pairs(WARM_UP)
            yield own


def kept(path: Path, pairs: int) -> Iterator[list[RunRecord]]:
    """The records of a file, by so many pairs of runs."""
    records = read_record_lines(path.read_text(encoding="utf-8").split("\n"), str(path))
    home, placed = (_ids(records, stays_home=stays_home) for stays_home in (True, False))
    for first in range(0, len(home), pairs):
        chosen = {*home[first : first + pairs], *placed[first : first + pairs]}
        yield [record for record in records if record.run_id in chosen]


def _ids(records: Iterable[RunRecord], *, stays_home: bool) -> list[str]:
    """Run ids, the oldest first."""
    ordered = sorted(records, key=lambda record: record.started_at)
    return list(dict.fromkeys(record.run_id for record in ordered if record.stays_home is stays_home))


def regions_of(workflow: Workflow, placement: str) -> dict[str, str]:
    """Node to region."""
    return {node.name: PLACEMENTS[placement][node.function] for node in workflow.graph.nodes}


def averages(parts: Sequence[Part]) -> Part:
    """A node or an edge over repetitions."""
    seconds = zip(*((part.home, part.predicted, part.placed) for part in parts), strict=True)
    return Part(parts[0].name, parts[0].route, *map(_mean, seconds))


def _problem_of(workflow: Workflow, records: Sequence[RunRecord]) -> Problem:
    """The problem that runs at home make, in which no run stays there."""
    manifest = replace(workflow.manifest, runs=replace(workflow.manifest.runs, home_share=0.0))
    now = datetime.now(UTC)
    data = build_problem(
        graph=workflow.graph,
        manifest=manifest,
        facts=packaged_facts(now),
        records=records,
        control_region=HOME,
        now=now,
    )
    return parse_problem(data)


def _observed(workflow: Workflow, records: Sequence[RunRecord]) -> Observed:
    memory_mb = {name: settings.memory_mb for name, settings in workflow.manifest.functions.items()}
    return observe(records, RecordFilter(workflow.graph, HOME, memory_mb, frozenset(REGIONS)))


def _seconds(found: Observed) -> Floats:
    """How long each run took, from the start of its first node to the end of its last."""
    return np.array([_end(run) - run.started_at for run in found.runs])


def _end(run: Run) -> float:
    return max(record.started_at + record.duration_s for record in run.executions.values())


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


def tail_of(values: Floats) -> float:
    """Their 95th percentile, as the model has it."""
    return float(percentile(values[np.newaxis], TAIL, np.full(len(values), 1 / len(values)))[0])


def _placement(workflow: Workflow, regions: dict[str, str]) -> Placement:
    graph, home, never = workflow.graph, workflow.manifest.home_region, datetime(2999, 1, 1, tzinfo=UTC)
    return Placement(graph.workflow, graph.version, home, (Plan(ALL_HOURS, regions),), expires_at=never)


def _name(*, placed: bool) -> str:
    """A run id that is of the half that stays home, or of the other."""
    while True:
        run_id = uuid.uuid4().hex
        if (share_of(run_id) >= HOME_SHARE) is placed:
            return run_id


def _copied(project: Path) -> Workflow:
    """A project that has this one workflow."""
    for name in ("app.py", "cdk.json"):
        shutil.copy(ROOT / name, project)
    folder = project / "workflows" / NAME
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return read_workflow(folder)


def _new(placement: str, chosen: argparse.Namespace) -> Iterator[list[RunRecord]]:
    """The records of new pairs of runs, by repetition."""
    with deployed(placement) as own:
        for _ in range(chosen.repetitions):
            records = own.pairs(chosen.runs)
            if chosen.output:
                with chosen.output.open("a", encoding="utf-8") as file:
                    file.write(write_record_lines(records))
            yield records


def main(arguments: Sequence[str]) -> int:
    """Measure and print; the exit code."""
    parser = argparse.ArgumentParser(description="Hold predicted run times of a placement against measured ones.")
    parser.add_argument("--runs", type=int, default=200, help="at home, and as many placed, in each repetition")
    parser.add_argument("--repetitions", type=int, default=10)
    parser.add_argument("--placement", choices=PLACEMENTS, default="leaf_away")
    parser.add_argument("--output", type=Path, help="write the run records to the end of this file, as JSON lines")
    parser.add_argument("--records", type=Path, help="run nothing: take the run records of such a file")
    chosen = parser.parse_args(arguments)
    workflow = read_workflow(FOLDER)
    regions = regions_of(workflow, chosen.placement)
    print("| mean at home | predicted mean | measured | holds | predicted p95 | measured | holds | load |")
    print("|---:|---|---:|---|---|---:|---|---:|", flush=True)
    found = []
    for records in kept(chosen.records, chosen.runs) if chosen.records else _new(chosen.placement, chosen):
        found.append(Repetition(workflow, regions, records))
        print(f"{found[-1]} {'' if chosen.records else f'{os.getloadavg()[1]:.1f}'} |", flush=True)
    held = sum(repetition.holds for repetition in found)
    print(f"\nBoth hold in {held} of {len(found)}.\n")
    print("| what | where | at home | more, predicted | more, measured | error |\n|---|---|---:|---:|---:|---:|")
    for parts in zip(*(repetition.parts() for repetition in found), strict=True):
        print(averages(parts))
    return 0 if held >= _ENOUGH * len(found) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
