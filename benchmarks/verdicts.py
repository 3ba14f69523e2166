"""What moves of the benchmark workflows, and why: the model's verdict on runs of their sample inputs at home.

    uv run benchmarks/verdicts.py                       # the table, from the run records in recorded/
    uv run benchmarks/verdicts.py --write               # and write it into docs/benchmark-workflows.md and the READMEs
    uv run benchmarks/verdicts.py --record map_reduce   # run its samples at home, 30 times each, and keep their records

Recording deploys a workflow at home on a local cloud and runs each sample input, one run after the other. All else
needs no cloud: a problem of the records of an input and the packaged facts of a fixed day, its placement, the verdict
on it. Time in which functions waited for a core of the machine that recorded them is taken out. An input whose
placement is all at home is judged by a plan that moves what may move to the allowed region with the least average
intensity: what is said of that plan is why it stays.
"""

from __future__ import annotations

import argparse
import gzip
import os
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from caribou.cli.cdk_run import run_cdk
from caribou.cli.project import control_region, stage
from caribou.cli.samples import SAMPLES, Samples
from caribou.collectors.record_lines import read_record_lines, write_record_lines
from caribou.collectors.sources.snapshot import packaged_facts
from caribou.control.aws import Aws
from caribou.control.plan.finish import SolveOptions
from caribou.control.plan.problem import build_problem
from caribou.control.runs.runs import Runs, RunState
from caribou.control.runs.trace import trace_of
from caribou.local.cloud import LocalCloud
from caribou.local.tools import cdk_env
from caribou.model.placement import ALL_HOURS, Placement, Plan
from caribou.model.project.workflow import Workflow, read_workflow, workflow_folders
from caribou.model.run.record import RunRecord
from caribou.model.schema.problem import Problem
from caribou.model.schema.problem_file import parse_problem
from caribou.model.verdict import ENOUGH_RUNS, moves_anything
from caribou.report.demo_tables import Work, range_of
from caribou.solver.analysis.sensitivity import sensitivity

ROOT = Path(__file__).resolve().parents[1]
RECORDED = ROOT / "benchmarks" / "recorded"
PAGE = ROOT / "docs" / "benchmark-workflows.md"
NOW = datetime(2026, 11, 28, tzinfo=UTC)
"""The day of the facts: the month's shape of each grid. A fixed one, so that the same records give the same table."""
_BEGIN, _END = "<!-- verdicts: begin -->\n", "<!-- verdicts: end -->\n"
_LIMIT_S = 900.0


@dataclass(frozen=True, slots=True)
class Judged:
    """An input and what the model says of it: its own placement, and the plan that is judged, with its sensitivity."""

    workflow: str
    work: Work
    home: str
    placement: Placement
    plan: Placement
    found: dict[str, Any]

    @property
    def moves(self) -> bool:
        """Whether its own placement moves anything."""
        return moves_anything(self.placement)

    @property
    def away(self) -> str:
        """The regions of the plan that is judged, home left out."""
        return ", ".join(sorted(self.plan.regions - {self.home}))

    @property
    def break_even(self) -> str:
        """kWh/GB at which the judged plan neither saves nor loses."""
        energy = self.found["break_even_kwh_per_gb"]
        return "none" if energy is None else f"{energy:.2g}"


def problem_of(workflow: Workflow, records: Sequence[RunRecord], regions: Sequence[str] | None = None) -> Problem:
    """The problem of some runs' records, with the packaged facts; `regions` in the place of the manifest's."""
    manifest = workflow.manifest
    if regions is not None:
        functions = {
            name: replace(settings, regions=replace(settings.regions, allowed=tuple(regions)))
            for name, settings in manifest.functions.items()
        }
        manifest = replace(manifest, functions=functions)
    built = build_problem(
        graph=workflow.graph,
        manifest=manifest,
        facts=packaged_facts(NOW),
        records=records,
        control_region=control_region(ROOT),
        now=NOW,
    )
    return parse_problem(built, f"the problem of {workflow.name}")


