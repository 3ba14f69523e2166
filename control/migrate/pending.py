"""The placement that waits to be applied: `<workflow>/solved.json` in the control plane's placement bucket.

`<workflow>/applied.json` beside it remembers which one was applied last, so that going back by hand is not undone.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from caribou.control.placement_bucket import SOLVED, Pending
from caribou.model.errors import InvalidPlacementError
from caribou.model.placement import Placement
from caribou.model.project.workflow import Workflow
from caribou.model.schema.placement import parse_placement


@dataclass(frozen=True, slots=True)
class PendingDecision:
    """What to do with a pending placement: apply it (then it is here), or not, and why."""

    placement: Placement | None
    reason: str


def judge(pending: Pending | None, workflow: Workflow, deployed: Placement, now: datetime) -> PendingDecision:
    """Whether the pending placement is to be applied. Pure."""
    if pending is None:
        return PendingDecision(None, "no placement is pending")
    if pending.sha256 == pending.applied_sha256:
        return PendingDecision(None, "the pending placement was applied before")
    where = f"{workflow.name}/{SOLVED}"
    try:
        placement = parse_placement(json.loads(pending.text), where)
        workflow.check(placement, where)
    except InvalidPlacementError as error:
        return PendingDecision(None, f"the pending placement is of no use: {error}")
    except (ValueError, RecursionError) as error:
        return PendingDecision(None, f"the pending placement is of no use: {where} is not JSON: {error}")
    return _compared(placement, deployed, now)


_CLOCKS_DIFFER = timedelta(hours=1)
"""How far a solver's clock may be ahead of ours: a placement of the future would keep every later one out."""


def _compared(placement: Placement, deployed: Placement, now: datetime) -> PendingDecision:
    solved_at = _solved_at(placement)
    if solved_at > now + _CLOCKS_DIFFER:
        reason = f"the pending placement is of the future: solved_at is {solved_at.isoformat()}. Solve again"
        return PendingDecision(None, reason)
    if placement.is_expired(now):
        return PendingDecision(None, f"the pending placement expired at {placement.expires_at}")
    if solved_at < min(_solved_at(deployed), now):
        return PendingDecision(None, "the pending placement is older than the deployed one")
    if placement.digest != deployed.digest:
        return PendingDecision(placement, f"{placement.summary} takes the place of {deployed.summary}")
    if _lasts_longer(placement, deployed):
        return PendingDecision(
            placement, f"{placement.summary} is deployed, and now holds until {placement.expires_at}"
        )
    return PendingDecision(None, "the pending placement is deployed")


def _lasts_longer(placement: Placement, deployed: Placement) -> bool:
    if deployed.expires_at is None:
        return False
    return placement.expires_at is None or placement.expires_at > deployed.expires_at


def _solved_at(placement: Placement) -> datetime:
    """When it was solved; what was not solved, such as home, is older than everything."""
    try:
        time = datetime.fromisoformat(str(placement.origin.get("solved_at")))
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return time if time.tzinfo else time.replace(tzinfo=UTC)
