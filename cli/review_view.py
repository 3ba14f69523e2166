"""The review of a deployment, for a person, a pull request and programs: each workflow of its plan."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from caribou.cli.console import console
from caribou.cli.output import say
from caribou.cli.plan_view import SCHEMA, WIDTH
from caribou.control.deploy.checks import PlacedWorkflow
from caribou.control.deploy.difference import StackChange
from caribou.control.deploy.planning import DeployPlan
from caribou.control.deploy.steps import Action, Step, Thing
from caribou.model.placement import ALL_HOURS, Placement
from caribou.model.verdict import verdict_of
from caribou.report.review import NodeMove, Review, StackLine, review_markdown, review_screen


def reviews(plan: DeployPlan, changes: Sequence[StackChange], stage: str) -> list[Review]:
    """A review for each workflow of a plan. Steps of no workflow, such as the control plane's, are in the first."""
    first = plan.workflows[0].name
    return [_review(plan, placed, changes, stage, first=placed.name == first) for placed in plan.workflows]


def show_reviews(found: Sequence[Review], *, markdown: bool = False) -> None:
    """Print reviews: as tables, or as Markdown."""
    if markdown:
        say("\n".join(map(review_markdown, found)).rstrip("\n"))
        return
    terminal = console()
    for review in found:
        terminal.print(review_screen(review), width=min(WIDTH, terminal.width))


def reviews_json(verb: str, plan: DeployPlan, changes: Sequence[StackChange], stage: str) -> str:
    """A plan as the text of a JSON object: its steps, and what each workflow's review says."""
    steps = [step.to_json() for step in plan.steps]
    workflows = [_to_json(plan, placed, stage) for placed in plan.workflows]
    stacks = [change.to_json() for change in changes]
    said = {"schema": SCHEMA, "verb": verb, "steps": steps, "workflows": workflows, "stacks": stacks}
    return json.dumps(said, indent=1)


def _to_json(plan: DeployPlan, placed: PlacedWorkflow, stage: str) -> dict[str, Any]:
    deployed, placement = plan.deployed.get(placed.name), placed.placement
    return {
        "workflow": placed.name,
        "stage": stage,
        "deployed": None if deployed is None else _placement_json(deployed.placement),
        "placement": _placement_json(placement),
        "day": placement.origin.get("day"),
        "sensitivity": placement.origin.get("sensitivity"),
    }


def _placement_json(placement: Placement) -> dict[str, Any]:
    end, verdict = placement.expires_at, verdict_of(placement)
    return {
        "digest": placement.digest,
        "regions": sorted(placement.regions),
        "expires_at": None if end is None else end.isoformat(),
        "verdict": None if verdict is None else verdict.value,
    }


def _review(
    plan: DeployPlan, placed: PlacedWorkflow, changes: Sequence[StackChange], stage: str, *, first: bool
) -> Review:
    def concerns(step: Step) -> bool:
        return step.workflow == placed.name or (first and not step.workflow)

    deployed = plan.deployed.get(placed.name)
    return Review(
        before=None if deployed is None else deployed.placement,
        after=placed.placement,
        stage=stage,
        moves=[*_grouped(step for step in plan.moves if concerns(step))] if deployed else [*_placed(placed.placement)],
        stacks=[_line(change) for change in changes if concerns(change.step)],
        others=[
            f"{step.text}: {step.why}"
            for step in plan.steps
            if concerns(step) and step.action is not Action.MOVE and step.thing is not Thing.STACK
        ],
    )


def _line(change: StackChange) -> StackLine:
    step = change.step
    return StackLine(step.action, step.name, step.region, step.why, change.appear, change.go)


def _grouped(steps: Iterator[Step]) -> Iterator[NodeMove]:
    """Moves with the same regions and hours as one."""
    nodes: dict[tuple[str | None, str, tuple[int, ...]], list[str]] = {}
    for step in steps:
        nodes.setdefault((step.from_region, step.region, step.hours), []).append(step.name)
    return (NodeMove(tuple(names), *where) for where, names in nodes.items())


def _placed(placement: Placement) -> Iterator[NodeMove]:
    """Where each node of a placement is to run that was not deployed before."""
    hours: dict[tuple[str, str], list[int]] = {}
    for hour in ALL_HOURS:
        for node, region in placement.regions_at(hour).items():
            hours.setdefault((node, region), []).append(hour)
    nodes: dict[tuple[str, tuple[int, ...]], list[str]] = {}
    for (node, region), at in hours.items():
        nodes.setdefault((region, tuple(at)), []).append(node)
    return (NodeMove(tuple(names), None, *where) for where, names in nodes.items())
