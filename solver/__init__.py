"""Problem -> placement. Pure: no AWS, no clock, no files, no chance but the seed; see docs/model.md."""

from caribou.model.verdict import ENOUGH_RUNS
from caribou.solver.analysis.day_carbon import Saving, saving_over
from caribou.solver.analysis.judgement import Judgement, judge
from caribou.solver.result import stamped
from caribou.solver.search.within import Within
from caribou.solver.simulation.evaluation import (
    Bounds,
    Change,
    Comparison,
    Estimate,
    Evaluation,
    Metrics,
    compare,
    evaluate,
)
from caribou.solver.simulation.worst_corner import regions_left_out
from caribou.solver.solve import solve

__all__ = [
    "ENOUGH_RUNS",
    "Bounds",
    "Change",
    "Comparison",
    "Estimate",
    "Evaluation",
    "Judgement",
    "Metrics",
    "Saving",
    "Within",
    "compare",
    "evaluate",
    "judge",
    "regions_left_out",
    "saving_over",
    "solve",
    "stamped",
]
