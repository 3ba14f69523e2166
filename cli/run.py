"""`caribou run`: start a run of a deployed workflow, and wait for its end."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from caribou.cli.account import current_account
from caribou.cli.project import project_root, stage, workflow_folder
from caribou.cli.samples import Samples, json_value, read_text
from caribou.control.runs import Runs, RunState
from caribou.model.errors import OperationFailedError
from caribou.model.schema.workflow import Workflow, read_workflow

_console = Console(stderr=True, highlight=False)


@click.command()
@click.argument("workflow")
@click.option("-a", "--argument", required=True, help="The payload: JSON, or @FILE with JSON in it.")
@click.option("--name", help="A name for the run: started twice under one name, it is one run.")
@click.option("--wait", is_flag=True, help="Wait for the run's end; exit code 1 if it fails.")
@click.option("--timeout", "limit_s", default=900.0, show_default=True, help="Seconds to wait at most.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def run(workflow: str, argument: str, name: str | None, *, wait: bool, limit_s: float, as_json: bool) -> None:
    """Start a run of a deployed WORKFLOW at its home region, and print the run's id."""
    root = project_root()
    definition = read_workflow(workflow_folder(workflow, root))
    text = read_text(Path(argument[1:])) if argument.startswith("@") else argument
    json_value(text, where="-a")  # a mistake is told before AWS is asked which account this is
    account = current_account(definition.manifest.home_region)
    payload = json_value(Samples(definition, account).filled(text), where="-a")
    runs = Runs(definition.graph, definition.manifest, stage(root), account)
    run_id = runs.start(payload, name)
    if not wait:
        click.echo(json.dumps({"run_id": run_id}) if as_json else run_id)
        return
    with _console.status(f"Run {run_id}"):
        ended = runs.wait(run_id, limit_s=limit_s)
    _show(ended, definition, as_json=as_json)
    if ended.error is not None:
        raise OperationFailedError(f"Run {run_id} failed at {ended.failed_node}: {ended.error}")


def _show(ended: RunState, workflow: Workflow, *, as_json: bool) -> None:
    run, home = ended.run, workflow.manifest.home_region
    regions = {node.name: run.region_of(node.name, home) for node in workflow.graph.nodes}
    if as_json:
        said = {"run_id": run.run_id, "state": ended.state, "seconds": round(ended.seconds, 3), "regions": regions}
        click.echo(
            json.dumps({**said, "stays_home": run.stays_home, "failed_node": ended.failed_node, "error": ended.error})
        )
        return
    table = Table("node", "region", title=f"Run {run.run_id}: {ended.state} in {ended.seconds:.2f} s")
    for node, region in regions.items():
        table.add_row(node, region)
    Console(highlight=False).print(table)
