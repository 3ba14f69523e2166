"""Two tables for a person: where a workflow's functions ran, and what a placement changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import mean

from rich.table import Table

from caribou.model.metric import Metric
from caribou.model.run.record import RunRecord
from caribou.solver import Estimate, Evaluation


def regions_table(records: Iterable[RunRecord], title: str) -> Table:
    """In which regions each node ran, and how often, by its run records."""
    ran: dict[str, Counter[str]] = {}
    for record in records:
        if not record.redirect:
            ran.setdefault(record.node, Counter())[record.region] += 1
    table = Table("node", "ran in (times)", title=title, title_justify="left")
    for node in sorted(ran, key=lambda name: int(name.rpartition(":")[2])):
        table.add_row(node, ", ".join(f"{region} ({times})" for region, times in ran[node].most_common()))
    return table


def comparison_table(evaluation: Evaluation, home_s: Sequence[float], placed_s: Sequence[float]) -> Table:
    """What a run emits, costs and takes: at home, as placed, and the difference.

    Modelled rows are the mean (and the tail, p95) of the solver's evaluation, the share that stays home counted.
    `home_s` and `placed_s` are run times in seconds, measured where all regions are one machine.
    """
    home, placed = evaluation.home, evaluation.placed
    table = Table(
        "a run, on average", "at home", "as placed", "change", title="What the move changes", title_justify="left"
    )
    table.add_row("operational carbon, mg CO2eq", *_means(home[Metric.CARBON], placed[Metric.CARBON], 1e3))
    table.add_row("cost, USD per million runs", *_means(home[Metric.COST], placed[Metric.COST], 1e6))
    table.add_row("run time with distances, s", *_means(home[Metric.RUNTIME], placed[Metric.RUNTIME], 1))
    table.add_row("  its 95th percentile, s", *_cells(home[Metric.RUNTIME].p95, placed[Metric.RUNTIME].p95))
    table.add_row("run time measured here, s", *_cells(mean(home_s), mean(placed_s)))
    return table


def _means(home: Estimate, placed: Estimate, unit: float) -> tuple[str, str, str]:
    return _cells(home.mean * unit, placed.mean * unit)


def _cells(home: float, placed: float) -> tuple[str, str, str]:
    change = f"{(placed / home - 1) * 100:+.1f} %" if home else "-"
    return _figure(home), _figure(placed), change


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
