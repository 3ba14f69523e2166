"""Is a placement worth moving to? Pure: what is deployed, what was solved, and the time come in as values.

A move has its price (a deploy, cold starts, a region more to look after), so a placement that is hardly better than
what runs now is left alone, unless what runs now breaks a hard limit. So is one of which the observed runs are too few
to say that it saves, or that it meets the hard limits. Which limits a placement breaks, and how sure its saving is, the
solver says.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from caribou.model.errors import InvalidPlacementError
from caribou.model.placement import HOURS_A_DAY, Placement
from caribou.model.schema.problem import Problem
from caribou.solver import Judgement, Saving, judge, regions_left_out, saving_over

MIN_GAIN = 0.01
"""The share of the objective that a move has to save."""
RENEW_SHARE = 0.5
"""When less than this share of a validity is left, the same placement is put again, with a new expiry."""


@dataclass(frozen=True, slots=True)
class MoveDecision:
    """Whether the solved placement is worth applying, and why or why not."""

    put: bool
    reason: str


def decide(problem: Problem, solved: Placement, deployed: Placement, *, home: Placement, now: datetime) -> MoveDecision:
    """Whether to apply `solved` in place of `deployed`, both judged by the solver, by the problem of today.

    Where `deployed` has expired, or is not for this problem, runs stay at `home`, which `solved` has to beat. One that
    is in regions which a robust plan may not use gives way: nobody can say what it saves in its worst corner.
    """
    in_force = not deployed.is_expired(now) and deployed.workflow_version == problem.workflow.version
    if in_force and (left_out := sorted(deployed.regions & {*regions_left_out(problem)})):
        what = f"what runs now uses {', '.join(left_out)}, of which marginal intensity is not known"
        return MoveDecision(put=True, reason=f"{what}, and the plan is to be robust")
    current, old = _judged_now(problem, deployed, home, now)
    saving = None if problem.runs is None else saving_over(problem, solved, current)
    return weigh(solved, judge(problem, solved), deployed, old, now, saving=saving)


def _judged_now(problem: Problem, deployed: Placement, home: Placement, now: datetime) -> tuple[Placement, Judgement]:
    """What runs now, and the judgement on it."""
    if deployed.is_expired(now):
        return home, judge(problem, home)
    try:
        return deployed, judge(problem, deployed)
    except InvalidPlacementError:
        return home, judge(problem, home)


def weigh(
    solved: Placement,
    new: Judgement,
    deployed: Placement,
    old: Judgement,
    now: datetime,
    *,
    saving: Saving | None = None,
) -> MoveDecision:
    """The decision, once both are judged: `new` is of `solved`, `old` of what runs now. Limits come first.

    `saving` is what `solved` saves of it, with its interval; None where the runs say nothing of how sure it is.
    """
    if solved.digest == deployed.digest:
        return _renewal(solved, deployed, now)
    if old.broken and not new.broken:
        return MoveDecision(put=True, reason=f"what runs now breaks {_limits(old)}; this does not")
    if new.broken and not old.broken:
        return MoveDecision(put=False, reason=f"it breaks {_limits(new)}; what runs now does not")
    gain = 1 - new.objective / old.objective if old.objective > 0 else 0.0
    if gain < MIN_GAIN:
        return MoveDecision(
            put=False, reason=f"it would save {gain:.1%}, and a move is worth it from {MIN_GAIN:.0%} on"
        )
    if doubt := _doubt(new, saving):
        return MoveDecision(put=False, reason=f"the runs are too few to say that {doubt}")
    return MoveDecision(put=True, reason=f"it saves {gain:.1%}")


def _doubt(new: Judgement, saving: Saving | None) -> str:
    """What observed runs do not say of a placement and have to; empty if they say it all."""
    if saving is not None and not saving.is_surely_above(MIN_GAIN):
        between = "" if saving.ci95 is None else f": {saving.ci95[0]:+.1%} to {saving.ci95[1]:+.1%}"
        return f"it saves more than {MIN_GAIN:.0%}, by {saving.runs} runs{between}"
    if new.unsure:
        return f"{', '.join(f'the hard limit on {metric}' for metric in sorted(new.unsure))} is met"
    return ""


def _limits(judgement: Judgement) -> str:
    """The broken limits in words: `the hard limit on runtime, the hard limit on carbon (at 3 of 24 hours)`."""
    return ", ".join(
        f"the hard limit on {metric}" + (f" (at {len(hours)} of 24 hours)" if len(hours) < HOURS_A_DAY else "")
        for metric, hours in judgement.broken.items()
    )


def _renewal(solved: Placement, deployed: Placement, now: datetime) -> MoveDecision:
    if solved.expires_at is None or deployed.expires_at is None:
        return MoveDecision(put=False, reason="it is deployed")
    if deployed.expires_at - now < (solved.expires_at - now) * RENEW_SHARE:
        return MoveDecision(put=True, reason=f"it is deployed, and expires soon, at {deployed.expires_at}")
    return MoveDecision(put=False, reason=f"it is deployed, and holds until {deployed.expires_at}")
