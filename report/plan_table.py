"""A placement for people: where each node runs at which hours, what that changes, and how good it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from caribou.model.metric import LimitKind, Metric, Scale, limit_named
from caribou.model.placement import Placement, Plan, PlanStatus
from caribou.model.schema.problem import Problem
from caribou.report.corners_table import corners_table
from caribou.report.hours import hours_text
from caribou.report.units import change, on, per_cent, span
from caribou.solver import ENOUGH_RUNS, Bounds, Evaluation, evaluate

_DIGITS = 4
"""Of limits and what is held against them: they may lie near each other."""
_STATUS = {
    PlanStatus.OPTIMAL: "optimal: no placement is better on these runs",
    PlanStatus.FEASIBLE: "feasible: within the limits; a better placement may exist",
    PlanStatus.INFEASIBLE: "INFEASIBLE: no placement was found that meets the hard limits, so every node stays at home",
}


def plan_table(problem: Problem, placement: Placement) -> RenderableType:
    """Tables: regions by node and hours; a day's means and tails next to home; limits, if there are any; corners.

    Numbers are of one run, averaged over the 24 hours, on the drawn runs that the placement was solved with.
    """
    solver = placement.origin.get("solver") or {}
    evaluation = evaluate(
        problem, placement, seed=int(solver.get("seed", 0)), samples=int(solver.get("samples") or 2000)
    )
    parts: list[RenderableType] = [_regions(placement), evaluation_table(evaluation)]
    if any(plan.report.get("constraints") for plan in placement.plans):
        parts.append(_limits(placement))
    if (placement.origin.get("sensitivity") or {}).get("corners"):
        parts.append(corners_table(placement.origin["sensitivity"]))
    return Group(*parts, *(Text(line) for line in _verdicts(placement)))


def evaluation_table(evaluation: Evaluation) -> Table:
    """Means and 95th percentiles (p95) of carbon, cost and run time: all nodes at home, as placed, and the change.

    Of observed runs each figure has its 95 % interval below it.
    """
    title = "Predicted of one run, over the hours of a day"
    table = Table(
        "",
        "all at home",
        "as placed",
        "change",
        title=title,
        title_justify="left",
        caption=interval_caption(evaluation),
    )
    for metric in Metric:
        home, placed, bounds = evaluation.home[metric], evaluation.placed[metric], evaluation.changes.get(metric)
        scale = metric.scale(home.p95, placed.p95)
        means = [figure(one.mean, one.ci95 if bounds else None, scale) for one in (home, placed)]
        tails = [figure(one.p95, one.p95_ci95, scale) for one in (home, placed)]
        heading = metric.heading(scale)
        table.add_row(f"{heading}: mean", *means, change_of(home.mean, placed.mean, bounds.mean if bounds else None))
        table.add_row(f"{heading}: p95", *tails, change_of(home.p95, placed.p95, bounds.p95 if bounds else None))
    return table


def interval_caption(evaluation: Evaluation) -> str | None:
    """What the intervals are. Those of few runs are too narrow: none of them may have what happens in one of ten."""
    runs = evaluation.runs
    if runs is None:
        return None
    if runs >= ENOUGH_RUNS:
        return "below a figure its 95 % interval, by the observed runs"
    return f"below a figure its interval, by {runs} of the {ENOUGH_RUNS} runs that it takes to be 95 % sure of one"


def _regions(placement: Placement) -> Table:
    """A row a node and region, with its hours: however many plans a day has, 80 columns are enough."""
    title = f"Where {placement.workflow} runs: at home in {placement.home_region}, or elsewhere *"
    table = Table("node", "region", Column("hours (UTC)", overflow="fold"), title=title, title_justify="left")
    for node in placement.plans[0].regions:
        hours: dict[str, list[int]] = {}
        for plan in placement.plans:
            hours.setdefault(plan.regions[node], []).extend(plan.hours)
        for region, when in hours.items():
            first = region == placement.plans[0].regions[node]
            away = "" if region == placement.home_region else " *"
            table.add_row(node if first else "", f"{region}{away}", hours_text(when))
    return table


def _limits(placement: Placement) -> Table:
    said = any("verdict" in limit for plan in placement.plans for limit in plan.report.get("constraints") or ())
    table = Table("limit", "hours", "at most", "is", "holds back", *(["by the runs it"] if said else []))
    for plan in placement.plans:
        for limit in plan.report.get("constraints") or ():
            table.add_row(*_limit(plan, limit))
    return table


def _limit(plan: Plan, limit: dict[str, Any]) -> Iterator[str]:
    kind, metric = limit_named(limit["name"])
    whose = " (moved)" if kind == LimitKind.HARD and metric.tail_is_of_moved else ""  # runs that a placement moves
    scale = metric.scale(limit["limit"], limit["value"])
    shown = on(scale, _DIGITS)
    yield f"{kind}: {metric}{whose}, {kind.bounds}, {scale.unit}"
    yield hours_text(plan.hours)
    yield shown(limit["limit"])
    yield shown(limit["value"]) + (" (violated)" if limit["slack"] < 0 else "")
    yield "yes" if limit["binding"] else "no"
    if "verdict" in limit:
        yield limit["verdict"]


def _verdicts(placement: Placement) -> Iterator[str]:
    for plan in placement.plans:
        if (status := plan.report.get("status")) is not None:
            gap = f"; at most {plan.report['gap']:.2%} above the bound" if status == PlanStatus.FEASIBLE else ""
            yield f"{hours_text(plan.hours)}: {_STATUS[status]}{gap}"


def figure(value: float, bounds: Bounds | None, scale: Scale) -> str:
    """A figure, and its interval below it where it has one."""
    shown = on(scale)
    return shown(value) if bounds is None else f"{shown(value)}\n{span(*bounds, shown)}"


def change_of(home: float, placed: float, bounds: Bounds | None) -> str:
    """A change as a share of what it is of, and its interval below it where it has one."""
    return change(placed, home) if bounds is None or not home else f"{change(placed, home)}\n{span(*bounds, per_cent)}"
