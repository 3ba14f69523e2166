"""May a region's stack go? Pure: facts in, a decision with its reasons out.

A region is retired when nothing can use it any more:

    flip            quiet_since            quiet_since + wait            + late
     |── runs that began before go on ──|── retries, stragglers ──|── logs appear ──|  read_to, retire
                                       (last run that failed or expired, or the flip)

1. the deployed placement uses it in no hour;
2. no open run's map names it;
3. `wait` (the longest timeout plus the maximum event age) has passed since the last moment at which an event for it
   can have come into being: the flip, or the end of a run that did not succeed, whose other branches may have gone on;
4. its failure queues are empty: what lies there could still be redriven;
5. no run that failed or expired and whose map names it has parked messages: a redrive would need the payloads and the
   sync state that rest there;
6. log collection has read its logs up to the last moment at which its functions can have logged, plus how late logs
   may be.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from caribou.collectors.log_collection import LATE_S
from caribou.control.deploy.steps import Action
from caribou.control.runs.run_table import RunUse
from caribou.model.placement import Placement
from caribou.model.template_contract import MAX_EVENT_AGE_S


@dataclass(frozen=True, slots=True)
class Rules:
    """How long to wait, in s: `wait_s` for stragglers, `late_s` for logs that appear late."""

    wait_s: float
    late_s: float = LATE_S

    @classmethod
    def of(cls, longest_timeout_s: float, wait_s: float | None = None) -> Rules:
        """The rules of a workflow; `wait_s` overrides the wait, and bounds how late logs may be by it."""
        if wait_s is None:
            return cls(longest_timeout_s + MAX_EVENT_AGE_S)
        return cls(wait_s, min(LATE_S, wait_s))


@dataclass(frozen=True, slots=True)
class HomeFacts:
    """What home says: the placement that it serves, since when (s, UTC), and whether nothing is being done to it."""

    placement: Placement
    flip_s: float
    status: str
    is_settled: bool


@dataclass(frozen=True, slots=True)
class RegionStackFacts:
    """What a region's stack says of itself. Times in s, UTC; `read_to_s` is None if its logs were never read.

    `redrivable` are the runs whose map names the region that failed, or expired, and can go on from parked messages.
    """

    region: str
    changed_s: float
    status: str
    is_busy: bool
    messages: int
    log_groups: int
    read_to_s: float | None
    redrivable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RetirementDecision:
    """What becomes of a region's stack (keep: it is used; wait; retire), and why; a wait has every reason there is."""

    region: str
    action: Action
    reasons: tuple[str, ...]


def decide(
    home: HomeFacts, facts: RegionStackFacts, uses: Iterable[RunUse], now_s: float, rules: Rules
) -> RetirementDecision:
    """Whether the region's stack may go now."""
    if facts.region in home.placement.regions or facts.region == home.placement.home_region:
        return RetirementDecision(facts.region, Action.KEEP, ("the deployed placement uses it",))
    uses = [use for use in uses if facts.region in use.regions]
    ended = [use for use in uses if not use.is_open(now_s)]
    checks = (
        _unsettled(home, facts),
        _runs(uses, now_s),
        _stragglers(_quiet_since_s(home, facts, ended), now_s, rules),
        _messages(facts),
        _redrivable(facts),
        _logs(facts, _last_log_s(home, facts, ended, rules), rules),
    )
    reasons = tuple(reason for reason in checks if reason is not None)
    if reasons:
        return RetirementDecision(facts.region, Action.WAIT, reasons)
    return RetirementDecision(facts.region, Action.RETIRE, ("nothing uses it any more",))


def _quiet_since_s(home: HomeFacts, facts: RegionStackFacts, ended: Iterable[RunUse]) -> float:
    """From when on no new event for the region comes into being. A region changed after home counts from there."""
    return max(home.flip_s, facts.changed_s, *(use.end_s() for use in ended if not use.succeeded), 0.0)


def _last_log_s(home: HomeFacts, facts: RegionStackFacts, ended: list[RunUse], rules: Rules) -> float:
    """The last moment at which the region's functions can have logged."""
    ends = (use.end_s() for use in ended)
    return max(_quiet_since_s(home, facts, ended) + rules.wait_s, *ends, 0.0)


def _unsettled(home: HomeFacts, facts: RegionStackFacts) -> str | None:
    if not home.is_settled:
        return f"the home stack is not settled: {home.status}"
    return f"its stack is being worked on: {facts.status}" if facts.is_busy else None


def _runs(uses: Iterable[RunUse], now_s: float) -> str | None:
    going_on = [use.run_id for use in uses if use.is_open(now_s)]
    return f"{_count(len(going_on), 'open run')} may still come to it, such as {going_on[0]}" if going_on else None


def _stragglers(quiet_since_s: float, now_s: float, rules: Rules) -> str | None:
    until = quiet_since_s + rules.wait_s
    return f"retries may come until {_time(until)}" if now_s < until else None


def _messages(facts: RegionStackFacts) -> str | None:
    return f"{_count(facts.messages, 'message')} in its failure queues" if facts.messages else None


def _redrivable(facts: RegionStackFacts) -> str | None:
    runs = facts.redrivable
    return (
        f"{_count(len(runs), 'failed run')} can be redriven with what rests there, such as {runs[0]}" if runs else None
    )


def _logs(facts: RegionStackFacts, last_s: float, rules: Rules) -> str | None:
    if not facts.log_groups:
        return None
    needed = last_s + rules.late_s
    if facts.read_to_s is None:
        return f"its logs were never read; needed: until {_time(needed)}"
    if facts.read_to_s < needed:
        return f"its logs were read until {_time(facts.read_to_s)}; needed: until {_time(needed)}"
    return None


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
