"""Worlds of which the truth is known: runs as they come, many of them or few, as problems whose rows are runs.

Nodes of a run have a factor in common (a large input is large for all of them), and 8 % of runs start cold.
"""

from functools import cache

import numpy as np
from observed_problem import AWAY, HOME, observed_problem

from caribou.model.placement import ALL_HOURS
from caribou.model.schema.problem_file import parse_problem
from caribou.solver.simulation.ensemble import Ensemble

COLD_SHARE, COLD_S = 0.08, 1.2
SHAPES = {"chain": {"a": ["b"], "b": ["c"]}, "fan": {"a": ["b", "c", "d"]}}
"""Caller to called; none of the nodes is a sync node."""
MEAN_S = {"a": 0.6, "b": 1.5, "c": 1.0, "d": 2.0}


@cache
def _frame():
    """What is the same in all worlds: regions, pings, prices."""
    return observed_problem(0, runs=1).problem


def world(shape, runs, seed, *, spread=0.5, data_gb=0.0, hard=None):
    """The problem of so many runs.

    `spread`: of the logarithm of the common factor, 1 is a heavy tail; `data_gb`: b's data at home, of a run of common
    factor 1; `hard`: limits.
    """
    chance, calls = np.random.default_rng(seed), SHAPES[shape]
    common, cold = chance.lognormal(0, spread, runs), chance.random(runs) < COLD_SHARE
    nodes = ["a", *dict.fromkeys(to for targets in calls.values() for to in targets)]
    frame, rows = _frame(), list(range(runs))
    took = {node: MEAN_S[node] * common * chance.uniform(0.8, 1.2, runs) for node in nodes}
    return parse_problem(
        {
            **frame,
            "runs": {"id": [f"run-{row}" for row in rows], "started_at": [1.8e9 + 10 * row for row in rows]},
            "endpoints": {"s3": {"service": "s3", "region": HOME, "hosts": []}},
            "entry": _entry(frame["entry"], runs),
            "nodes": {
                node: {
                    **frame["nodes"]["a"],
                    "runs": {
                        HOME: {
                            "run": rows,
                            "duration_s": took[node].tolist(),
                            "init_s": np.where(cold, COLD_S, 0.0).tolist(),
                            "external": _external(runs, data_gb * common if node == "b" else np.zeros(runs)),
                            "call_offset_s": {to: (0.9 * took[node]).tolist() for to in calls.get(node, ())},
                        }
                    },
                }
                for node in nodes
            },
            "edges": [
                {
                    "from": node,
                    "to": to,
                    "probability": 1.0,
                    "taken": rows,
                    "transfers": {
                        f"{HOME}>{HOME}": {
                            "run": rows,
                            "payload_gb": [1e-5] * runs,
                            "latency_s": (chance.uniform(0.05, 0.2, runs) + np.where(cold, COLD_S, 0.0)).tolist(),
                        }
                    },
                    "sync": None,
                    "on_skip": [],
                }
                for node, targets in calls.items()
                for to in targets
            ],
            "objective": {**frame["objective"], "hard": hard or {}},
        }
    )


def moved(problem):
    """All nodes away: node to region."""
    return dict.fromkeys(problem.nodes, AWAY)


def _entry(entry, runs):
    sizes = ("payload_gb", "sent_gb", "forwarded_gb")
    return {**entry, **{key: [1e-6] * runs for key in sizes if key in entry}, "stays_home_share": 0.0}


def _external(runs, size_gb):
    columns = {"calls": [2] * runs, "gb_out": [0.0] * runs, "gb_in": size_gb.tolist(), "seconds": [0.1] * runs}
    return {"s3": columns} if size_gb.any() else {}


def days(problem, worlds):
    """The day with all nodes away, and at home."""
    ensemble = Ensemble.among(problem, [AWAY], worlds=worlds)
    return ensemble.day([(moved(problem), ALL_HOURS)]), ensemble.home(ALL_HOURS)
