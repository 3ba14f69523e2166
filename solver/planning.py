"""From a problem to its placement."""

from __future__ import annotations

import numpy as np

from caribou.model.placement import ALL_HOURS, Placement
from caribou.model.schema.problem import Problem
from caribou.solver.criteria import Criteria, tails_needed
from caribou.solver.evaluation import check_sampling
from caribou.solver.evaluator import Evaluator
from caribou.solver.pool import Pool
from caribou.solver.result import placement_of
from caribou.solver.search import choose


def solve(problem: Problem, *, seed: int = 0, samples: int = 2000) -> Placement:
    """The best placement found, for every hour of the day; each plan's `report` says how good it is.

    Pure: the same problem, seed and number of samples give the same placement. Times (solved_at, expires_at, seconds)
    and the problem's digest are the caller's: see `stamped`. Where no placement meets the hard limits, the plan is home
    and its status `infeasible`.
    """
    check_sampling(seed, samples)
    evaluator = Evaluator(problem, seed, samples, tails_needed(problem.objective))
    pool = Pool(evaluator)
    home = pool.subset(np.array([0]))
    criteria = [Criteria.of(evaluator, home, hour) for hour in ALL_HOURS]
    return placement_of(pool, criteria, choose(pool, criteria))
