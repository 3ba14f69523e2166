"""Why each node is where it is, in words: see `solver/analysis/explanation.py` for what is behind them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from caribou.model.metric import Metric, limit_named
from caribou.report.hours import hours_text
from caribou.report.units import amount, amounts, per_cent
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
        yield f"In {where}: {_changes(move.change, objective, move.objective)}{_against(move)}."
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
    shown, allowed = amounts(metric, (value, limit), 5)
    return f"the {kind.bounds} of {metric.words} would be {shown}, above its {kind} limit of {allowed}"


def _pulls(pulls: Iterable[Pull], move: Move, objective: Metric) -> Iterator[str]:
    whole = abs(move.change[objective])
    for pull in [pull for pull in pulls if abs(pull.amount) >= PULLS_FROM * whole][:PULLS_SHOWN]:
        there = "more" if pull.amount > 0 else "less"
        keeps = "keeps it here" if pull.amount > 0 else f"draws it to {move.region}"
        more_or_less = amount(objective, abs(pull.amount))
        yield f"Its traffic with {pull.node} {keeps}: {more_or_less} {there} if it ran in {move.region}."


def _changes(change: Change, objective: Metric | None = None, share: float = 0.0) -> str:
    """The changes that there are; that of the objective with its share of home's."""
    shares = {objective: f" ({per_cent(share)} of home's)"}
    parts = [_change(metric, value) + shares.get(metric, "") for metric, value in change.items() if value]
    return ", ".join(parts) or "nothing changes"


def _change(metric: Metric, value: float) -> str:
    return f"{amount(metric, abs(value))} {'less' if value < 0 else 'more'} {metric.difference}".rstrip()


def _listed(words: Iterable[str]) -> str:
    *first, last = (*words,) or ("",)
    return f"{', '.join(first)} and {last}" if first else last
