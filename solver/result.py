"""What a solve found, as a placement: regions by hours, and how good they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from caribou.model.placement import Placement, Plan
from caribou.solver.analysis.infeasibility import limits_to_relax
from caribou.solver.analysis.out_of_sample import Fresh
from caribou.solver.search.hours import Choice
from caribou.solver.search.objective import Bound, Criteria
from caribou.solver.search.score_cache import Pool
from caribou.solver.simulation.evaluation import Metrics, significant
from caribou.solver.simulation.random_streams import Ints

SOLVER_NAME = "caribou"
SOLVER_VERSION = "2"
"""Raised when the same problem and seed may give another placement."""


@dataclass(frozen=True, slots=True)
class Solved:
    """A solve: what was scored, the criteria of 24 hours and of the day as one, and what was chosen by them."""

    pool: Pool
    criteria: tuple[Criteria, ...]
    choices: tuple[Choice, ...]
    static: Choice


def placement_of(solved: Solved) -> Placement:
    """The choices as a placement. Hours with the same regions share a plan."""
    pool, criteria, choices = solved.pool, solved.criteria, solved.choices
    evaluator, problem = pool.evaluator, pool.evaluator.problem
    fresh = Fresh(problem, evaluator.seed, evaluator.samples)
    groups: dict[bytes, list[int]] = {}
    for position, choice in enumerate(choices):
        groups.setdefault(choice.places.tobytes(), []).append(position)
    return Placement(
        workflow=problem.workflow.name,
        workflow_version=problem.workflow.version,
        home_region=problem.home_region,
        plans=tuple(
            _plan(pool, [criteria[i] for i in group], [choices[i] for i in group], fresh) for group in groups.values()
        ),
        origin={
            "solver": {
                "name": SOLVER_NAME,
                "version": SOLVER_VERSION,
                "seed": evaluator.seed,
                "samples": evaluator.samples,
                "evaluations": len(pool),
            },
            "static": _static(pool, criteria[-1], solved.static),
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


def _regions(pool: Pool, places: Ints) -> dict[str, str]:
    evaluator = pool.evaluator
    regions = {name: evaluator.regions[r] for name, r in zip(evaluator.problem.node_order, places, strict=True)}
    return {name: regions[name] for name in evaluator.problem.nodes}


def _static(pool: Pool, criteria: Criteria, choice: Choice) -> dict[str, Any]:
    """The best plan that is the same at all hours."""
    return {"regions": _regions(pool, choice.places), **_quality(pool, [criteria], [choice])}


def _plan(pool: Pool, criteria: Sequence[Criteria], choices: Sequence[Choice], fresh: Fresh) -> Plan:
    evaluator, hours = pool.evaluator, [choice.hour for choice in choices]
    quality = _quality(pool, criteria, choices)
    relax = {"relax": limits_to_relax(pool, criteria)} if quality["status"] == "infeasible" else {}
    return Plan(
        hours=tuple(hours),
        regions=_regions(pool, choices[0].places),
        report={
            **quality,
            **relax,
            "metrics": Metrics.of(evaluator.details(choices[0].places, hours)).to_json(),
            "home_metrics": Metrics.of(evaluator.details(evaluator.home, hours)).to_json(),
            "constraints": _constraints(pool, criteria, choices),
            "out_of_sample": fresh.report(choices[0].places, hours),
        },
    )


def _quality(pool: Pool, criteria: Sequence[Criteria], choices: Sequence[Choice]) -> dict[str, Any]:
    """Status (the worst of the hours), and the hours' mean objective and bound."""
    scores = pool.subset(pool.positions(choices[0].places[np.newaxis]))
    objective = float(np.mean([scores.mean(one.objective, one.hour)[0] for one in criteria]))
    bound = min(objective, float(np.mean([choice.bound for choice in choices])))
    status = "optimal" if all(choice.proven for choice in choices) else "feasible"
    if not all(choice.feasible for choice in choices):
        status = "infeasible"
    return {
        "status": status,
        "objective": significant(objective),
        "bound": significant(bound),
        "gap": significant((objective - bound) / objective) if objective > 0 else 0.0,
    }


def _constraints(pool: Pool, criteria: Sequence[Criteria], choices: Sequence[Choice]) -> list[dict[str, Any]]:
    """Each limit at the hour of the plan at which it is closest; binding if it is so at any."""
    scores = pool.subset(pool.positions(choices[0].places[np.newaxis]))
    reports = []
    for place in range(len(criteria[0].bounds)):
        at_hours = [(one, one.bounds[place]) for one in criteria]
        values = [float(bound.values(scores, one.hour)[0]) for one, bound in at_hours]
        slacks = [bound.limit - value for (_, bound), value in zip(at_hours, values, strict=True)]
        closest = int(np.argmin(slacks))
        reports.append(
            {
                "name": at_hours[closest][1].name,
                "limit": significant(at_hours[closest][1].limit),
                "value": significant(values[closest]),
                "slack": significant(slacks[closest]),
                "binding": any(_binds(pool, one, bound, choices[0]) for one, bound in at_hours),
            }
        )
    return reports


def _binds(pool: Pool, criteria: Criteria, bound: Bound, choice: Choice) -> bool:
    """Whether a placement that was scored would be better than the chosen one if this limit were not there."""
    position = int(pool.positions(choice.places[np.newaxis])[0])
    if bound.excess(pool.scores, criteria.hour)[position] > 0:
        return True
    free = criteria.without(bound)
    keys = free.keys(pool.scores, pool.places)
    best = free.best(keys, pool.places)
    return tuple(keys[best]) < tuple(keys[position])
