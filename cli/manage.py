"""`caribou manage_deployments`: is there a placement that is worth moving to? It waits for the migrator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from caribou.cli.collection import notes_of
from caribou.cli.console import console, say_wrapped
from caribou.cli.hints import staged
from caribou.cli.output import notify, say
from caribou.cli.project import collected_every
from caribou.cli.session import ControlPlane, Session, session
from caribou.control.plan.noted import FACT_NOTES, REGION_NOTES
from caribou.model.errors import CaribouError, OperationFailedError
from caribou.model.verdict import doubt_of

if TYPE_CHECKING:
    from caribou.control.plan.review import Review, Reviewer


@click.command("manage_deployments")
@click.argument("workflow", required=False)
def manage_deployments(workflow: str | None) -> None:
    """Solve anew, for WORKFLOW or all workflows; what is worth a move then waits for the migrator."""
    failures: list[str] = []
    with session() as here:
        reviewer: Reviewer | None = None
        for known in here.chosen(workflow):
            notify(f"{known.name}: reading its facts, logs and runs, and solving")
            reviewer = reviewer or _reviewer(here)
            try:
                _show_review(reviewer.review(known))
            except CaribouError as error:
                failures.append(f"{known.name}: {error}")
    if failures:
        raise OperationFailedError("\n".join(failures))


def _reviewer(here: Session) -> Reviewer:
    from caribou.control.plan.review import Reviewer  # noqa: PLC0415 - numpy takes its time: something is said before

    return Reviewer(
        here.aws, here.target, ControlPlane(here.target), here.log_collection(), every=collected_every(here.root)
    )


def _show_review(review: Review) -> None:
    from caribou.report.plan_table import plan_table  # noqa: PLC0415 - numpy takes its time
    from caribou.report.solve_notes import solve_notes  # noqa: PLC0415

    for warning in review.warnings:
        notify(f"warning: {review.workflow}: log collection: {warning}")
    for note in notes_of(review.problem.provenance, (*FACT_NOTES, *REGION_NOTES)) if review.problem is not None else ():
        notify(f"warning: {review.workflow}: {note}")
    if review.problem is not None and review.placement is not None:
        console().print(plan_table(review.problem, review.placement))
        for note in solve_notes(review.placement):
            say_wrapped(note)
    say(f"{review.workflow}: {review.reason}")
    if review.put and review.placement is not None:
        doubt = doubt_of(review.placement)
        asks = f", and asks first, as {doubt}" if doubt else ""
        waits = f"It waits to be applied: `caribou run_deployment_migrator {review.workflow}` deploys it{asks}"
        say(staged(waits))
