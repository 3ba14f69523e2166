"""For a person: where a workflow's functions ran, what a placement changes, and why another input stays home."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any, Self

from rich.table import Table

from caribou.model.metric import Metric, Scale
from caribou.model.placement import Placement
from caribou.model.run.record import RunRecord
from caribou.model.verdict import moves_anything
from caribou.report.units import change, number, on, per_cent, span
from caribou.solver import Evaluation

PREDICTED, MEASURED = "predicted", "measured"


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
    """What a run emits, costs and takes: at home, as placed, and the difference; each row says how it is known.

    Predicted ones are the mean (and the tail, p95) of the solver's evaluation, with distances between regions, the
    share that stays home counted. Changes of means have their 95 % interval below if the runs are observed ones.
    `home_s` and `placed_s` are run times in seconds, measured where all regions are one machine.
    """
    title = "What the move changes, of one run"
    table = Table("", "basis", "at home", "as placed", "change", title=title, title_justify="left")
    for metric in Metric:
        table.add_row(*_predicted(evaluation, metric))
    home, placed, seconds = evaluation.home[Metric.RUNTIME], evaluation.placed[Metric.RUNTIME], Metric.RUNTIME.scale()
    name = Metric.RUNTIME.heading(seconds)
    table.add_row(f"{name}: p95", PREDICTED, *_cells(seconds, home.p95, placed.p95))
    table.add_row(f"{name}: mean, without distances", MEASURED, *_cells(seconds, mean(home_s), mean(placed_s)))
    return table


@dataclass(frozen=True, slots=True)
class Work:
    """What a run with an input does, on average: CPU time, s, and bytes of payloads and external data that it moves."""

    sample: str
    runs: int
    cpu_s: float
    data_bytes: float

    @classmethod
    def of(cls, sample: str, records: Sequence[RunRecord]) -> Self:
        """By the records of some runs, at least one."""
        runs = len({record.run_id for record in records})
        data = sum(record.bytes_out + record.external_bytes for record in records)
        return cls(sample, runs, sum(record.cpu_s for record in records) / runs, data / runs)

    def __str__(self) -> str:
        return f"{self.data_bytes / 1e3:,.0f} KB for {number(self.cpu_s, 2)} s of CPU time"


def other_input_lines(works: tuple[Work, Work], found: Placement, moved: Mapping[str, Any]) -> tuple[str, str]:
    """Two lines on an input: where its own problem puts it, and what another input's placement would make of it.

    `works` are its own and that of the input whose placement it is compared with; `found` is its own placement,
    `moved` its `sensitivity` under the other one.
    """
    own, other = works
    where = "moves too" if moves_anything(found) else "stays home"
    spans = {intensity: range_of(moved, intensity) for intensity in ("average", "marginal")}
    ranges = " and ".join(f"{span} by {intensity}" for intensity, span in spans.items() if span)
    change = f"With the plan above its carbon would change by {ranges} intensity, over all that is assumed"
    return (
        f"With {own.sample} it {where}: a run moves {own} ({other.sample}: {other}).",
        f"{change} ({own.runs} runs): {moved['verdict']}.",
    )


def range_of(sensitivity: Mapping[str, Any], intensity: str) -> str:
    """Between what the change is at the corners of a kind of intensity, intervals included; empty if there are none."""
    corners = [corner for corner in sensitivity["corners"] if corner["intensity"] == intensity]
    ends = [-end for corner in corners for end in (corner["saving"], *(corner["ci95"] or ()))]
    return span(min(ends), max(ends), lambda share: per_cent(share, 0)) if ends else ""


def _predicted(evaluation: Evaluation, metric: Metric) -> tuple[str, ...]:
    """The row of a metric's means, with the interval of their change if there is one."""
    home, placed = evaluation.home[metric].mean, evaluation.placed[metric].mean
    scale = metric.scale(home, placed)
    *cells, changed = _cells(scale, home, placed)
    if metric in evaluation.changes:
        changed += f"\n{span(*evaluation.changes[metric].mean, per_cent)}"
    return f"{metric.heading(scale)}: mean", PREDICTED, *cells, changed


def _cells(scale: Scale, home: float, placed: float) -> tuple[str, str, str]:
    shown = on(scale)
    return shown(home), shown(placed), change(placed, home)
