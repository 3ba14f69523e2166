"""What a placement says beside its plan, in words: what its saving rests on, and what the solve itself took."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from caribou.model.placement import ALL_HOURS, Placement, Plan, PlanStatus
from caribou.report.hours import hours_text


def solve_notes(placement: Placement) -> list[str]:
    """As far as the placement has them: limits to relax, limits missed out of sample, static plan, savings, solve."""
    solver, sensitivity = placement.origin.get("solver") or {}, placement.origin.get("sensitivity")
    lines = [line for plan in placement.plans for line in (*_relax(plan), *_out_of_sample(plan))]
    if placement.origin.get("static") and len(placement.plans) > 1:
        lines.append(static_text(placement))
    lines += [sensitivity_text(sensitivity)] if sensitivity else []
    lines += [footprint_text(solver)] if solver.get("carbon_g") is not None else []
    return [*lines, toolkit_text(solver["toolkit_a_month"])] if "toolkit_a_month" in solver else lines


def static_text(placement: Placement) -> str:
    """What the best plan for all hours gives, next to the placement with its hours."""
    static, plans = placement.origin["static"], placement.plans
    hourly = sum(plan.report["objective"] * len(plan.hours) for plan in plans) / len(ALL_HOURS)
    more = f"{static['objective'] / hourly - 1:+.2%}" if hourly else "+0.00%"
    return f"The best single plan for all hours: {more} of what is minimised. So much is moving by the hour worth."


def _relax(plan: Plan) -> Iterator[str]:
    """Which limits to relax so that a placement meets them, and to what."""
    for limit in plan.report.get("relax") or ():
        needed = f"{limit['needed']:.4g} instead of {limit['limit']:.4g}"
        yield f"{hours_text(plan.hours)}: to be feasible, relax {limit['name']} to {needed}."


def _out_of_sample(plan: Plan) -> Iterator[str]:
    """The hard limits on runs that the plan was not chosen on, where they are not met there."""
    out_of_sample = plan.report.get("out_of_sample") or {}
    for limit in out_of_sample.get("limits", ()):
        if not limit["met"] and plan.report.get("status") != PlanStatus.INFEASIBLE:
            found = f"{limit['tail']:.5g}, limit {limit['limit']:.5g}"
            runs = f"{out_of_sample['samples']:,} runs out of sample"
            yield f"{hours_text(plan.hours)}: on {runs} {limit['name']} is NOT met ({found})."


def sensitivity_text(sensitivity: Mapping[str, Any]) -> str:
    """Whether the plan saves carbon, in one word, and between what its saving is by each kind of intensity."""
    if "verdict" not in sensitivity:
        return "Savings were worked out by an earlier version: solve again."
    verdict = sensitivity["verdict"].upper()
    runs = sensitivity["runs"]
    basis = "" if runs is None else f" ({_runs(runs)})"
    average, marginal = (_range(sensitivity, intensity) for intensity in ("average", "marginal"))
    text = f"Carbon: {verdict}{basis}. By average intensity {average}; by marginal intensity "
    text += marginal or f"not known ({', '.join(sensitivity['marginal_unknown'])})"
    text += ", with data in motion at 0.001 to 0.005 kWh/GB"
    if sensitivity["break_even_kwh_per_gb"] is not None:
        text += f"; break-even at {sensitivity['break_even_kwh_per_gb']:.2g} kWh/GB"
    return f"{text}."


def footprint_text(solver: Mapping[str, Any]) -> str:
    """What the solve took, and after how many runs it is paid back."""
    runs = solver["pays_back_after_runs"]
    paid = "no run saves carbon to pay it back" if runs is None else f"saved again after {_runs(runs)}"
    cost = "" if solver["cost_usd"] is None else f", {solver['cost_usd'] * 1e6:.3g} millionths of a USD"
    return (
        f"The solve itself: {solver['cpu_seconds']:.3g} CPU seconds, {solver['carbon_g'] * 1e3:.3g} mg CO2eq{cost} "
        f"(as a function in {solver['accounted_in']}); {paid}."
    )


def toolkit_text(month: Mapping[str, Any]) -> str:
    """What the toolkit takes in a month beside what the plan saves, and from how many runs on it is worth it."""
    runs = month["pays_from_runs"]
    paid = "no number of runs saves that" if runs is None else f"saved from {_runs(runs)} a month on"
    return (
        f"The toolkit a month, runs or not: {month['carbon_g']:.3g} g CO2eq, {paid}; {month['cost_usd']:.2g} USD (the "
        "sweeper at home, and the collectors, which all workflows share; how long they run is assumed)."
    )


def _range(sensitivity: Mapping[str, Any], intensity: str) -> str:
    """Between what the change is at the corners of a kind of intensity, intervals included; empty if there are none."""
    corners = [corner for corner in sensitivity["corners"] if corner["intensity"] == intensity]
    if not corners:
        return ""
    ends = [end for corner in corners for end in (corner["saving"], *(corner["ci95"] or ()))]
    return f"{-max(ends) + 0.0:+.1%} to {-min(ends) + 0.0:+.1%}"


def _runs(count: int) -> str:
    return "one run" if count == 1 else f"{count:,} runs"
