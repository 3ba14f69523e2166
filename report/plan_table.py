"""A placement for people: where each node runs at which hours, what that changes, and how good it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from caribou.model.metric import LimitKind, Metric, limit_named
from caribou.model.placement import Placement, Plan, PlanStatus
from caribou.model.schema.problem import Problem
from caribou.report.corners_table import corners_table
from caribou.report.hours import hours_text
from caribou.solver import ENOUGH_RUNS, Bounds, Evaluation, evaluate

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
    parts: list[RenderableType] = [_regions(problem, placement), evaluation_table(evaluation)]
    if any(plan.report.get("constraints") for plan in placement.plans):
        parts.append(_limits(placement))
    if (placement.origin.get("sensitivity") or {}).get("corners"):
        parts.append(corners_table(placement.origin["sensitivity"]))
    return Group(*parts, *(Text(line) for line in _verdicts(placement)))


def evaluation_table(evaluation: Evaluation) -> Table:
    """Means and 95th percentiles (p95) of carbon, cost and run time: all nodes at home, as placed, and the change.

    Of observed runs each figure has its 95 % interval below it.
    """
    table = Table("one run", "all at home", "as placed", "change", caption=interval_caption(evaluation))
    home, placed = evaluation.home, evaluation.placed
    for metric in Metric:
        change, both = evaluation.changes.get(metric), (home[metric], placed[metric])
        means = [figure(one.mean, one.ci95 if change else None) for one in both]
        tails = [figure(one.p95, one.p95_ci95) for one in both]
        table.add_row(
            f"{metric.heading}: mean", *means, change_of(both[0].mean, both[1].mean, change.mean if change else None)
        )
        table.add_row(
            f"{metric.heading}: p95", *tails, change_of(both[0].p95, both[1].p95, change.p95 if change else None)
        )
    return table


def interval_caption(evaluation: Evaluation) -> str | None:
    """What the intervals are. Those of few runs are too narrow: none of them may have what happens in one of ten."""
    runs = evaluation.runs
    if runs is None:
        return None
    if runs >= ENOUGH_RUNS:
        return "below a figure its 95 % interval, by the observed runs"
    return f"below a figure its interval, by {runs} of the {ENOUGH_RUNS} runs that it takes to be 95 % sure of one"


def _regions(problem: Problem, placement: Placement) -> Table:
    title = f"Where {placement.workflow} runs, by hour (UTC); * is away from home"
    table = Table("node", "home", *(hours_text(plan.hours) for plan in placement.plans), title=title)
    for node in problem.nodes:
        regions = [plan.regions[node] for plan in placement.plans]
        away = [f"{region} *" if region != placement.home_region else region for region in regions]
        table.add_row(node, placement.home_region, *away)
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
    yield f"{kind}: {metric}{whose}, {kind.bounds}, {metric.unit}"
    yield hours_text(plan.hours)
    yield _number(limit["limit"])
    yield _number(limit["value"]) + (" (violated)" if limit["slack"] < 0 else "")
    yield "yes" if limit["binding"] else "no"
    if "verdict" in limit:
        yield limit["verdict"]


def _verdicts(placement: Placement) -> Iterator[str]:
    for plan in placement.plans:
        if (status := plan.report.get("status")) is not None:
            gap = f"; at most {plan.report['gap']:.2%} above the bound" if status == PlanStatus.FEASIBLE else ""
            yield f"{hours_text(plan.hours)}: {_STATUS[status]}{gap}"


def figure(value: float, bounds: Bounds | None) -> str:
    """A figure, and its interval below it where it has one."""
    return _number(value) + _below(bounds, _number)


def change_of(home: float, placed: float, bounds: Bounds | None) -> str:
    """A change as a share of what it is of, and its interval below it where it has one."""
    return f"{_per_cent(placed / home - 1)}{_below(bounds, _per_cent)}" if home else "-"


def _below(bounds: Bounds | None, shown: Callable[[float], str]) -> str:
    if bounds is None:
        return ""
    low, high = bounds
    return f"\n{shown(low)} to {'?' if high is None else shown(high)}"


def _per_cent(share: float) -> str:
    return f"{share:+.1%}"


def _number(value: float) -> str:
    return f"{value:.4g}"
