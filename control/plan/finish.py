"""From a problem to a finished placement: the one way that `caribou solve` and the loop share.

1. Solve. Each plan is scored out of sample as well, on runs that it was not chosen on.
2. Stamp it: when it was solved, when it expires, of which problem it is, and how long the solve took.
3. Account what the solve itself took (`footprint`).
4. Say what a run emits, costs and takes over the day, next to home (`day`), which facts it rests on (`data`), and on
   which assumptions (`sensitivity`).

The solver is pure: time comes in by `Clocks`. The same problem, options and times give the same bytes.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from math import inf
from typing import Any

from caribou.control.plan.noted import FACT_NOTES, SOURCES, VALID_UNTIL
from caribou.model.errors import InvalidInputError
from caribou.model.metric import Metric
from caribou.model.placement import Placement
from caribou.model.schema.problem import Problem
from caribou.solver import Within, evaluate, solve, stamped
from caribou.solver.analysis.footprint import footprint, with_footprint
from caribou.solver.analysis.sensitivity import sensitivity, with_sensitivity


def _now() -> datetime:
    return datetime.now(UTC)


def _cpu_seconds() -> float:
    """CPU time of this process so far, of all its threads and of its children that have ended."""
    children = os.times()
    return time.process_time() + children.children_user + children.children_system


@dataclass(frozen=True, slots=True)
class Clocks:
    """The time of day (aware), and seconds so far: on the clock, and of CPU time. The last two count from anywhere."""

    now: Callable[[], datetime] = _now
    seconds: Callable[[], float] = time.perf_counter
    cpu_seconds: Callable[[], float] = _cpu_seconds


@dataclass(frozen=True, slots=True)
class SolveOptions:
    """What a placement depends on beside the problem. `time_limit_s`: seconds after which the solve stops.

    `robust`: the plan is to be best in its worst corner of what is assumed, though the problem does not ask for it.
    `within`: by what share the metric of first priority may be above its least, so that another one is least: `then`,
    or else that of second priority.
    """

    seed: int = 0
    samples: int = 2000
    max_regions: int | None = None
    switching_penalty: float = 0.0
    time_limit_s: float | None = None
    robust: bool = False
    within: float | None = None
    then: Metric | None = None

    def asked(self, problem: Problem) -> Problem:
        """The problem with what the options ask of its objective. Raises InvalidInputError if that makes no sense."""
        goal = problem.objective
        if not self.robust or goal.robust:
            return problem
        if goal.priority[0] != Metric.CARBON:
            raise InvalidInputError(
                "is about what is assumed of carbon, which is not the first metric of the problem's priority",
                where="--robust",
                found=", ".join(goal.priority),
                fix="leave it out, or put carbon first in priority_order",
            )
        return problem.model_copy(update={"objective": goal.model_copy(update={"robust": True})})

    def solve(self, problem: Problem, seconds: Callable[[], float] = time.perf_counter) -> Placement:
        """The problem's placement, with the options in its `solver`; `seconds` is the clock of the time limit."""
        problem = self.asked(problem)
        end = seconds() + (self.time_limit_s if self.time_limit_s is not None else inf)
        placement = solve(
            problem,
            seed=self.seed,
            samples=self.samples,
            max_regions=self.max_regions,
            switching_penalty=self.switching_penalty,
            within=self._near(problem.objective.priority),
            should_stop=lambda: seconds() >= end,
        )
        solver = {**placement.origin["solver"], **self._given()}
        return replace(placement, origin={**placement.origin, "solver": solver})

    def _near(self, priority: Sequence[Metric]) -> Within | None:
        """What is asked for within a share; where the problem has no second priority, the first other metric."""
        if self.within is None:
            return None
        others = (metric for metric in (*priority, *Metric) if metric != priority[0])
        return Within(self.within, self.then or next(others))

    def _given(self) -> dict[str, Any]:
        """Those that are not as ever, as in a placement's file, part of `solver`."""
        values = {
            "max_regions": self.max_regions,
            "switching_penalty": self.switching_penalty or None,
            "time_limit_s": self.time_limit_s,
        }
        return {name: value for name, value in values.items() if value is not None}


def finished_placement(problem: Problem, options: SolveOptions, *, valid_days: float, clocks: Clocks) -> Placement:
    """The problem's placement with everything that its file says; it expires `valid_days` after the solve began."""
    solved_at = clocks.now().replace(microsecond=0)
    began, cpu_began = clocks.seconds(), clocks.cpu_seconds()
    solved = options.solve(problem, clocks.seconds)
    seconds, cpu_seconds = clocks.seconds() - began, clocks.cpu_seconds() - cpu_began
    placement = stamped(
        solved,
        solved_at=solved_at,
        expires_at=solved_at + timedelta(days=valid_days),
        problem_sha256=problem.digest,
        seconds=seconds,
    )
    placement = with_footprint(placement, footprint(problem, placement, cpu_seconds))
    day = evaluate(problem, placement, seed=options.seed, samples=options.samples)
    placement = replace(placement, origin={**placement.origin, "day": day.to_json()})
    placement = replace(placement, origin={**placement.origin, "data": _data(problem)})
    found = sensitivity(problem, placement, seed=options.seed, samples=options.samples)
    return with_sensitivity(placement, found)


def _data(problem: Problem) -> dict[str, str]:
    """Where the facts come from that it rests on, and what is said of them."""
    return {key: problem.provenance[key] for key in (SOURCES, VALID_UNTIL, *FACT_NOTES) if key in problem.provenance}


def placement_text(placement: Placement) -> str:
    """The placement as the text of its file, `solved.json`."""
    return json.dumps(placement.to_json(), indent=1) + "\n"
