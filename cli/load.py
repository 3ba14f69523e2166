"""`caribou load`: start many runs of a deployed workflow at given times, and say what became of them."""

from __future__ import annotations

import json
import math
import os
import re
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from caribou.cli.console import console, wide_console
from caribou.cli.numbers import Finite
from caribou.cli.output import say, write_whole
from caribou.cli.samples import Samples, argument_text, json_value
from caribou.cli.session import session
from caribou.control.load.arrivals import Replay, poisson, replayed
from caribou.control.load.driver import DeployedTarget, Load, LoadedRun
from caribou.control.load.summary import Spread, Summary, summary_of
from caribou.model.errors import InvalidInputError, OperationFailedError
from caribou.model.project.workflow import Workflow

SCHEMA = "caribou.load/1"
LATE_S = 0.25
"""If one start in twenty was later than this, the load was not the one that was asked for."""
_UNIT_S = {"s": 1.0, "min": 60.0}
_POSITIVE = Finite(min=0, min_open=True, max=1e6)


@dataclass(frozen=True, slots=True)
class Plan:
    """When runs are to arrive, as it was asked for."""

    rate: str | None
    arrivals: Path | None
    row: str | None
    duration_s: float | None
    speed: float | None
    seed: int

    def times(self) -> tuple[float, ...]:
        """The arrivals, in seconds from the beginning. Raises InvalidInputError."""
        if (self.rate is None) == (self.arrivals is None):
            raise InvalidInputError(
                "one of the two must be given, and not both", where="--rate, --arrivals", fix="give one of them"
            )
        return self._replayed(self.arrivals) if self.arrivals is not None else self._by_chance(self.rate or "")

    def to_json(self) -> dict[str, Any]:
        """The plan as a JSON object."""
        return {**asdict(self), "arrivals": None if self.arrivals is None else str(self.arrivals)}

    def _by_chance(self, rate: str) -> tuple[float, ...]:
        if self.duration_s is None:
            raise InvalidInputError("must be given with --rate", where="--duration", fix="give it in seconds")
        for option, value in (("--speed", self.speed), ("--row", self.row)):
            if value is not None:
                raise InvalidInputError("is for arrivals out of a file", where=option, fix="leave it out")
        return poisson(rate_per_s(rate), self.duration_s, self.seed)

    def _replayed(self, path: Path) -> tuple[float, ...]:
        duration_s = math.inf if self.duration_s is None else self.duration_s
        replay = Replay(str(path), self.speed or 1.0, duration_s, self.row, self.seed)
        try:
            with path.open(encoding="utf-8-sig", newline="") as lines:
                return replayed(lines, replay)
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInputError("can't be read", where=str(path), found=error, fix="name a file") from error


@click.command()
@click.argument("workflow")
@click.option(
    "-a",
    "--argument",
    "arguments",
    required=True,
    multiple=True,
    help="The payload: JSON, or @FILE with JSON in it. Given several times, runs take them in turn.",
)
@click.option("--rate", help="Mean rate of runs that arrive by chance: 2/s, 90/min.")
@click.option(
    "--arrivals",
    type=click.Path(path_type=Path),
    help="File of arrivals: an offset in seconds a line, or a CSV of counts a minute.",
)
@click.option("--row", help="Beginning of a name of the CSV's row to take.")
@click.option("--duration", "duration_s", type=_POSITIVE, help="Seconds for which runs arrive.")
@click.option("--speed", type=_POSITIVE, help="How many seconds of the file pass in one. Default: 1.")
@click.option("--seed", type=int, default=0, show_default=True, help="Decides what is left to chance.")
@click.option(
    "--limit",
    "limit_s",
    type=Finite(min=0),
    default=900.0,
    show_default=True,
    help="Seconds to wait after the last start, at most.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write the result, with each run, to this file.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def load(
    workflow: str,
    *,
    arguments: tuple[str, ...],
    rate: str | None,
    arrivals: Path | None,
    row: str | None,
    duration_s: float | None,
    speed: float | None,
    seed: int,
    limit_s: float,
    output: Path | None,
    as_json: bool,
) -> None:
    """Start runs of a deployed WORKFLOW at times by chance or out of a file, and say what became of them.

    Exit code 1 if a run was not started, did not succeed, or did not end in time.
    """
    plan = Plan(rate, arrivals, row, duration_s, speed, seed)
    with session() as here:
        definition = here.workflow(workflow)
        times = plan.times()
        texts = [argument_text(argument) for argument in arguments]  # mistakes are reported before AWS is asked
        if output is not None:
            _check_output(output)
        runs = here.runs_of(definition)
        payloads = [json_value(Samples(definition, runs.account).filled(text), where="-a") for text in texts]
        driven = Load(DeployedTarget(runs, here.aws, payloads), times, f"load-{uuid.uuid4().hex[:8]}")
        runs.state(driven.runs[0].run_id)  # raises for a workflow that is not deployed
        cut_short = _drive(driven, limit_s)
    summary = summary_of(driven.runs)
    head = _head(definition, plan, driven)
    try:
        if output is not None:
            _write(output, {**head, **summary.to_json(), "runs": [_run_json(run) for run in driven.runs]})
    finally:
        if as_json:
            say(json.dumps({**head, **summary.to_json()}, indent=1))
        else:
            wide_console().print(load_view(summary, f"Load {driven.name} of {definition.name}"), soft_wrap=True)
    _judge(summary, driven, cut_short)