def judged(workflow: Workflow, sample: str, regions: Sequence[str] | None = None) -> Judged:
    """What is said of an input by its recorded runs."""
    records = [alone(record) for record in recorded(workflow.name, sample)]
    problem = problem_of(workflow, records, regions)
    placement = SolveOptions().solve(problem)
    plan = placement if moves_anything(placement) else _all_moved(problem, placement)
    found = sensitivity(problem, plan).to_json()
    return Judged(workflow.name, Work.of(sample, records), problem.home_region, placement, plan, found)


def alone(record: RunRecord) -> RunRecord:
    """The record of an execution that had a core of its own, as at Lambda a function of 1,769 MB has.

    The machine that recorded had fewer cores than functions. What an execution took beside its CPU time, its calls of
    endpoints and its sends, it waited for a core: that is taken out, of a process's start as of its import.
    """
    waits_s = sum(endpoint.busy_s for endpoint in record.external) + sum(sent.seconds for sent in record.successors)
    took_s = min(record.duration_s, record.cpu_s + waits_s)
    share = took_s / record.duration_s if record.duration_s else 1.0
    successors = tuple(replace(sent, offset_s=sent.offset_s * share) for sent in record.successors)
    init_s = record.init_s
    if init_s is not None and record.import_s and record.import_cpu_s is not None:
        init_s *= min(1.0, record.import_cpu_s / record.import_s)
    return replace(record, duration_s=took_s, successors=successors, init_s=init_s)


def _all_moved(problem: Problem, placement: Placement) -> Placement:
    """Each node in the region with the least average intensity of all that are allowed to any, if it may be there."""
    home = problem.home_region
    allowed = {region for node in problem.nodes.values() for region in node.allowed_regions} - {home}
    cleanest = min(sorted(allowed), key=lambda name: problem.regions[name].carbon_intensity_g_per_kwh.average)
    moved = {name: cleanest if cleanest in node.allowed_regions else home for name, node in problem.nodes.items()}
    return replace(placement, plans=(Plan(ALL_HOURS, moved),), origin={})


_COLUMNS: Mapping[str, Callable[[Judged], str]] = {
    "workflow": lambda row: f"[{row.workflow}](../workflows/{row.workflow})",
    "input": lambda row: f"`{row.work.sample}`",
    "runs": lambda row: str(row.work.runs),
    "CPU a run": lambda row: f"{row.work.cpu_s:.2g} s",
    "data a run": lambda row: _size(row.work.data_bytes),
    "solved": lambda row: f"moves to {row.away}" if row.moves else "stays home",
    "judged": lambda row: "that" if row.moves else f"what may, in {row.away}",
    "verdict": lambda row: row.found["verdict"],
    "by average": lambda row: range_of(row.found, "average") or "not known",
    "by marginal": lambda row: range_of(row.found, "marginal") or "not known",
    "break-even, kWh/GB": lambda row: row.break_even,
}


def table(rows: Sequence[Judged]) -> str:
    """What is said of inputs, as a Markdown table: of several workflows, or of one."""
    names = list(_COLUMNS) if len({row.workflow for row in rows}) > 1 else list(_COLUMNS)[1:]
    lines = [f"| {' | '.join(names)} |", f"|{'---|' * len(names)}"]
    return "\n".join([*lines, *(f"| {' | '.join(_COLUMNS[name](row) for name in names)} |" for row in rows)]) + "\n"


def _size(size: float) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.1f} KB"


def path_of(workflow: str, sample: str) -> Path:
    """Where the records of an input's runs are."""
    return RECORDED / f"{workflow}.{Path(sample).stem}.jsonl.gz"


def recorded(workflow: str, sample: str) -> list[RunRecord]:
    """The records of an input's runs."""
    path = path_of(workflow, sample)
    return read_record_lines(gzip.decompress(path.read_bytes()).decode().splitlines(), str(path))


def all_judged() -> Iterator[Judged]:
    """Each input of which runs are recorded, by workflow."""
    for folder in workflow_folders(ROOT):
        workflow = read_workflow(folder)
        for path in sorted((folder / SAMPLES).glob("input*.json")):
            if path_of(workflow.name, path.name).exists():
                yield judged(workflow, path.name)


