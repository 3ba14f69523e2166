"""`caribou demo`: the whole loop on this machine, with the commands that a user would give."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click

from caribou.cli.cdk_deployer import stage_arguments
from caribou.cli.cdk_progress import shown_progress
from caribou.cli.cdk_run import run_cdk
from caribou.cli.console import console
from caribou.cli.main import cli
from caribou.cli.new_files import example_folder, examples
from caribou.cli.project import control_region, project_root, stage, workflow_folder
from caribou.cli.samples import SAMPLES, Samples
from caribou.cli.session import ControlPlane, target_of
from caribou.collectors.facts import read_facts
from caribou.control.aws import Aws, aws_errors_as
from caribou.control.plan.problem import build_problem
from caribou.control.runs.runs import RunItem, Runs
from caribou.local.cloud import LocalCloud
from caribou.model.errors import InvalidInputError, OperationFailedError
from caribou.model.placement import Placement
from caribou.model.project.folders import nearest_project
from caribou.model.project.workflow import Workflow, read_workflow
from caribou.model.run.record import RunRecord
from caribou.model.schema.placement import read_placement
from caribou.model.schema.problem import Problem
from caribou.model.schema.problem_file import parse_problem, read_problem
from caribou.model.verdict import ENOUGH_RUNS

DEMO_PROJECT = "caribou-demo"
"""The folder of the project that is made outside of one."""
KEPT_STATE = Path(".caribou-local")
PROBLEM, SOLVED = "problem.json", "solved.json"
SAMPLE, LIGHT_SAMPLE = "input.json", "input_light.json"
HOME_RUNS = ENOUGH_RUNS
"""Fewer are too few to say whether a placement saves."""
MOVED_RUNS = 8
"""So many that all of them staying home by chance (a tenth each) does not happen: 1 in 100 million."""
AT_A_TIME = 2
"""Runs that are open together: what a run waits for is hidden, and functions do not wait for cores for long."""
_RUN_LIMIT_S = 600.0
_RECORDS_LIMIT_S = 120.0
"""Backstops: a run takes seconds, a machine that is busy with other things many times as long."""

_console = console()


@click.command()
@click.option("--workflow", default="image_processing", show_default=True, help="The workflow to show it with.")
@click.option("--keep", is_flag=True, help="Leave the local cloud running, and say how to look around.")
def demo(workflow: str, *, keep: bool) -> None:
    """Deploy a workflow on a local cloud, run it, collect, solve, move it with cdk deploy, and run it again."""
    root = _project(workflow)
    definition = read_workflow(workflow_folder(workflow, root), stage(root))
    if not (definition.folder / SAMPLES / SAMPLE).is_file():
        raise InvalidInputError(
            "has no sample input", where=workflow, fix=f"write {SAMPLES}/{SAMPLE} beside its app.py"
        )
    began = time.monotonic()
    with _local_cloud(definition, root, keep=keep) as cloud:
        moved = Demo(root, definition, cloud).show()
    _console.print(f"\nDone in {time.monotonic() - began:.0f} s. {'' if keep else 'The local cloud is stopped.'}")
    if keep:
        _console.print(_look_around(definition, cloud, moved=moved), soft_wrap=True)


def _project(workflow: str) -> Path:
    """The project that the user is in; where there is none, one that is made with the example of that name."""
    if nearest_project(Path.cwd()) is None:
        example_folder(workflow)
        (Path.cwd() / DEMO_PROJECT).mkdir(exist_ok=True)
        _say(f"cd {DEMO_PROJECT}")
        os.chdir(DEMO_PROJECT)
        if not Path("workflows", workflow).is_dir():
            _caribou("new_workflow", "--from", workflow)
    root = project_root()
    if workflow in examples() and not (root / "workflows" / workflow).is_dir():
        raise InvalidInputError(
            "is an example that this project does not have",
            where="--workflow",
            found=workflow,
            fix=f"copy it: `caribou new_workflow --from {workflow}`; or name one of yours",
        )
    return root


@dataclass(frozen=True)
class Demo:
    """The steps of the demo, for one workflow on one local cloud."""

    root: Path
    workflow: Workflow
    cloud: LocalCloud

    def show(self) -> bool:
        """Go through the loop once; whether the solver moved anything."""
        from caribou.cli import demo_figures as figures  # noqa: PLC0415 - numpy takes its time

        name = self.workflow.name
        _step(2, f"Deploy the control plane and {name}, at home in {self.workflow.manifest.home_region}")
        self._deploy(f"CaribouControlPlane Workflow-{name} -c workflow={name} -c placement=home")
        _step(3, f"Run it {HOME_RUNS} times")
        at_home = self._run_all(HOME_RUNS)
        _step(4, "Collect: carbon, prices and latency of the regions, and the run records")
        records = self._collected(at_home, "data_collect", "all")
        _console.print(figures.regions_table(records, "Where its nodes ran"))
        _step(5, "Solve: where should each node run, at each hour?")
        placement = self._solved()
        if placement.regions == {self.workflow.manifest.home_region}:
            _console.print("\nStaying at home is the best plan for this input, so there is nothing to move.")
            return False
        if (self.workflow.folder / SAMPLES / LIGHT_SAMPLE).is_file():
            _console.print(f"\nThe same for {LIGHT_SAMPLE}, which is less work for its data:")
            self._compare_light(records, placement)
        _step(6, "Move it")
        self._deploy(f"Workflow-{name} -c placement={SOLVED}")
        _step(7, f"Run it {MOVED_RUNS} times again")
        placed = self._run_all(MOVED_RUNS)
        share = f"{self.workflow.manifest.runs.home_share:.0%} of all runs stay home"
        moved = self._collected(placed, "log_sync", name)
        _console.print(figures.regions_table(moved, f"Where its nodes ran, after the move ({share})"))
        _step(8, "What it brought")
        evaluation = figures.evaluate(read_problem(self.root / PROBLEM), placement)
        _console.print(figures.comparison_table(evaluation, list(at_home.values()), list(placed.values())))
        return True

    def _compare_light(self, records: Sequence[RunRecord], moving: Placement) -> None:
        """Run the light input at home, solve for its runs alone, and say what the other placement would bring."""
        runs = self._run_all(HOME_RUNS, LIGHT_SAMPLE, at_a_time=1)  # else it is mostly waiting for cores
        light = self._collected(runs, "log_sync", self.workflow.name)
        from caribou.cli.demo_figures import light_lines  # noqa: PLC0415 - numpy takes its time

        for line in light_lines(self._problem_of(light), moving, (LIGHT_SAMPLE, light), (SAMPLE, records)):
            _console.print(line)

    def _problem_of(self, records: Sequence[RunRecord]) -> Problem:
        """The problem of some runs alone."""
        facts = read_facts(ControlPlane(target_of(self.root)).facts)
        graph, manifest = self.workflow.graph, self.workflow.manifest
        region = control_region(self.root)
        built = build_problem(
            graph=graph,
            manifest=manifest,
            facts=facts,
            records=records,
            control_region=region,
            now=datetime.now(UTC),
        )
        return parse_problem(built, f"the problem of {LIGHT_SAMPLE}")

    def _deploy(self, arguments: str) -> None:
        _say(f"cdk deploy {arguments}")
        log = self.cloud.state / "logs" / "cdk.log"
        with shown_progress(log, "Synthesising"):
            run_cdk(
                ["deploy", *arguments.split(), *stage_arguments(), "--require-approval", "never", "--concurrency", "4"],
                root=self.root,
                log=log,
            )

    def _run_all(self, count: int, sample: str = SAMPLE, at_a_time: int = AT_A_TIME) -> dict[str, float]:
        """Run it so many times with a sample; run id to seconds."""
        manifest = self.workflow.manifest
        samples = Samples(self.workflow, self.cloud.account)
        with Aws() as aws, aws_errors_as("Uploading samples"):
            samples.upload(aws.s3(manifest.home_region))
        payload = samples.payload(sample)
        _say(f"caribou run {self.workflow.name} -a @{_shown(samples.folder / sample, self.root)} --wait")
        runs = Runs(self.workflow.graph, manifest, stage(self.root), self.cloud.account)
        seconds: dict[str, float] = {}
        with _console.status("Running") as status:
            for ended in ended_runs(runs, payload, count, at_a_time):
                if ended.error is not None:
                    raise OperationFailedError(f"Run {ended.run.run_id} failed at {ended.failed_node}: {ended.error}")
                seconds[ended.run.run_id] = ended.seconds or 0.0
                status.update(f"{len(seconds)} of {count} runs have ended")
        _console.print(f"{count} runs succeeded, {min(seconds.values()):.1f} to {max(seconds.values()):.1f} s each")
        return seconds

    def _collected(self, runs: Collection[str], *command: str) -> list[RunRecord]:
        """Collect until each of these runs has left the record of a leaf, a moment after its end; their records."""
        _caribou(*command)
        plane, give_up = ControlPlane(target_of(self.root)), time.monotonic() + _RECORDS_LIMIT_S
        while True:
            records = [record for record in plane.records.read(self.workflow.name).records if record.run_id in runs]
            if {record.run_id for record in records if record.node in self.workflow.graph.leaves} == set(runs):
                return records
            if time.monotonic() > give_up:
                raise OperationFailedError(f"Not all of {len(runs)} runs left records. The log: {self.cloud.log}")
            time.sleep(0.5)
            _caribou("log_sync", self.workflow.name)

    def _solved(self) -> Placement:
        _caribou("problem", self.workflow.name, "-o", PROBLEM)
        _caribou("solve", "--problem", PROBLEM, "-o", SOLVED)
        return read_placement(self.root / SOLVED)


@contextmanager
def _local_cloud(workflow: Workflow, root: Path, *, keep: bool) -> Iterator[LocalCloud]:
    """A cloud of the demo's own; its state is the project's if it is kept, else a temporary folder."""
    state = root / KEPT_STATE if keep else Path(tempfile.mkdtemp(prefix="caribou-demo-"))
    _step(1, "Start a local cloud")
    _say("caribou local up" if keep else f"caribou local up --state {state}")
    regions = tuple(dict.fromkeys((workflow.manifest.home_region, control_region(root), *workflow.regions)))
    with _console.status(f"Starting, and bootstrapping {', '.join(regions)}"):
        cloud = LocalCloud.start(state, keep=keep, regions=regions)
    _console.print(f"AWS of this machine: {cloud.endpoint}, {len(regions)} regions")
    try:
        with cloud, cloud.environment():
            yield cloud
    except BaseException:
        cloud.stop()
        _console.print(f"Stopped. Logs: {state / 'logs'}", soft_wrap=True)
        raise
    if not keep:
        shutil.rmtree(state, ignore_errors=True)


def ended_runs(runs: Runs, payload: object, count: int, at_a_time: int) -> Iterator[RunItem]:
    """Start `count` runs, so many of them open at a time; each as it has ended, in the order of their starts."""
    started: deque[str] = deque()
    for _ in range(count):
        started.append(runs.start(payload))
        if len(started) == at_a_time:
            yield runs.wait(started.popleft(), limit_s=_RUN_LIMIT_S)
    for run_id in started:
        yield runs.wait(run_id, limit_s=_RUN_LIMIT_S)


def _caribou(*arguments: str) -> None:
    """Give a command of ours, and show it."""
    _say(f"caribou {' '.join(arguments)}")
    cli.main(list(arguments), standalone_mode=False)


def _step(number: int, text: str) -> None:
    _console.print(f"\n{number}. {text}", style="bold")


def _say(command: str) -> None:
    _console.print(f"$ {command}", style="cyan", soft_wrap=True)


def _shown(path: Path, root: Path) -> str:
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def _look_around(workflow: Workflow, cloud: LocalCloud, *, moved: bool) -> str:
    name, root = workflow.name, workflow.folder.parents[1]
    ours = (root / "uv.lock").is_file()
    pointing = (
        'eval "$(uv run caribou local env)"; source .venv/bin/activate' if ours else 'eval "$(caribou local env)"'
    )
    placed = f"  caribou plan {name} --placement home\n" if moved else ""
    return (
        f"\nThe local cloud is still running at {cloud.endpoint}. Look around, in {root}:\n"
        f"  {pointing}\n"
        f"  cdk list\n{placed}"
        "  caribou list\n"
        f"  caribou run {name} -a @workflows/{name}/{SAMPLES}/{SAMPLE} --wait\n"
        f"and back: cdk deploy Workflow-{name} -c placement=home\n"
        f"          caribou run_deployment_migrator {name} --wait-seconds 0\n"
        "and stop it: caribou local down"
    )
