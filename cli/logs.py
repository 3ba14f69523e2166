"""`caribou logs`: what a run's executions have written into their functions' logs."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime

import click

from caribou.cli.output import notify, say
from caribou.cli.run_lookup import Found, found_run
from caribou.cli.session import session
from caribou.control.runs.run_log import LogLine, RunLines
from caribou.control.runs.runs import RunState
from caribou.model.errors import InvalidInputError
from caribou.model.graph import Graph

_POLL_S = 2.0
_LATE_S = 6.0
"""How long after a run's end lines are still looked for: CloudWatch shows them some seconds late."""


@click.command()
@click.argument("run_id", metavar="RUN")
@click.option("-w", "--workflow", help="The workflow it is a run of. Default: looked for in all of them.")
@click.option("--node", help="Only the lines of this node, or function.")
@click.option("-f", "--follow", is_flag=True, help="Go on until the run has ended.")
@click.option("--all", "everything", is_flag=True, help="Lambda's own lines, run records and metrics too.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object a line.")
def logs(run_id: str, workflow: str | None, node: str | None, *, follow: bool, everything: bool, as_json: bool) -> None:
    """Print what the functions of the run RUN have logged, in the order of time, from all its regions."""
    with session() as here:
        found = found_run(run_id, workflow, here)
        nodes = nodes_of(node, found.runs.graph)
        shown: set[tuple[str, str, str]] = set()
        warned: set[str] = set()
        for lines in _read(found, nodes, follow=follow):
            for warning in _warnings(lines):
                if warning not in warned:
                    warned.add(warning)
                    notify(f"warning: {warning}")
            for line in lines.lines:
                key = (line.region, line.log_group, line.id)
                if key in shown or line.node not in nodes or (line.is_own and not everything):
                    continue
                shown.add(key)
                say(json.dumps(asdict(line)) if as_json else _shown(line, found))
    if not shown:
        notify(
            f"no lines of run {found.run_id} are in its logs: they come some seconds late, and are not kept for ever"
        )


def _read(found: Found, nodes: Iterable[str], *, follow: bool) -> Iterator[RunLines]:
    """The lines that there are; again and again until some seconds after the run's end, if it is followed."""
    functions = {found.runs.graph.node(node).function for node in nodes}
    item, ended_s = found.item, None
    while True:
        if ended_s is None and item.state is not RunState.RUNNING:
            ended_s = time.monotonic()
        yield found.runs.log(item, functions)
        if not follow or (ended_s is not None and _is_over(found, ended_s)):
            return
        time.sleep(_POLL_S)
        item = found.runs.state(found.run_id) or item


def _is_over(found: Found, ended_s: float) -> bool:
    """Whether nothing new is to be expected: the run had ended when it was looked for, or some seconds ago."""
    return found.item.state is not RunState.RUNNING or time.monotonic() - ended_s >= _LATE_S


def nodes_of(written: str | None, graph: Graph) -> set[str]:
    """The nodes that are meant: all, the one of a name, or those of a function. Raises InvalidInputError."""
    nodes = {node.name for node in graph.nodes if written in (None, node.name, node.function)}
    if not nodes:
        raise InvalidInputError(
            "there is no such node or function",
            where="--node",
            found=written,
            fix=f"use one of {', '.join(sorted(function.name for function in graph.functions))}",
        )
    return nodes


def _warnings(lines: RunLines) -> Iterator[str]:
    for region in lines.unseen:
        yield f"{region} does not answer: what was logged there is not shown"
    for region in lines.gone:
        yield f"{region} has no log of this workflow: it was retired, so what was logged there is gone"


def _shown(line: LogLine, found: Found) -> str:
    """A line for a person: when, who, and what; of the next lines of its text the text alone."""
    graph, home = found.runs.graph, found.runs.manifest.home_region
    function = graph.node(line.node).function
    is_alone = [node.function for node in graph.nodes].count(function) == 1
    place = "" if {home, *found.item.run.regions.values()} == {home} else f"@{line.region}"
    at = f"{datetime.fromtimestamp(line.at_ms / 1000, UTC):%H:%M:%S.%f}"[:-3]
    first, *rest = re.split(r"[\r\n]+", line.text)
    return "\n".join((f"{at} {function if is_alone else line.node}{place} {first}", *(f"  {text}" for text in rest)))
