"""What a placement says beside its plan, in words: what its saving rests on, and what the solve itself took."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from caribou.model.metric import Metric, limit_named
from caribou.model.placement import ALL_HOURS, Placement, Plan, PlanStatus
from caribou.model.verdict import Verdict
from caribou.report.hours import hours_text
from caribou.report.units import amount, amounts, number, per_cent


def solve_notes(placement: Placement) -> list[str]:
    """As far as the placement has them: limits to relax, limits missed, static plan, robust, verdict, solve, data."""
    solver, sensitivity = placement.origin.get("solver") or {}, placement.origin.get("sensitivity")
    lines = [line for plan in placement.plans for line in (*_relax(plan), *_out_of_sample(plan))]
    if placement.origin.get("static") and len(placement.plans) > 1:
        lines.append(static_text(placement))
    lines += list(within_lines(placement))
    lines += [robust_text(solver)] if solver.get("robust") else []
    lines += [verdict_text(sensitivity)] if sensitivity else []
    lines += [footprint_text(solver)] if solver.get("carbon_g") is not None else []
    lines += [toolkit_text(solver["toolkit_a_month"])] if "toolkit_a_month" in solver else []
    return [*lines, *data_lines(placement)]


def data_lines(placement: Placement) -> list[str]:
    """Which facts it rests on, and what is to be known of them."""
    data, solved_at = placement.origin.get("data") or {}, placement.origin.get("solved_at")
    lines = [f"Data: {data['sources']}."] if "sources" in data else []
    until, solved = _time(data.get("facts_valid_until")), _time(solved_at)
    if until is not None and solved is not None and until < solved:
        lines.append(f"THE DATA IS TOO OLD: it was to be used until {until:%Y-%m-%d %H:%M} UTC. Make the problem anew.")
    return lines


def _time(text: object) -> datetime | None:
    """A time in a file, UTC; None if it is none, as whoever wrote it may write what he likes."""
    try:
        time = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def static_text(placement: Placement) -> str:
    """What the best plan for all hours gives, next to the placement with its hours."""
    static, plans = placement.origin["static"], placement.plans
    hourly = sum(plan.report["objective"] * len(plan.hours) for plan in plans) / len(ALL_HOURS)
    more = per_cent(static["objective"] / hourly - 1 if hourly else 0.0, 2)
    return f"The best single plan for all hours: {more} of what is minimised. So much is moving by the hour worth."


def _relax(plan: Plan) -> Iterator[str]:
    """Which limits to relax so that a placement meets them, and to what."""
    for limit in plan.report.get("relax") or ():
        needed, now = amounts(limit_named(limit["name"])[1], (limit["needed"], limit["limit"]), 4)
        yield f"{hours_text(plan.hours)}: to be feasible, relax {limit['name']} to {needed} instead of {now}."


def within_lines(placement: Placement) -> Iterator[str]:
    """What was minimised in place of the metric of first priority, and how near to its least that is; else nothing."""
    asked = (placement.origin.get("solver") or {}).get("within")
    if asked is None:
        return
    then = Metric(asked["then"])
    for plan in placement.plans:
        if near := plan.report.get("near"):
            first, least = Metric(near["metric"]), near["limit"] / (1 + asked["share"])
            now, then_least = amounts(first, (near["value"], least))
            above = f"{near['value'] / least - 1:+.2%}" if least else "+0.00%"
            yield (
                f"{hours_text(plan.hours)}: the least {then.words} within {100 * asked['share']:.4g} % of the least "
                f"{first.words}: {above}, {now} a run instead of {then_least}."
            )


def _out_of_sample(plan: Plan) -> Iterator[str]:
    """The hard limits on runs that the plan was not chosen on, where they are not met there."""
    out_of_sample = plan.report.get("out_of_sample") or {}
    for limit in out_of_sample.get("limits", ()):
        if not limit["met"] and plan.report.get("status") != PlanStatus.INFEASIBLE:
            tail, allowed = amounts(limit_named(limit["name"])[1], (limit["tail"], limit["limit"]), 5)
            runs = f"{out_of_sample['samples']:,} runs out of sample"
            yield f"{hours_text(plan.hours)}: on {runs} {limit['name']} is NOT met ({tail}, limit {allowed})."


def robust_text(solver: Mapping[str, Any]) -> str:
    """By what a robust plan was chosen, and which regions could not be."""
    text = "Robust: carbon counts as in the worst corner of what is assumed."
    if left_out := solver.get("left_out"):
        text += f" No node may be in {', '.join(left_out)}, of which marginal intensity is not known."
    return text


def verdict_text(sensitivity: Mapping[str, Any]) -> str:
    """Whether the plan saves carbon, in one word, the runs that this rests on, and where saving and losing meet."""
    if "verdict" not in sensitivity:
        return "Savings were worked out by an earlier version: solve again."
    text = f"Carbon: {sensitivity['verdict'].upper()}{_basis(sensitivity)}."
    if sensitivity["break_even_kwh_per_gb"] is not None:
        energy = f"{number(sensitivity['break_even_kwh_per_gb'], 2)} kWh/GB"
        text += f" Saving and losing meet at {energy} between regions."
    if unknown := sensitivity["marginal_unknown"]:
        text += f" Marginal intensity is not known of {', '.join(unknown)}."
    return text


def _basis(sensitivity: Mapping[str, Any]) -> str:
    """How many runs it rests on, and, where they are too few, how many would do."""
    runs, needed = sensitivity["runs"], sensitivity.get("runs_needed")
    if runs is None:
        return " (a problem of the first schema, whose samples are no whole runs: how sure that is, is not known)"
    if sensitivity["verdict"] != Verdict.TOO_FEW:
        return f" ({_runs(runs)})"
    return f" ({_runs(runs)}; " + (f"about {needed:,} would do, an estimate)" if needed else "no number would do)")


def footprint_text(solver: Mapping[str, Any]) -> str:
    """What the solve took, and after how many runs it is paid back."""
    runs = solver["pays_back_after_runs"]
    paid = "no run saves carbon to pay it back" if runs is None else f"saved again after {_runs(runs)}"
    cost = "" if solver["cost_usd"] is None else f", {number(solver['cost_usd'])} USD"
    carbon = amount(Metric.CARBON, solver["carbon_g"])
    return (
        f"The solve itself: {number(solver['cpu_seconds'])} s of CPU time, {carbon} CO2eq{cost} "
        f"(as a function in {solver['accounted_in']}); {paid}."
    )


def toolkit_text(month: Mapping[str, Any]) -> str:
    """What the toolkit takes in a month beside what the plan saves, and from how many runs on it is worth it."""
    runs = month["pays_from_runs"]
    paid = "no number of runs saves that" if runs is None else f"saved from {_runs(runs)} a month on"
    carbon, cost = amount(Metric.CARBON, month["carbon_g"]), f"{number(month['cost_usd'], 2)} USD"
    return (
        f"The toolkit a month, runs or not: {carbon} CO2eq, {paid}; {cost} (the sweeper at home, and the collectors, "
        "which all workflows share; how long they run is assumed)."
    )


def _runs(count: int) -> str:
    return "one run" if count == 1 else f"{count:,} runs"
