"""What a sample of runs leaves open, in words: branches that none of them took, and runs that change over time."""

from __future__ import annotations

from math import hypot
from statistics import fmean, stdev

from caribou.collectors.edges import probability
from caribou.collectors.observed import Observed, Run
from caribou.model.graph import Graph

RULE_OF_THREE = 3
"""What happens in none of n runs happens in 3 / n of them at most, 95 % sure."""
MB_PER_GB = 1024
_STANDARD_ERRORS = 2.0
_SHARE = 0.1
"""Halves that differ by less than a tenth change no plan worth changing."""
_FEWEST = 20
"""Runs, for two halves to be compared."""


def sample_notes(observed: Observed, graph: Graph) -> dict[str, str]:
    """Notes for a problem's provenance, none where there is nothing to say."""
    return {**_never_taken(observed, graph), **_change(observed)}


def _never_taken(observed: Observed, graph: Graph) -> dict[str, str]:
    """The calls that no run made, of nodes that ran, with how often they may come all the same."""
    said = []
    for edge in graph.edges:
        ran = len(observed.of(edge.source))
        if ran and probability(edge, observed) == 0:
            said.append(f"{edge.source} > {edge.target}, up to {min(1.0, RULE_OF_THREE / ran):.0%} of its runs may")
    return {"calls_never_made": "; ".join(said)} if said else {}


def _change(observed: Observed) -> dict[str, str]:
    """Whether newer runs take more or less than older ones, beyond what chance makes of two halves."""
    runs = observed.runs
    if len(runs) < _FEWEST:
        return {}
    older, newer = ([_gb_s(run) for run in half] for half in (runs[: len(runs) // 2], runs[len(runs) // 2 :]))
    before, after = fmean(older), fmean(newer)
    error = hypot(stdev(older) / len(older) ** 0.5, stdev(newer) / len(newer) ** 0.5)
    if before == 0 or abs(after - before) < max(_STANDARD_ERRORS * error, _SHARE * before):
        return {}
    text = f"the newer half takes {after / before - 1:+.0%} GB-seconds a run: what is said of them is of both halves"
    return {"runs_change": text}


def _gb_s(run: Run) -> float:
    return sum(record.duration_s * record.memory_mb / MB_PER_GB for record in run.executions.values())
