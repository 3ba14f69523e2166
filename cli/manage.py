"""`caribou manage_deployments`: is there a placement that is worth moving to? By hand or on a schedule."""

from __future__ import annotations

import click
from rich.console import Console

from caribou.cli.output import notify
from caribou.cli.session import ControlPlane, session
from caribou.control.plan.decide import Managed, Management
from caribou.model.errors import CaribouError, OperationFailedError
from caribou.report.plan_table import plan_table


@click.command("manage_deployments")
@click.argument("workflow", required=False)
def manage_deployments(workflow: str | None) -> None:
    """Solve anew, for WORKFLOW or all workflows; what is worth a move then waits for the migrator."""
    failures: list[str] = []
    with session() as here:
        management = Management(here.aws, here.target, ControlPlane(here.target), here.log_collection())
        for known in here.chosen(workflow):
            try:
                _show_managed(management.manage(known))
            except CaribouError as error:
                failures.append(f"{known.name}: {error}")
    if failures:
        raise OperationFailedError("\n".join(failures))


def _show_managed(managed: Managed) -> None:
    for warning in managed.warnings:
        notify(f"warning: {managed.workflow}: log collection: {warning}")
    if managed.problem is not None and managed.placement is not None:
        Console().print(plan_table(managed.problem, managed.placement))
    click.echo(f"{managed.workflow}: {managed.reason}")
    if managed.put:
        click.echo(f"It waits to be applied: `caribou run_deployment_migrator {managed.workflow}` deploys it")
