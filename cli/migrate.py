"""`caribou run_deployment_migrator`: the placement that waits is applied, and regions are retired."""

from __future__ import annotations

from collections.abc import Sequence

import click

from caribou.cli.cdk_deployer import CdkDeployer
from caribou.cli.consent import asker, consent
from caribou.cli.numbers import Finite
from caribou.cli.output import notify, say
from caribou.cli.plan_view import check_json, show_plan
from caribou.cli.session import session
from caribou.control.deploy.steps import Action, Step
from caribou.control.migrate.migrator import Migrator, Report
from caribou.control.migrate.planning import MigrationPlanner
from caribou.control.workflows import KnownWorkflow
from caribou.model.errors import CaribouError, InvalidInputError, OperationFailedError

_SHOWN = {Action.KEEP: "in use", Action.WAIT: "waits"}


@click.command("run_deployment_migrator")
@click.argument("workflow", required=False)
@click.option(
    "--wait-seconds",
    "wait_s",
    type=Finite(min=0),
    help="Wait so long for stragglers before a region is retired. Default: the longest timeout plus 6 h.",
)
@click.option("--no-deploy", is_flag=True, help="Only retire regions; leave the pending placement alone.")
@click.option("--forget-failed", is_flag=True, help="Retire regions even if failed runs could be redriven there.")
@click.option("--yes", is_flag=True, help="Do not ask about a placement that is not known to save.")
@click.option("--dry-run", is_flag=True, help="Only show the plan; nothing is changed.")
@click.option("--json", "as_json", is_flag=True, help="With --dry-run: print the plan as JSON.")
def run_deployment_migrator(
    workflow: str | None,
    wait_s: float | None,
    *,
    no_deploy: bool,
    forget_failed: bool,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Apply the solved placement that waits, then retire the regions that nothing uses any more.

    For WORKFLOW, or for all workflows. A region that can't go yet is listed with the reason, which is no failure.
    """
    check_json(as_json=as_json, dry_run=dry_run)
    with session() as here:
        planner = MigrationPlanner(here.aws, here.target, wait_s, forget_failed)
        known, deploy = here.chosen(workflow), not no_deploy
        refused: list[InvalidInputError] = []
        if dry_run:
            steps, failures = _planned(planner, known, deploy=deploy)
            show_plan("run_deployment_migrator", steps, as_json=as_json)
        else:
            ask = asker(yes=yes)
            migrator = Migrator(
                planner,
                CdkDeployer(here.root, notify),
                here.log_collection(),
                notify,
                lambda name, placement: consent({name: placement}, ask),
            )
            failures, refused = _migrated(migrator, known, deploy=deploy)
    if failures:
        raise OperationFailedError("\n".join([*failures, *map(str, refused)]))
    for error in refused[1:]:
        notify(f"Error: {error}")
    if refused:
        raise refused[0]


def _planned(
    planner: MigrationPlanner, workflows: Sequence[KnownWorkflow], *, deploy: bool
) -> tuple[list[Step], list[str]]:
    """The steps for some workflows, and what failed. One that can't be planned does not keep the others."""
    steps: list[Step] = []
    failures: list[str] = []
    for known in workflows:
        try:
            plan = planner.plan(known, deploy=deploy)
        except CaribouError as error:
            failures.append(str(error))
            continue
        if plan.applied is not None:
            consent({known.name: plan.applied.placement}, asker(yes=True))  # a dry run only says it
        steps.extend(plan.steps)
        failures.extend(plan.failures)
    return steps, failures


def _migrated(
    migrator: Migrator, workflows: Sequence[KnownWorkflow], *, deploy: bool
) -> tuple[list[str], list[InvalidInputError]]:
    """Migrate some workflows, and say what became of each; what failed, and what nobody has said yes to.

    Neither keeps the others.
    """
    failures: list[str] = []
    refused: list[InvalidInputError] = []
    for known in workflows:
        try:
            report = migrator.migrate(known, deploy=deploy)
        except InvalidInputError as error:
            refused.append(error)
            continue
        except CaribouError as error:
            report = Report(known.name, failures=(str(error),))
        _show(report)
        failures.extend(report.failures)
    return failures, refused


def _show(report: Report) -> None:
    if report.applied:
        say(f"{report.workflow}: {report.applied}")
    for decision in report.decisions:
        if decision.region in report.retired:
            say(f"{report.workflow}: {decision.region} is retired")
        elif decision.action is not Action.RETIRE:
            shown = f"{_SHOWN[decision.action]}: {'; '.join(decision.reasons)}"
            say(f"{report.workflow}: {decision.region} {shown}")
