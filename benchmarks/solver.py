"""The solver's speed, quality and growth, in one run: `uv run python benchmarks/solver.py [part ...] [-o FILE]`.

Parts: speed, quality, tight, growth, observed, observed_tight (all by default). Times are CPU seconds of this process,
on one thread, so that other programs on the machine disturb them little. `-o` writes the numbers as JSON, which
`benchmarks/picture.py` draws.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from instances import generated
from observed_rows import as_observed
from problem_instances import BEST_KNOWN, HOME, SHIPPED
from reference_algorithms import Scored, coarse_grained, stochastic

from caribou.model.metric import Metric
from caribou.model.schema.problem import Problem
from caribou.model.schema.problem_file import parse_problem
from caribou.solver import solve
from caribou.solver.search.hourly import Hourly
from caribou.solver.search.hours import Choice, choose
from caribou.solver.search.objective import Criteria, tails_needed
from caribou.solver.search.score_cache import ScoreCache
from caribou.solver.simulation.ensemble import Ensemble
from caribou.solver.simulation.evaluation import Change, Evaluation, Metrics
from caribou.solver.simulation.evaluator import Evaluator

ROOT = Path(__file__).parents[1]
SAMPLES = 2000
AVERAGE = 24
NOON = 12
Row = dict[str, Any]


def shipped(name: str) -> dict[str, Any]:
    """A shipped instance as JSON."""
    data: dict[str, Any] = json.loads((SHIPPED / f"{name}.json").read_text())
    return data


def speed() -> Iterator[Row]:
    """Placements evaluated per second against a plain Python loop; one hour, 24 hours, with their certificates."""
    reference = _python_loop()
    for name in ("small_sync", "image_processing", "text2speech", "map_reduce", "video_analytics", "big", "huge"):
        data = shipped(name)
        problem = parse_problem(data)
        evaluator = Evaluator(problem, 0, SAMPLES, tails_needed(problem.objective))
        places = _random_places(evaluator, 96)
        evaluator.score(places[:1])
        batched = seconds(lambda e=evaluator, p=places: e.score(p), 3) / len(places)
        one = {node: evaluator.regions[r] for node, r in zip(problem.node_order, places[0], strict=True)}
        few = 400 if len(problem.nodes) < 20 else 100
        loop = seconds(lambda d=data, o=one, f=few: reference(d, o, hour=12, seed=0, samples=f), 1) * SAMPLES / few
        yield {
            "instance": name,
            "placements/s": round(1 / batched),
            "Python loop/s": round(1 / loop, 3),
            "ratio": round(loop / batched),
            "one hour, s": round(seconds(lambda p=problem: _one_hour(p), 3), 3),
            "24 hours, s": round(seconds(lambda p=problem: solve(p), 2), 3),
        }


def quality() -> Iterator[Row]:
    """Carbon against home at the average hour, on the same runs: ours, the reference algorithms', the best known."""
    for name, best_known in BEST_KNOWN.items():
        problem = parse_problem(shipped(name))
        choice, cache = _one_hour(problem)
        at_home = float(cache.scores.mean(Metric.CARBON, AVERAGE)[0])
        ours = float(cache.subset(cache.positions(choice.places[np.newaxis])).mean(Metric.CARBON, AVERAGE)[0])
        scored = Scored(problem, AVERAGE)
        seeds = range(1 if name == "huge" else 5)
        found = [stochastic(scored, seed)[0] for seed in seeds]
        yield {
            "instance": name,
            "ours %": percent(ours, at_home),
            "proven": choice.proven,
            "evaluations": len(cache),
            "best known %": best_known,
            "coarse %": percent(coarse_grained(scored)[0], at_home),
            "heuristic mean %": percent(float(np.mean(found)), at_home),
            "heuristic best %": percent(min(found), at_home),
            "its evaluations": scored.calls // len(found),
            "saving it leaves": f"{(np.mean(found) - ours) / (at_home - ours):.0%}",
        }


def tight() -> Iterator[Row]:
    """All 24 hours with run time and cost limited ever more tightly: gap and time."""
    cases = [(name, shipped(name)) for name in ("text2speech", "map_reduce", "video_analytics", "big", "huge")]
    cases += [("generated 20 x 12", generated(1, 20, 12)), ("generated 50 x 20", generated(1, 50, 20))]
    for name, data in cases:
        for per_cent in (None, 120, 110, 107, 105, 103, 101):
            limit = {"type": "relative", "value": per_cent}
            data["objective"]["hard"] = {} if per_cent is None else {"runtime": limit, "cost": limit}
            yield {"instance": name, "limits %": per_cent or "none", **solved(parse_problem(data))}


def observed() -> Iterator[Row]:
    """Problems whose rows are runs, without limits: one hour with all its intervals, and a whole solve of 24 hours."""
    for nodes, regions, runs in ((6, 6, 200), (6, 6, 500), (20, 12, 200), (20, 12, 500), (50, 20, 200), (50, 20, 500)):
        problem = parse_problem(as_observed(generated(1, nodes, regions), runs, bucket=HOME))
        _with_intervals(problem)  # replicates are drawn once a process
        hour = seconds(lambda p=problem: _with_intervals(p), 3)
        yield {"instance": f"{nodes} x {regions}", "runs": runs, "one hour, s": round(hour, 3), **solved(problem)}


