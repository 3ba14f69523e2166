"""Placements beside each other: what a run emits, costs and takes under each, and how sure the difference is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.table import Table

from caribou.model.metric import Metric
from caribou.report.plan_table import change_of, evaluation_table, figure, interval_caption
from caribou.solver import Bounds, Comparison, Metrics


def comparison_table(names: Sequence[str], comparison: Comparison) -> Table:
    """Of one placement its table next to home. Of several a column each, and what each differs from the first."""
    first, *others = comparison.evaluations
    if not others:
        return evaluation_table(first)
    labels = [_label(place) for place in range(len(names))]
    beside = [f"{label} beside {labels[0]}" for label in labels[1:]]
    legend = ", ".join(f"{label} is {name}" for label, name in zip(labels, names, strict=True))
    caption = "\n".join(filter(None, (legend, interval_caption(first))))
    table = Table("one run, predicted", "all at home", *labels, *beside, caption=caption)
    for metric in Metric:
        table.add_row(*_row(comparison, metric, "mean"))
        table.add_row(*_row(comparison, metric, "p95"))
    return table


def comparison_json(names: Sequence[str], comparison: Comparison) -> dict[str, Any]:
    """Each placement as `evaluate` has it, by its file, and of observed runs the differences from the first."""
    found = [
        {"file": name, **evaluation.to_json()} for name, evaluation in zip(names, comparison.evaluations, strict=True)
    ]
    differences = [
        {"file": name, "against": names[0], "changes": {m.field: change.to_json() for m, change in changes.items()}}
        for name, changes in zip(names[1:], comparison.differences, strict=False)
    ]
    return {"placements": found, "differences": differences}


def _label(place: int) -> str:
    return chr(ord("A") + place)


def _row(comparison: Comparison, metric: Metric, what: str) -> Iterator[str]:
    evaluations = comparison.evaluations
    shown = (evaluations[0].home, *(one.placed for one in evaluations))
    scale = metric.scale(*(metrics[metric].p95 for metrics in shown))
    yield f"{metric.heading(scale)}: {what}"
    for metrics in shown:
        bounds = _bounds(metrics, metric, what) if comparison.differences else None
        yield figure(_value(metrics, metric, what), bounds, scale)
    first = _value(evaluations[0].placed, metric, what)
    for place, one in enumerate(evaluations[1:]):
        change = comparison.differences[place][metric] if comparison.differences else None
        yield change_of(first, _value(one.placed, metric, what), None if change is None else getattr(change, what))


def _value(metrics: Metrics, metric: Metric, what: str) -> float:
    return float(getattr(metrics[metric], what))


def _bounds(metrics: Metrics, metric: Metric, what: str) -> Bounds | None:
    return metrics[metric].ci95 if what == "mean" else metrics[metric].p95_ci95
