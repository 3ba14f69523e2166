"""`caribou run_deployment_migrator` and `manage_deployments`: the loop's turning, by hand or on a schedule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click
from rich.console import Console

from caribou.cli.cdk_deployer import CdkDeployer
from caribou.cli.collect import ControlPlane
from caribou.cli.deploy import all_subjects, target_of
from caribou.cli.project import project_root
from caribou.collectors.logs import CloudWatchLogReader
from caribou.collectors.records import DynamoRecordTable
from caribou.control.aws import Aws
from caribou.control.log_collection import RecordSync, function_names
from caribou.control.migrate.migrator import Migrator, Report
from caribou.control.migrate.retirement import Verdict
from caribou.control.plan.decide import Managed, Management
from caribou.control.stacks.deployed import DeployedStack, resources
from caribou.control.target import Target
from caribou.control.workflows import Subject
from caribou.model.errors import CaribouError, InvalidInputError, OperationFailedError
from caribou.model.registration import ControlNames
from caribou.report.plan_table import plan_table


@click.command("run_deployment_migrator")
@click.argument("workflow", required=False)
@click.option(
    "--wait-seconds",
    "wait_s",
    type=click.FloatRange(min=0),
    help="Wait so long for stragglers before a region is retired. Default: the longest timeout plus 6 h.",
)
@click.option("--no-deploy", is_flag=True, help="Only retire regions; leave the pending placement alone.")
@click.option("--forget-failed", is_flag=True, help="Retire regions even if failed runs could be redriven there.")
def run_deployment_migrator(
    workflow: str | None, wait_s: float | None, *, no_deploy: bool, forget_failed: bool
) -> None:
    """Apply the solved placement that waits, then retire the regions that nothing uses any more.

    For WORKFLOW, or for all workflows. A region that can't go yet is listed with the reason, which is no failure.
    """
    root = project_root()
    failures: list[str] = []
    with Aws() as aws:
        migrator = replace(_migrator(aws, root, wait_s), forget_failed=forget_failed)
        for subject in chosen(root, workflow):
            try:
                report = migrator.migrate(subject, deploy=not no_deploy)
            except CaribouError as error:
                report = Report(subject.name, failures=(str(error),))
            _show(report)
            failures.extend(report.failures)
    if failures:
        raise OperationFailedError("\n".join(failures))


@click.command("manage_deployments")
@click.argument("workflow", required=False)
def manage_deployments(workflow: str | None) -> None:
    """Solve anew, for WORKFLOW or all workflows; what is worth a move then waits for the migrator."""
    root = project_root()
    target = target_of(root)
    failures: list[str] = []
    with Aws() as aws:
        management = Management(aws, target, ControlPlane(root), record_sync(aws, target))
        for subject in chosen(root, workflow):
            try:
                _show_managed(management.manage(subject))
            except CaribouError as error:
                failures.append(f"{subject.name}: {error}")
    if failures:
        raise OperationFailedError("\n".join(failures))


def chosen(root: Path, workflow: str | None) -> Sequence[Subject]:
    """The workflow that is named, or all of the project and the registry."""
    known = all_subjects(root)
    if workflow is None:
        return known
    found = [subject for subject in known if subject.name in (workflow, workflow.replace("-", "_"))]
    if not found:
        raise InvalidInputError(
            "there is no such workflow, here or registered",
            where=workflow,
            fix=f"use one of {', '.join(subject.name for subject in known) or 'none yet'}",
        )
    return found


def record_sync(aws: Aws, target: Target) -> RecordSync:
    """Log sync into the control plane's record table."""

    def functions_of(stack: DeployedStack) -> Sequence[str]:
        return function_names(target.names(stack.workflow), resources(aws, stack, "AWS::Logs::LogGroup"))

    table = DynamoRecordTable(ControlNames(target.stage).record_table, target.control_region)
    return RecordSync(CloudWatchLogReader(), table, target.stage, functions_of)


def _migrator(aws: Aws, root: Path, wait_s: float | None) -> Migrator:
    target = target_of(root)
    return Migrator(aws, target, CdkDeployer(root, _tell), record_sync(aws, target), _tell, wait_s)


def _show(report: Report) -> None:
    if report.applied:
        click.echo(f"{report.workflow}: {report.applied}")
    for decision in report.decisions:
        if decision.region in report.retired:
            click.echo(f"{report.workflow}: {decision.region} is retired")
        elif decision.verdict is not Verdict.RETIRE:
            click.echo(f"{report.workflow}: {decision.region} {decision.verdict.value}: {'; '.join(decision.reasons)}")


def _show_managed(managed: Managed) -> None:
    for warning in managed.warnings:
        click.echo(f"warning: {managed.workflow}: log sync: {warning}", err=True)
    if managed.problem is not None and managed.placement is not None:
        Console().print(plan_table(managed.problem, managed.placement))
    click.echo(f"{managed.workflow}: {managed.reason}")
    if managed.put:
        click.echo(f"It waits to be applied: `caribou run_deployment_migrator {managed.workflow}` deploys it")


def _tell(message: str) -> None:
    click.echo(message, err=True)