def observed_tight() -> Iterator[Row]:
    """24 hours of problems whose rows are 300 runs, with run time, or run time and cost, limited ever more tightly."""
    cases = [("big", shipped("big"), ("runtime",)), ("generated 20 x 12", generated(1, 20, 12), ("runtime",))]
    cases += [("generated 20 x 12", generated(1, 20, 12), ("runtime", "cost"))]
    for name, drawn, metrics in cases:
        data = as_observed(drawn, 300, bucket=drawn["home_region"])
        for per_cent in (110, 105, 103, 102, 101):
            limit = {"type": "relative", "value": per_cent}
            data["objective"]["hard"] = dict.fromkeys(metrics, limit)
            row = solved(parse_problem(data))
            yield {"instance": name, "limited": " and ".join(metrics), "limits %": per_cent, **row}


def growth() -> Iterator[Row]:
    """Time and memory of generated instances, by nodes, regions and samples; each in a process of its own."""
    cases = [("nodes", n, (n, 12, SAMPLES)) for n in (5, 10, 20, 35, 50)]
    cases += [("regions", r, (20, r, SAMPLES)) for r in (2, 4, 8, 12, 16, 20)]
    cases += [("samples", s, (20, 12, s)) for s in (250, 500, 1000, 2000, 4000, 8000)]
    for axis, value, arguments in cases:
        command = [sys.executable, __file__, "--one", *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)  # our own script
        yield {"axis": axis, "value": value, **json.loads(done.stdout)}


def one(nodes: int, regions: int, samples: int) -> Row:
    """A generated instance: 1 hour, 24 hours, and the most memory."""
    problem = parse_problem(generated(3, nodes, regions, runtime=110, cost=110))
    first = seconds(lambda: _one_hour(problem, samples), 1)
    row = solved(problem, samples)
    return {"one hour, s": round(first, 3), **row, "MB": most_memory_mb()}


def solved(problem: Problem, samples: int = SAMPLES) -> Row:
    """Seconds, gap and evaluations of a solve of 24 hours."""
    began = time.process_time()
    placement = solve(problem, samples=samples)
    took = time.process_time() - began
    gap = max(plan.report["gap"] for plan in placement.plans)
    statuses = "/".join(sorted({plan.report["status"] for plan in placement.plans}))
    solver = placement.origin["solver"]
    return {
        "24 hours, s": round(took, 2),
        "status": statuses,
        "gap %": round(100 * gap, 2),
        "evaluations": solver["evaluations"],
    }


def most_memory_mb() -> int:
    """The most memory that this process has had, from Linux (ru_maxrss counts the parent's as well)."""
    status = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return int(next(line for line in status if line.startswith("VmHWM")).split()[1]) // 1024


def seconds(work: Callable[[], object], times: int) -> float:
    """The least CPU seconds of some tries."""
    taken = []
    for _ in range(times):
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return min(taken)


def percent(value: float, at_home: float) -> float:
    """The change against home."""
    return round((value / at_home - 1) * 100, 2)


def _with_intervals(problem: Problem) -> Evaluation:
    """One hour solved, and the interval of each of its metrics, as placed and at home, with those of the changes."""
    choice, cache = _one_hour(problem)
    evaluator = cache.evaluator
    places = zip(problem.node_order, choice.places, strict=True)
    regions = {node: evaluator.regions[region] for node, region in places}
    ensemble = Ensemble.among(problem, regions.values())
    placed, home = ensemble.day([(regions, [NOON])]), ensemble.home([NOON])
    return Evaluation(
        Metrics.of(evaluator.details(choice.places, [NOON]), evaluator.weights, placed),
        Metrics.of(evaluator.details(evaluator.home, [NOON]), evaluator.weights, home),
        {metric: Change.of(metric, placed, home) for metric in Metric},
        ensemble.runs,
    )


def _one_hour(problem: Problem, samples: int = SAMPLES) -> tuple[Choice, ScoreCache]:
    cache = ScoreCache(Evaluator(problem, 0, samples, tails_needed(problem.objective)))
    criteria = Criteria.of(cache.evaluator, cache.subset(np.array([0])), AVERAGE)
    return choose(cache, Hourly((), criteria)).static, cache


def _random_places(evaluator: Evaluator, count: int) -> np.ndarray[Any, np.dtype[np.intp]]:
    rng = np.random.default_rng(1)
    return np.array([[rng.choice(allowed) for allowed in evaluator.allowed] for _ in range(count)])


def _python_loop() -> Callable[..., object]:
    path = ROOT / "tests/solver/reference.py"
    spec = importlib.util.spec_from_file_location("reference", path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    runs_of: Callable[..., object] = module.runs_of
    return runs_of


PARTS: dict[str, Callable[[], Iterator[Row]]] = {
    "speed": speed,
    "quality": quality,
    "tight": tight,
    "growth": growth,
    "observed": observed,
    "observed_tight": observed_tight,
}


def main() -> None:
    """Print the parts as tables, and write them if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=", ".join(PARTS))
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--one", nargs=3, type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        print(json.dumps(one(*asked.one)))
        return
    results: dict[str, list[Row]] = {}
    for part in asked.parts or PARTS:
        results[part] = []
        for row in PARTS[part]():
            if not results[part]:
                print(f"\n| {' | '.join(row)} |\n|{'---|' * len(row)}")
            results[part].append(row)
            print(f"| {' | '.join(map(str, row.values()))} |", flush=True)
    if asked.output:
        known = json.loads(asked.output.read_text()) if asked.output.exists() else {}
        asked.output.write_text(json.dumps({**known, **results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
