"""The frontier of carbon, cost and tail latency as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from rich.table import Column, Table

from caribou.model.placement import PlanStatus
from caribou.report.units import change
from caribou.solver.analysis.frontier import Amounts, Frontier, Point


def frontier_table(frontier: Frontier) -> Table:
    """A row a point, least carbon first: changes against home, certificate, and where the nodes run."""
    tail = f"time p{frontier.problem.objective.tail_percentile:g}"
    title = "The frontier, average hour, against all nodes at home; * is what your limits and priorities choose"
    wide = (Column("certificate", no_wrap=True), Column("nodes", no_wrap=True))
    table = Table("", "carbon", "cost", tail, "limits", *wide, title=title, title_justify="left")
    if frontier.problem.objective.robust:
        table.caption = (
            "Carbon as the problem assumes it; * is the best in its worst corner, so another may have less here."
        )
    for number, point in enumerate(frontier.points, start=1):
        label = f"{number} *" if point.chosen else str(number)
        within = "within" if point.within_limits else "beyond"
        where = "\n".join(regions_text(point.regions).split(", "))
        table.add_row(label, *changes(point.amounts, frontier.home), within, certificate(point), where)
    return table


def changes(amounts: Amounts, home: Amounts) -> tuple[str, str, str]:
    """Carbon, cost and tail run time against home, in per cent."""
    return (
        change(amounts.carbon_g, home.carbon_g),
        change(amounts.cost_usd, home.cost_usd),
        change(amounts.runtime_tail_s, home.runtime_tail_s),
    )


def certificate(point: Point) -> str:
    """How good a point is known to be: `optimal`, or the gap."""
    status = str(point.certificate["status"])
    return status if status != PlanStatus.FEASIBLE else f"gap {point.certificate['gap']:.1%}"


def regions_text(regions: Mapping[str, str]) -> str:
    """How many nodes run where: `4 in ca-central-1, 1 in us-west-2`."""
    return ", ".join(f"{count} in {region}" for region, count in Counter(regions.values()).most_common())
