"""Why each node is where it is, in words: see `solver/analysis/explanation.py` for what is behind them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from caribou.model.metric import Metric, limit_named
from caribou.report.hours import hours_text
from caribou.solver.analysis.explanation import Change, Move, MoveVerdict, Pull, Reason

PULLS_SHOWN = 2
PULLS_FROM = 0.1
"""A neighbour's pull is shown from this share of what the move changes."""


def explanation(reasons: Iterable[Reason], home: str, objective: Metric) -> Iterator[str]:
    """Paragraphs, one a node and region: a line that says where it is, then lines that say why, indented."""
    for reason in reasons:
        where = f"{reason.region} (home)" if reason.region == home else reason.region
        yield f"{reason.node} runs in {where}, {hours_text(reason.hours)}: {_summary(reason, objective)}."
        for line in _why(reason, home, objective):
            yield f"  {line}"


def _summary(reason: Reason, objective: Metric) -> str:
    verdicts = {move.verdict for move in reason.moves}
    if not reason.moves:
        return "it may run nowhere else"
    if MoveVerdict.BETTER in verdicts:
        return "a better region is known"
    if MoveVerdict.FORBIDDEN in verdicts:
        return "a limit holds it there"
    return f"nowhere that it may run has less {objective.words}"


def _why(reason: Reason, home: str, objective: Metric) -> Iterator[str]:
    for move in reason.moves:
        where = f"{move.region} (home)" if move.region == home else move.region
        yield f"In {where}: {_changes(move.change, move.objective)}{_against(move)}."
    if reason.moves:
        yield from _pulls(reason.pulls, reason.moves[0], objective)
    if reason.hop is not None:
        yield f"Runs enter at home and are redirected, which takes {_changes(reason.hop)}."
    if reason.cleaner:
        yield f"Not allowed, though electricity is cleaner: {_listed(reason.cleaner)}."
    if others := [region for region in reason.not_allowed if region not in reason.cleaner]:
        yield f"Not allowed, and no cleaner: {_listed(others)}."


def _against(move: Move) -> str:
    """What speaks against a move, beyond its change."""
    broken = _listed([_broken(name, *values) for name, values in move.breaks.items()])
    if move.verdict == MoveVerdict.BETTER:
        return ". Nothing forbids it: the solve did not look at everything, or minimised something else"
    if not broken:
        return ""
    return f". It can't: {broken}" if move.verdict == MoveVerdict.FORBIDDEN else f"; besides, {broken}"


def _broken(name: str, value: float, limit: float) -> str:
    kind, metric = limit_named(name)
    shown = _SHOWN[metric]
    return (
        f"the {kind.bounds} of {metric.words} would be {shown(value, 5)}, above its {kind} limit of {shown(limit, 5)}"
    )


def _pulls(pulls: Iterable[Pull], move: Move, objective: Metric) -> Iterator[str]:
    whole = abs(move.change.carbon_g if objective == Metric.CARBON else move.change.cost_usd)
    shown = _grams if objective == Metric.CARBON else _usd
    for pull in [pull for pull in pulls if abs(pull.amount) >= PULLS_FROM * whole][:PULLS_SHOWN]:
        there = "more" if pull.amount > 0 else "less"
        keeps = "keeps it here" if pull.amount > 0 else f"draws it to {move.region}"
        yield f"Its traffic with {pull.node} {keeps}: {shown(abs(pull.amount))} {there} if it ran in {move.region}."


def _changes(change: Change, objective: float | None = None) -> str:
    share = "" if objective is None else f" ({objective:+.1%} of home's)"
    parts = (
        _change(change.carbon_g, _grams, "more carbon{}", "less carbon{}").format(share),
        _change(change.cost_usd, _usd, "more", "less"),
        _change(change.runtime_tail_s, _seconds, "more tail run time", "less tail run time"),
    )
    return ", ".join(part for part in parts if part) or "nothing changes"


def _change(value: float, shown: Callable[[float], str], above: str, below: str) -> str:
    return f"{shown(abs(value))} {below if value < 0 else above}" if value else ""


def _grams(grams: float, digits: int = 3) -> str:
    return f"{_number(grams, digits)} g" if grams >= 0.1 else f"{_number(grams * 1e3, digits)} mg"


def _usd(usd: float, digits: int = 3) -> str:
    return f"{_number(usd * 1e6, digits)} USD a million runs"


def _seconds(seconds: float, digits: int = 3) -> str:
    return f"{_number(seconds, digits)} s" if seconds >= 0.1 else f"{_number(seconds * 1e3, digits)} ms"


_SHOWN: Mapping[Metric, Callable[..., str]] = {Metric.CARBON: _grams, Metric.COST: _usd, Metric.RUNTIME: _seconds}
"""How a value of a metric is written, in the unit that suits its size."""


def _number(value: float, digits: int) -> str:
    """So many digits, without an exponent: 28.21, 1,094."""
    return f"{float(f'{value:.{digits}g}'):,.10g}"


def _listed(words: Iterable[str]) -> str:
    *first, last = (*words,) or ("",)
    return f"{', '.join(first)} and {last}" if first else last