def rate_per_s(text: str) -> float:
    """A rate such as 2/s or 90/min, in runs a second. Raises InvalidInputError."""
    match = re.fullmatch(r"(\d{1,6}(?:\.\d+)?)/(s|min)", text)
    if match is None or float(match[1]) == 0:
        raise InvalidInputError("is no rate", where="--rate", found=text, fix="write such as 2/s or 90/min")
    return float(match[1]) / _UNIT_S[match[2]]


def load_view(summary: Summary, title: str) -> RenderableType:
    """What became of a load, for a person."""
    parts: list[RenderableType] = [Text(title), Text(_counts(summary)), Text(), _times(summary)]
    if summary.failures:
        parts += [Text(), _failures(summary)]
    if summary.lateness_s is not None and summary.lateness_s.p95 > LATE_S:
        parts.append(
            Text(
                "warning: starts were late, so the load was not as planned: the driver, or SNS, did not keep up",
                "yellow",
            )
        )
    return Group(*parts)


def _check_output(path: Path) -> None:
    """Find out whether a file can be written; leaves what is there as it is. Raises InvalidInputError."""
    target = Path(os.path.realpath(path))  # a link may lead to where nothing is yet
    try:
        if not (path.parent.is_dir() and target.parent.is_dir()):
            raise InvalidInputError("there is no such folder", where="--output", found=path.parent, fix="make it first")
        is_new = not target.exists()
        if is_new or not (target.is_fifo() or target.is_char_device()):
            target.open("ab").close()
            NamedTemporaryFile(dir=target.parent).close()  # the result is written beside it first
        if is_new:
            target.unlink()
    except OSError as error:
        raise InvalidInputError(
            f"can't be written: {error.strerror}", where="--output", found=path, fix="name a file that can"
        ) from error


def _drive(driven: Load, limit_s: float) -> BaseException | None:
    """Drive the load, and show how it goes; what cut it short, if anything did."""
    with console(stderr=True).status("") as status:

        def show(load: Load) -> None:
            status.update(f"{load.sent} of {len(load.runs)} runs started, {load.ended} ended")

        try:
            driven.drive(limit_s, show)
        except (KeyboardInterrupt, Exception) as error:  # noqa: BLE001 - raised again once the result is printed
            return error
    return None


def _judge(summary: Summary, driven: Load, cut_short: BaseException | None) -> None:
    """Raises OperationFailedError unless all went well, and what nobody expected as it is."""
    if isinstance(cut_short, KeyboardInterrupt):
        raise OperationFailedError(
            f"Interrupted: {summary.started} of {summary.planned} runs were started, and go on by themselves"
        )
    if cut_short is not None:
        raise cut_short
    if summary.is_good:
        return
    trouble = f". The last look at them failed: {driven.trouble}" if summary.unfinished and driven.trouble else ""
    raise OperationFailedError(
        f"{summary.planned - summary.succeeded} of {summary.planned} runs did not succeed{trouble}"
    )


def _head(definition: Workflow, plan: Plan, driven: Load) -> dict[str, Any]:
    return {"schema": SCHEMA, "workflow": definition.name, "name": driven.name, "plan": plan.to_json()}


def _run_json(run: LoadedRun) -> dict[str, Any]:
    outcome = run.outcome
    return {
        "run_id": run.run_id,
        "planned_s": run.planned_s,
        "late_s": run.late_s,
        "state": None if outcome is None else outcome.state,
        "seconds": None if outcome is None else outcome.seconds,
        "regions": None if outcome is None else outcome.regions,
    }


def _write(path: Path, value: dict[str, Any]) -> None:
    try:
        write_whole(path, json.dumps(value, indent=1) + "\n")
    except OperationFailedError as error:
        raise OperationFailedError(f"{error}. The runs were started") from error


def _counts(summary: Summary) -> str:
    counted = {
        "succeeded": summary.succeeded,
        "failed": summary.failed,
        "expired": summary.expired,
        "unfinished": summary.unfinished,
        "not started": summary.planned - summary.started,
    }
    counts = ", ".join(f"{count} {what}" for what, count in counted.items() if count or what == "succeeded")
    return f"{summary.planned} runs: {counts}"


def _times(summary: Summary) -> Table:
    names = ("min", "mean", "p50", "p90", "p95", "p99", "max")
    table = Table("seconds", "runs", *names)
    for column in table.columns[1:]:
        column.justify = "right"
    for what, spread in _spreads(summary):
        numbers = [f"{getattr(spread, name):.3f}" for name in names] if spread is not None else []
        table.add_row(what, str(0 if spread is None else spread.count), *numbers)
    return table


def _spreads(summary: Summary) -> Iterator[tuple[str, Spread | None]]:
    yield "run, start to end", summary.seconds
    if len(summary.by_regions) > 1:
        for regions, spread in summary.by_regions.items():
            yield f"  in {', '.join(regions)}", spread
    yield "lateness of starts", summary.lateness_s


def _failures(summary: Summary) -> Table:
    table = Table("runs", "failed at", "error", "one of them")
    for failure in summary.failures:
        table.add_row(str(failure.runs), failure.node, Text(failure.error), failure.example)
    if summary.more_failures:
        table.add_row(str(summary.more_failures), "", "others", "")
    return table