def record(workflow: Workflow, count: int, inputs: Collection[str]) -> None:
    """Deploy a workflow at home, run its inputs so many times, those named if any are, and keep the run records."""
    home = workflow.manifest.home_region
    with Aws() as aws:
        samples = Samples(workflow, aws.account(home))
        samples.upload(aws.s3(home))
    arguments = [f"Workflow-{workflow.name}", "-c", f"workflow={workflow.name}", "-c", "placement=home"]
    with tempfile.TemporaryDirectory() as folder:
        arguments += ["--require-approval", "never", "--output", str(Path(folder, "cdk.out"))]
        run_cdk(["deploy", *arguments], root=ROOT, log=Path(folder, "cdk.log"))
    for path in sorted(path for path in samples.folder.glob("input*.json") if not inputs or path.name in inputs):
        records = [record for _ in range(count) for record in _run(samples, path.name)]
        RECORDED.mkdir(exist_ok=True)
        content = gzip.compress(write_record_lines(records).encode(), mtime=0)
        path_of(workflow.name, path.name).write_bytes(content)
        print(f"{workflow.name} {path.name}: {count} runs recorded", flush=True)


def _run(samples: Samples, name: str) -> tuple[RunRecord, ...]:
    """Run an input to its end; its records."""
    workflow = samples.workflow
    runs = Runs(workflow.graph, workflow.manifest, stage(ROOT), samples.account)
    item = runs.wait(runs.start(samples.payload(name)), limit_s=_LIMIT_S)
    assert item.state is RunState.SUCCEEDED, f"{name}: run {item.run.run_id} failed: {item.error}"
    evidence = runs.evidence(item, settle_s=_LIMIT_S)
    assert trace_of(evidence).is_settled, f"{name}: run {item.run.run_id} left no record of some node"
    return evidence.records


def _record_all(workflows: Sequence[Workflow], count: int, inputs: Collection[str]) -> None:
    regions = sorted({control_region(ROOT), *(workflow.manifest.home_region for workflow in workflows)})
    with (
        tempfile.TemporaryDirectory(prefix="caribou-verdicts-") as state,
        LocalCloud.start(Path(state), regions=regions) as cloud,
        cloud.environment(),
    ):
        for workflow in workflows:
            record(workflow, count, inputs)


def pages(rows: Sequence[Judged]) -> dict[Path, str]:
    """Which file has which table: the page that of all, each workflow's README its own."""
    own = {row.workflow: [other for other in rows if other.workflow == row.workflow] for row in rows}
    readmes = {ROOT / "workflows" / name / "README.md": table(mine) for name, mine in own.items()}
    return {PAGE: table(rows), **readmes}


def write(path: Path, text: str) -> None:
    """Put a table into a file, between its marks."""
    head, begin, rest = path.read_text(encoding="utf-8").partition(_BEGIN)
    assert begin, f"{path} has no line {_BEGIN}"
    path.write_text(f"{head}{_BEGIN}{text}{_END}{rest.partition(_END)[2]}", encoding="utf-8")


def main(arguments: Sequence[str]) -> int:
    """Record what is asked for, and print the table; the exit code."""
    folders = {folder.name: folder for folder in workflow_folders(ROOT)}
    parser = argparse.ArgumentParser(description="What moves of the benchmark workflows' sample inputs, and why.")
    parser.add_argument("--record", nargs="+", default=[], choices=folders, metavar="NAME", help="run these at home")
    parser.add_argument("--runs", type=int, default=ENOUGH_RUNS, help="so many runs of each input (30)")
    parser.add_argument("--inputs", nargs="+", default=[], metavar="FILE", help="only these, such as input.json")
    parser.add_argument("--write", action="store_true", help="write the tables into docs/ and the workflows' READMEs")
    chosen = parser.parse_args(arguments)
    os.environ.update(cdk_env(os.environ))
    if chosen.record:
        _record_all([read_workflow(folders[name]) for name in chosen.record], chosen.runs, chosen.inputs)
    rows = list(all_judged())
    print(table(rows))
    if chosen.write:
        for path, text in pages(rows).items():
            write(path, text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
