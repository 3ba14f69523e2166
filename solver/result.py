"""What a solve found, as a placement: regions by hours, and how good they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from caribou.model.placement import Placement, Plan, PlanStatus
from caribou.solver.analysis.infeasibility import limits_to_relax
from caribou.solver.analysis.out_of_sample import OutOfSample
from caribou.solver.analysis.sure_limits import SureLimit
from caribou.solver.search.hours import Choice, DayChoices, DayCriteria
from caribou.solver.search.objective import Bound, Criteria
from caribou.solver.search.score_cache import ScoreCache
from caribou.solver.search.within import Within
from caribou.solver.simulation.checks import Regions
from caribou.solver.simulation.ensemble import Ensemble
from caribou.solver.simulation.evaluation import Metrics
from caribou.solver.simulation.precision import significant
from caribou.solver.simulation.random_streams import Ints

SOLVER_NAME = "caribou"
SOLVER_VERSION = "3"
"""Raised when the same problem and seed may give another placement."""


@dataclass(frozen=True, slots=True)
class Solved:
    """A solve: what was scored, the criteria of the hours and of the static plan, and what was chosen by them.

    `left_out` are regions that no node may be in though the problem allows it, `within` what was asked for in place of
    the least of the first metric.
    """

    cache: ScoreCache
    criteria: DayCriteria
    choices: DayChoices
    left_out: tuple[str, ...] = ()
    within: Within | None = None


def placement_of(solved: Solved) -> Placement:
    """The choices as a placement. Hours with the same regions share a plan."""
    cache, criteria, choices = solved.cache, solved.criteria.hours, solved.choices.hours
    evaluator, problem = cache.evaluator, cache.evaluator.problem
    out_of_sample = OutOfSample(problem, evaluator.seed, evaluator.samples)
    used = {region for choice in choices for region in _regions(cache, choice.places).values()}
    ensemble = None if evaluator.weights is None else Ensemble.among(problem, used)
    groups: dict[bytes, list[int]] = {}
    for position, choice in enumerate(choices):
        groups.setdefault(choice.places.tobytes(), []).append(position)
    return Placement(
        workflow=problem.workflow.name,
        workflow_version=problem.workflow.version,
        home_region=problem.home_region,
        plans=tuple(
            _plan(cache, [criteria[i] for i in group], [choices[i] for i in group], out_of_sample, ensemble)
            for group in groups.values()
        ),
        origin={
            "solver": {
                "name": SOLVER_NAME,
                "version": SOLVER_VERSION,
                "seed": evaluator.seed,
                "samples": evaluator.samples,
                "evaluations": len(cache),
                **({"robust": True} if problem.objective.robust else {}),
                **({"left_out": list(solved.left_out)} if solved.left_out else {}),
                **_asked_within(solved.within),
            },
            "static": _static(cache, solved.criteria.static, solved.choices.static),
        },
    )


def stamped(
    placement: Placement, *, solved_at: datetime, expires_at: datetime, problem_sha256: str, seconds: float
) -> Placement:
    """The placement with what a pure solver can't know: times (aware datetimes) and the digest of the problem file."""
    return replace(
        placement,
        expires_at=expires_at.astimezone(UTC),
        origin={
            **placement.origin,
            "solved_at": solved_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "problem_sha256": problem_sha256,
            "solver": {**placement.origin["solver"], "seconds": round(seconds, 3)},
        },
    )


def _regions(cache: ScoreCache, places: Ints) -> dict[str, str]:
    evaluator = cache.evaluator
    regions = {name: evaluator.regions[r] for name, r in zip(evaluator.problem.node_order, places, strict=True)}
    return {name: regions[name] for name in evaluator.problem.nodes}


def _static(cache: ScoreCache, criteria: Criteria, choice: Choice) -> dict[str, Any]:
    """The best plan that is the same at all hours."""
    return {"regions": _regions(cache, choice.places), **_quality(cache, [criteria], [choice])}


