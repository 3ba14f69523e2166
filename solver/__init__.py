"""Problem -> placement. Pure: no AWS, no clock, no files, no chance but the seed; see docs/model.md."""

from caribou.solver.evaluation import Estimate, Evaluation, Metrics, evaluate
from caribou.solver.planning import solve
from caribou.solver.result import stamped

__all__ = ["Estimate", "Evaluation", "Metrics", "evaluate", "solve", "stamped"]
