"""What the demo works out and shows: for itself, since the solver and its numpy take their time to load."""

from __future__ import annotations

from collections.abc import Sequence

from caribou.control.plan.finish import Clocks, SolveOptions, finished_placement
from caribou.model.placement import Placement
from caribou.model.run.record import RunRecord
from caribou.model.schema.problem import Problem
from caribou.report.demo_tables import Work, comparison_table, other_input_lines, regions_table
from caribou.solver import evaluate
from caribou.solver.analysis.sensitivity import sensitivity

__all__ = ["comparison_table", "evaluate", "light_lines", "regions_table"]

_LIGHT_VALID_DAYS = 1.0


def light_lines(
    problem: Problem, moving: Placement, light: tuple[str, Sequence[RunRecord]], other: tuple[str, Sequence[RunRecord]]
) -> list[str]:
    """What is said of a light input, by its problem: what its own plan is, and what the other input's would bring.

    Each input is its file's name and its run records.
    """
    found = finished_placement(problem, SolveOptions(), valid_days=_LIGHT_VALID_DAYS, clocks=Clocks())
    works = (Work.of(*light), Work.of(*other))
    return list(other_input_lines(works, found, sensitivity(problem, moving).to_json()))
