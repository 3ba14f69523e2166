"""`caribou solve` and `caribou evaluate`: a problem's placement, and what a placement brings. They need no cloud."""

from __future__ import annotations

import hashlib
import json
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import NamedTemporaryFile

import click
from rich.console import Console

from caribou.model.errors import OperationFailedError
from caribou.model.schema.placement import read_placement
from caribou.model.schema.problem import read_problem
from caribou.report.plan_table import evaluation_table, plan_table
from caribou.solver import evaluate as evaluate_placement
from caribou.solver import solve as solve_problem
from caribou.solver import stamped

_file = click.Path(dir_okay=False, path_type=Path)
_seed = click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the drawn runs.")
_samples = click.option(
    "--samples", type=click.IntRange(min=20), default=2000, show_default=True, help="How many runs are drawn."
)
_problem = click.option(
    "--problem", "problem_file", type=_file, required=True, help="The problem: see `caribou problem`."
)


@click.command("solve")
@_problem
@click.option("-o", "--output", type=_file, default=Path("solved.json"), show_default=True, help="Where to write it.")
@_seed
@_samples
@click.option("--valid-days", type=click.FloatRange(min=0, min_open=True), default=7, show_default=True)
def solve(problem_file: Path, output: Path, seed: int, samples: int, valid_days: float) -> None:
    """Find where each node should run, at each hour of the day, and write it as a placement."""
    problem = read_problem(problem_file)
    digest = hashlib.sha256(problem_file.read_bytes()).hexdigest()
    began = time.perf_counter()
    solved_at = datetime.now(UTC).replace(microsecond=0)
    placement = stamped(
        solve_problem(problem, seed=seed, samples=samples),
        solved_at=solved_at,
        expires_at=solved_at + timedelta(days=valid_days),
        problem_sha256=digest,
        seconds=time.perf_counter() - began,
    )
    _write(output, json.dumps(placement.to_json(), indent=1) + "\n")
    Console().print(plan_table(problem, placement))
    click.echo(f"{output} written, valid until {placement.to_json()['expires_at']}")


@click.command("evaluate")
@_problem
@click.option("--placement", "placement_file", type=_file, required=True, help="The placement: a solved.json.")
@_seed
@_samples
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object instead of a table.")
def evaluate(problem_file: Path, placement_file: Path, seed: int, samples: int, *, as_json: bool) -> None:
    """Say what a placement emits, costs and takes over a day, next to all nodes at home."""
    problem = read_problem(problem_file)
    evaluation = evaluate_placement(problem, read_placement(placement_file), seed=seed, samples=samples)
    if as_json:
        click.echo(json.dumps(evaluation.to_json(), indent=1))
    else:
        Console().print(evaluation_table(evaluation))


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all: a reader never sees half a placement."""
    try:
        with NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            file.write(text)
        Path(file.name).chmod(0o644)
        os.replace(file.name, path)  # noqa: PTH105 - the words of the guarantee: atomic on POSIX
    except OSError as error:
        raise OperationFailedError(
            f"{path} can't be written: {error.strerror}. Check the folder and its rights."
        ) from None