def _plan(
    cache: ScoreCache,
    criteria: Sequence[Criteria],
    choices: Sequence[Choice],
    out_of_sample: OutOfSample,
    ensemble: Ensemble | None,
) -> Plan:
    evaluator, hours = cache.evaluator, [choice.hour for choice in choices]
    regions = _regions(cache, choices[0].places)
    placed = None if ensemble is None else ensemble.day([(regions, hours)])
    home = None if ensemble is None else ensemble.home(hours)
    quality = _quality(cache, criteria, choices)
    relax = {"relax": limits_to_relax(cache, criteria)} if quality["status"] == PlanStatus.INFEASIBLE else {}
    return Plan(
        hours=tuple(hours),
        regions=regions,
        report={
            **quality,
            **relax,
            "metrics": Metrics.of(evaluator.details(choices[0].places, hours), evaluator.weights, placed).to_json(),
            "home_metrics": Metrics.of(evaluator.details(evaluator.home, hours), evaluator.weights, home).to_json(),
            "constraints": _constraints(cache, criteria, choices, ensemble),
            **_near(cache, criteria, choices),
            **({} if evaluator.weights else {"out_of_sample": out_of_sample.report(choices[0].places, hours)}),
        },
    )


def _asked_within(within: Within | None) -> dict[str, Any]:
    return {} if within is None else {"within": {"share": within.share, "then": within.then.value}}


def _near(cache: ScoreCache, criteria: Sequence[Criteria], choices: Sequence[Choice]) -> dict[str, Any]:
    """What was to be near its least: the hours' mean of its limit, and of what the plan has."""
    limits = [(one.hour, one.within) for one in criteria if one.within is not None]
    if not limits:
        return {}
    scores = cache.subset(cache.positions(choices[0].places[np.newaxis]))
    metric = limits[0][1].metric
    return {
        "near": {
            "metric": metric.value,
            "limit": significant(float(np.mean([bound.limit for _, bound in limits]))),
            "value": significant(float(np.mean([scores.mean(metric, hour)[0] for hour, _ in limits]))),
        }
    }


def _quality(cache: ScoreCache, criteria: Sequence[Criteria], choices: Sequence[Choice]) -> dict[str, Any]:
    """Status (the worst of the hours), and the hours' mean objective and bound."""
    scores = cache.subset(cache.positions(choices[0].places[np.newaxis]))
    objective = float(np.mean([scores.mean(one.objective, one.hour)[0] for one in criteria]))
    bound = min(objective, float(np.mean([choice.bound for choice in choices])))
    return {
        "status": _status(choices).value,
        "objective": significant(objective),
        "bound": significant(bound),
        "gap": significant((objective - bound) / objective) if objective > 0 else 0.0,
    }


def _status(choices: Sequence[Choice]) -> PlanStatus:
    if not all(choice.feasible for choice in choices):
        return PlanStatus.INFEASIBLE
    return PlanStatus.OPTIMAL if all(choice.proven for choice in choices) else PlanStatus.FEASIBLE


def _constraints(
    cache: ScoreCache, criteria: Sequence[Criteria], choices: Sequence[Choice], ensemble: Ensemble | None
) -> list[dict[str, Any]]:
    """Each limit at the hour of the plan at which it is closest; binding if it is so at any."""
    scores, regions = cache.subset(cache.positions(choices[0].places[np.newaxis])), _regions(cache, choices[0].places)
    reports = []
    for place in range(len(criteria[0].bounds)):
        at_hours = [(one, one.bounds[place]) for one in criteria]
        values = [float(bound.values(scores, one.hour)[0]) for one, bound in at_hours]
        slacks = [bound.limit - value for (_, bound), value in zip(at_hours, values, strict=True)]
        closest = int(np.argmin(slacks))
        at, bound = at_hours[closest]
        reports.append(
            {
                "name": bound.name,
                "limit": significant(bound.limit),
                "value": significant(values[closest]),
                "slack": significant(slacks[closest]),
                "binding": any(_binds(cache, one, bound, choices[0]) for one, bound in at_hours),
                **({} if ensemble is None else _sure(ensemble, regions, bound, at.hour)),
            }
        )
    return reports


def _sure(ensemble: Ensemble, regions: Regions, bound: Bound, hour: int) -> dict[str, str]:
    """Whether the observed runs say that a limit is met at an hour."""
    limit = SureLimit(ensemble.problem.objective, bound.kind, bound.metric)
    return {"verdict": limit.verdict(ensemble.day([(regions, [hour])]), ensemble.home([hour])).value}


def _binds(cache: ScoreCache, criteria: Criteria, bound: Bound, choice: Choice) -> bool:
    """Whether a placement that was scored would be better than the chosen one if this limit were not there."""
    position = int(cache.positions(choice.places[np.newaxis])[0])
    if bound.excess(cache.scores, criteria.hour)[position] > 0:
        return True
    free = criteria.without(bound)
    keys = free.keys(cache.scores, cache.places)
    best = free.best(keys, cache.places)
    return tuple(keys[best]) < tuple(keys[position])
