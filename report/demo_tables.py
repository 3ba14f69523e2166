"""For a person: where a workflow's functions ran, what a placement changes, and why another input stays home."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any, Self

from rich.table import Table

from caribou.model.metric import Metric
from caribou.model.placement import Placement
from caribou.model.run.record import RunRecord
from caribou.model.verdict import moves_anything
from caribou.solver import Evaluation


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
    Changes of means have their 95 % interval if the runs are observed ones. `home_s` and `placed_s` are run times in
    seconds, measured where all regions are one machine.
    """
    home, placed = evaluation.home[Metric.RUNTIME], evaluation.placed[Metric.RUNTIME]
    table = Table(
        "a run, on average", "at home", "as placed", "change", title="What the move changes", title_justify="left"
    )
    table.add_row("operational carbon, mg CO2eq", *_means(evaluation, Metric.CARBON, 1e3))
    table.add_row("cost, USD per million runs", *_means(evaluation, Metric.COST, 1e6))
    table.add_row("run time with distances, s", *_means(evaluation, Metric.RUNTIME, 1))
    table.add_row("  its 95th percentile, s", *_cells(home.p95, placed.p95))
    table.add_row("run time measured here, s", *_cells(mean(home_s), mean(placed_s)))
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
        return f"{self.data_bytes / 1e3:,.0f} KB for {self.cpu_s:.2g} s of CPU time"


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
    return f"{min(ends):+.0%} to {max(ends):+.0%}" if ends else ""


def _means(evaluation: Evaluation, metric: Metric, unit: float) -> tuple[str, str, str]:
    home, placed, change = _cells(evaluation.home[metric].mean * unit, evaluation.placed[metric].mean * unit)
    if metric not in evaluation.changes:
        return home, placed, change
    low, high = evaluation.changes[metric].mean
    return home, placed, f"{change} ({low * 100:+.1f} to {'?' if high is None else f'{high * 100:+.1f}'})"


def _cells(home: float, placed: float) -> tuple[str, str, str]:
    change = f"{(placed / home - 1) * 100:+.1f} %" if home else "-"
    return _figure(home), _figure(placed), change


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
