"""Is a placement worth moving to? Pure: what is deployed, what was solved, and the time come in as values.

A move has its price (a deploy, cold starts, a region more to look after), so a placement that is hardly better than
what runs now is left alone, unless what runs now breaks a hard limit. Which limits a placement breaks, the solver says
(`caribou.solver.judge`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from caribou.model.errors import InvalidPlacementError
from caribou.model.placement import HOURS_A_DAY, Placement
from caribou.model.schema.problem import Problem
from caribou.solver import Judgement, judge

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

    Where `deployed` has expired, or is not for this problem, runs stay at `home`, which `solved` has to beat.
    """
    return weigh(solved, judge(problem, solved), deployed, _judged_now(problem, deployed, home, now), now)


def _judged_now(problem: Problem, deployed: Placement, home: Placement, now: datetime) -> Judgement:
    """The judgement on what runs now."""
    if deployed.is_expired(now):
        return judge(problem, home)
    try:
        return judge(problem, deployed)
    except InvalidPlacementError:
        return judge(problem, home)


def weigh(solved: Placement, new: Judgement, deployed: Placement, old: Judgement, now: datetime) -> MoveDecision:
    """The decision, once both are judged: `new` is of `solved`, `old` of what runs now. Limits come first."""
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
    return MoveDecision(put=True, reason=f"it saves {gain:.1%}")


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
