"""`caribou solve` and `caribou evaluate`: a problem's placement, and what a placement brings. They need no cloud."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import click

from caribou.cli.console import console, say_wrapped
from caribou.cli.next_step import after_solve
from caribou.cli.numbers import Finite, PerCent
from caribou.cli.output import notify, say, write_whole
from caribou.cli.output_file import OutputFile
from caribou.cli.picture_file import PictureFile, write_picture
from caribou.control.plan.finish import Clocks, SolveOptions, finished_placement, placement_text
from caribou.model.errors import InvalidInputError
from caribou.model.metric import Metric
from caribou.model.placement import Placement
from caribou.model.schema.placement import read_placement
from caribou.model.schema.problem import Problem
from caribou.model.schema.problem_file import read_problem
from caribou.model.verdict import doubt_of
from caribou.report.comparison import comparison_json, comparison_table
from caribou.report.explanation import explanation
from caribou.report.frontier_picture import frontier_picture
from caribou.report.frontier_table import frontier_table
from caribou.report.plan_table import plan_table
from caribou.report.solve_notes import solve_notes
from caribou.solver import compare
from caribou.solver.analysis.explanation import explain as explain_placement
from caribou.solver.analysis.frontier import LEVELS, frontier

_WIDTH = 110  # of explanations, in letters
SOLVED = "solved.json"
VALID_DAYS = 7.0
LONGEST_VALID_DAYS = 366
"""As in a manifest, `placement_days`."""

_file = click.Path(dir_okay=False, path_type=Path)
_seed = click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the drawn runs.")
_samples = click.option(
    "--samples",
    type=click.IntRange(min=20, max=1_000_000),
    default=2000,
    show_default=True,
    help="How many runs are drawn.",
)
_HELP_OF_PROBLEM = "The problem: see `caribou problem`."


@dataclass(frozen=True, slots=True)
class _Trade:
    """Where the frontier goes: its JSON, its picture, or neither; and how many limits are tried of each kind."""

    json_file: Path | None
    picture: Path | None
    points: int

    @property
    def is_wanted(self) -> bool:
        return self.json_file is not None or self.picture is not None


@click.command("solve")
@click.argument("workflow", required=False)
@click.option("--problem", "problem_file", type=_file, help=f"In place of WORKFLOW. {_HELP_OF_PROBLEM}")
@click.option(
    "-o", "--output", type=OutputFile(), default=Path("solved.json"), show_default=True, help="Where to write it."
)
@_seed
@_samples
@click.option(
    "--valid-days",
    type=Finite(min=0, min_open=True, max=LONGEST_VALID_DAYS),
    help="Days until the placement expires. Default: what WORKFLOW's manifest says, else 7.",
)
@click.option("--time-limit", type=Finite(min=0, min_open=True), help="Seconds after which a solve stops.")
@click.option(
    "--max-regions", type=click.IntRange(min=0), help="Use at most so many regions besides home over the day."
)
@click.option(
    "--switching-penalty",
    type=Finite(min=0),
    default=0.0,
    show_default=True,
    help="What moving a node from an hour to the next has to bring: a share of home's objective.",
)
@click.option(
    "--within",
    type=PerCent(),
    metavar="PER_CENT",
    help="Let the metric of first priority be so much above its least, as 5%, and minimise the second.",
)
@click.option(
    "--then",
    type=click.Choice([metric.value for metric in Metric]),
    help="With --within: minimise this metric instead of that of second priority.",
)
@click.option("--robust", is_flag=True, help="Take the plan that is best in the worst corner of what is assumed.")
@click.option("--explain", is_flag=True, help="Say in words why each node is where it is.")
@click.option("--pareto", type=OutputFile(), help="Write the frontier of carbon, cost and tail latency too, as JSON.")
@click.option("--picture", type=PictureFile(), help="Draw the frontier, as SVG or PNG by the file's ending.")
@click.option(
    "--points",
    type=click.IntRange(min=2, max=20),
    default=LEVELS,
    show_default=True,
    help="Limits that the frontier tries on cost, and on run time.",
)
def solve(  # noqa: PLR0917 - one a flag
    workflow: str | None,
    problem_file: Path | None,
    output: Path,
    seed: int,
    samples: int,
    valid_days: float | None,
    time_limit: float | None,
    max_regions: int | None,
    switching_penalty: float,
    within: float | None,
    then: str | None,
    robust: bool,  # noqa: FBT001 - a flag
    explain: bool,  # noqa: FBT001 - a flag
    pareto: Path | None,
    picture: Path | None,
    points: int,
) -> None:
    """Find where each node should run, at each hour of the day, and write it as a placement.

    For a deployed WORKFLOW: facts that are missing or old and new run records are collected first. Or for a file of
    `caribou problem`, which needs no cloud.
    """
    if then is not None and within is None:
        raise InvalidInputError("says what is minimised within a share", where="--then", fix="add --within 5%")
    problem, days = _asked_for(workflow, problem_file)
    second = None if then is None else Metric(then)
    options = SolveOptions(seed, samples, max_regions, switching_penalty, time_limit, robust, within, second)
    placement = finished_placement(
        problem, options, valid_days=days if valid_days is None else valid_days, clocks=Clocks()
    )
    write_whole(output, placement_text(placement))
    console().print(plan_table(problem, placement))
    for note in solve_notes(placement):
        say_wrapped(note)
    if doubt := doubt_of(placement):
        notify(f"warning: {doubt}")
    if explain:
        _explain(options.asked(problem), placement, seed, samples)
    _trade_offs(options.asked(problem), replace(options, robust=False, within=None), _Trade(pareto, picture, points))
    say(f"{output} written, valid until {placement.to_json()['expires_at']}")
    after_solve(placement, output)


def _asked_for(workflow: str | None, problem_file: Path | None) -> tuple[Problem, float]:
    """The problem, and for how many days its placement is valid. Raises InvalidInputError."""
    if (workflow is None) == (problem_file is None):
        raise InvalidInputError(
            "either a workflow or a problem's file is solved",
            where="caribou solve",
            found="neither" if workflow is None else "both",
            fix="give one of them: `caribou solve my_flow`, or `caribou solve --problem problem.json`",
        )
    if problem_file is not None:
        return read_problem(problem_file), VALID_DAYS
    from caribou.cli.fresh_problem import fresh_problem  # noqa: PLC0415 - boto3 is for who names a workflow

    owned, problem = fresh_problem(str(workflow))
    return problem, owned.manifest.placement_days


@click.command("evaluate")
@click.option("--problem", "problem_file", type=_file, required=True, help=_HELP_OF_PROBLEM)
@click.option(
    "--placement",
    "placement_files",
    type=_file,
    required=True,
    multiple=True,
    help="The placement: a solved.json. Several are compared with the first.",
)
@_seed
@_samples
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object instead of a table.")
def evaluate(problem_file: Path, placement_files: tuple[Path, ...], seed: int, samples: int, *, as_json: bool) -> None:
    """Say what a placement emits, costs and takes over a day, next to all nodes at home."""
    problem = read_problem(problem_file)
    comparison = compare(problem, [read_placement(file) for file in placement_files], seed=seed, samples=samples)
    names = [str(file) for file in placement_files]
    if as_json:
        [first, *others] = comparison.evaluations
        said = comparison_json(names, comparison) if others else first.to_json()
        say(json.dumps(said, indent=1))
    else:
        console().print(comparison_table(names, comparison))


def _explain(problem: Problem, placement: Placement, seed: int, samples: int) -> None:
    reasons = explain_placement(problem, placement, seed=seed, samples=samples)
    say()
    for line in explanation(reasons, problem.home_region, problem.objective.priority[0]):
        say_wrapped(line, _WIDTH)
    say()


def _trade_offs(problem: Problem, options: SolveOptions, wanted: _Trade) -> None:
    if not wanted.is_wanted:
        return
    sampling = {"seed": options.seed, "samples": options.samples}
    found = frontier(problem, options.solve, levels=wanted.points, **sampling)
    console().print(frontier_table(found))
    if wanted.json_file is not None:
        write_whole(wanted.json_file, json.dumps({**found.to_json(), **sampling}, indent=1) + "\n")
        say(f"{wanted.json_file} written")
    if wanted.picture is not None:
        write_picture(wanted.picture, frontier_picture(found))
        say(f"{wanted.picture} written")
