"""What a sample of runs leaves open, in words: branches that none of them took, and runs that change over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import hypot
from statistics import fmean, stdev

from caribou.collectors.edges import probability
from caribou.collectors.observed import TAKEN, Observed, Run
from caribou.model.graph import Edge, Graph

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
    unmade = [edge for edge in graph.edges if observed.of(edge.source) and probability(edge, observed) == 0]
    made = {edge: [run for run in (*observed.whole, *observed.older) if _makes(run, edge)] for edge in unmade}
    return {
        **_never_made([edge for edge in unmade if not made[edge]], observed),
        **_seldom_made({edge: runs for edge, runs in made.items() if runs}, observed),
        **_change(observed),
    }


def _never_made(edges: Sequence[Edge], observed: Observed) -> dict[str, str]:
    """The calls that no run made, of nodes that ran, with how often they may come all the same."""
    said = [
        f"{edge.source} > {edge.target}, up to {_share(min(1.0, RULE_OF_THREE / ran))} of its runs may"
        for edge in edges
        if (ran := sum(edge.source in run.executions for run in observed.whole))
    ]
    return {"calls_never_made": "; ".join(said)} if said else {}


def _seldom_made(made: Mapping[Edge, Sequence[Run]], observed: Observed) -> dict[str, str]:
    """The calls that none of the runs of a problem made, but others did: how often, and what those runs took."""
    others = fmean(_gb_s(run) for run in observed.runs)
    said = []
    for edge, runs in made.items():
        ran = [run for run in observed.whole if edge.source in run.executions]
        newest = sum(_makes(run, edge) for run in ran)
        times = f", {fmean(_gb_s(run) for run in runs) / others:.2g} times the GB-seconds" if others else ""
        said.append(f"{edge.source} > {edge.target}, in {newest} of {len(ran)} runs{_older(runs, newest)}{times}")
    return {"calls_seldom_made": "; ".join(said)} if said else {}


def _older(runs: Sequence[Run], newest: int) -> str:
    return f" and in {len(runs) - newest} older ones" if len(runs) > newest else ""


def _share(share: float) -> str:
    return f"{share:.0%}" if share >= 0.01 else f"{share:.2%}"


def _makes(run: Run, edge: Edge) -> bool:
    found = run.successor(edge)
    return found is not None and found[1].outcome in TAKEN


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
