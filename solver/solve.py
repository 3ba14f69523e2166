"""From a problem to its placement."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from caribou.model.errors import InvalidInputError
from caribou.model.metric import Metric
from caribou.model.placement import ALL_HOURS, Placement
from caribou.model.schema.problem import Problem
from caribou.solver.result import Solved, placement_of
from caribou.solver.search.day import choose_with_few_regions, with_better_static, with_fewer_moves
from caribou.solver.search.hourly import Hourly
from caribou.solver.search.hours import DayCriteria
from caribou.solver.search.objective import Criteria, tails_needed
from caribou.solver.search.score_cache import ScoreCache
from caribou.solver.search.within import Within, criteria_within
from caribou.solver.simulation.carbon_and_cost import DAY
from caribou.solver.simulation.checks import check_sampling
from caribou.solver.simulation.worst_corner import WorstCornerEvaluator, candidates, evaluator_of, regions_left_out


def _never() -> bool:
    return False


def solve(
    problem: Problem,
    *,
    seed: int = 0,
    samples: int = 2000,
    max_regions: int | None = None,
    switching_penalty: float = 0.0,
    within: Within | None = None,
    should_stop: Callable[[], bool] = _never,
) -> Placement:
    """The best placement found, for every hour of the day; each plan's `report` says how good it is.

    `max_regions`: at most so many regions besides home are used over the day. `switching_penalty`: what a node's move
    from one hour to the next has to bring, as a share of home's objective in that hour. `within`: not the least of the
    metric of first priority, but the least of another one within a share of it. `should_stop` is asked now and then;
    once it says yes, the best so far is returned with a bound that holds. Where the problem's objective is robust,
    carbon is that of the worst corner (`worst_corner`), and regions that can't be judged so are not used.

    Pure: the same problem, options, seed and number of samples give the same placement, unless `should_stop` cuts in.
    Times (solved_at, expires_at, seconds) and the problem's digest are the caller's: see `stamped`. Where no placement
    meets the hard limits, the plan is home, its status `infeasible`, and `relax` says which limits to relax.
    """
    check_sampling(seed, samples)
    _check_options(max_regions, switching_penalty)
    _check_within(problem, within)
    evaluator = evaluator_of(candidates(problem), seed, samples, tails_needed(problem.objective))
    cache = ScoreCache(evaluator)
    criteria = criteria_of_day(cache)
    choices = choose_with_few_regions(cache, criteria, max_regions, should_stop)
    if within is not None:
        criteria = criteria_within(cache, criteria, choices, within)
        choices = choose_with_few_regions(cache, criteria, max_regions, should_stop)
    if switching_penalty > 0:
        choices = with_fewer_moves(cache, criteria, choices, switching_penalty)
    if isinstance(evaluator, WorstCornerEvaluator):
        choices = with_better_static(cache, criteria, choices, evaluator.day_share)
    return placement_of(Solved(cache, criteria, choices, regions_left_out(problem), within))


def criteria_of_day(cache: ScoreCache) -> DayCriteria:
    """The criteria of each hour, and of one plan for all of them."""
    home = cache.subset(np.array([0]))
    hours = tuple(Criteria.of(cache.evaluator, home, hour) for hour in ALL_HOURS)
    return Hourly(hours, Criteria.of_day(hours, Criteria.of(cache.evaluator, home, DAY)))


def _check_options(max_regions: int | None, switching_penalty: float) -> None:
    """Raise InvalidInputError unless the options make sense."""
    if max_regions is not None and max_regions < 0:
        raise InvalidInputError("is negative", where="max_regions", found=max_regions, fix="use 0 or more")
    if not 0 <= switching_penalty < np.inf:
        raise InvalidInputError(
            "is not a share", where="switching_penalty", found=switching_penalty, fix="use 0 or more, such as 0.01"
        )


def _check_within(problem: Problem, within: Within | None) -> None:
    """Raise InvalidInputError if nothing can be near the best in the first metric and best in another."""
    if within is None:
        return
    if not 0 <= within.share < np.inf:
        raise InvalidInputError("is not a share", where="within", found=within.share, fix="use 0 or more, such as 0.05")
    if within.then == problem.objective.priority[0]:
        raise InvalidInputError(
            "is the metric of first priority, which is only to be near its least",
            where="within: what is minimised",
            found=within.then.value,
            fix=f"minimise {' or '.join(metric for metric in Metric if metric != within.then)}",
        )
    if problem.objective.robust:
        raise InvalidInputError(
            "is for the problem's own assumptions, and a robust plan is judged by the worst corner over the day",
            where="within",
            found="a robust objective",
            fix="leave out one of the two",
        )
