"""Problems made of run records: random runs of a small workflow, of which everything is known."""

import dataclasses
import random
from datetime import UTC, datetime
from types import SimpleNamespace

from builders import graph_of, record_of

from caribou.collectors.sources.snapshot import packaged_facts
from caribou.control.plan.problem import build_problem
from caribou.model.manifest import FunctionSettings, Manifest, RegionRules, RunSettings
from caribou.model.run.record import EndpointRecord, Outcome, SuccessorRecord

HOME, AWAY, FAR = "us-east-1", "ca-central-1", "eu-north-1"
START, NOW = 1_782_000_000.0, datetime(2026, 7, 1, tzinfo=UTC)
_SEND_S = 0.03
TRIPS = 6
"""Of three calls: one on a new connection, one that asks before its body."""


def graph():
    """Edges a → b → d and a → c → d, a → b conditional, d a sync node."""
    return graph_of({"a": "b c", "b": "d", "c": "d"}, sync="d", conditional="a#0", name="example")


def manifest(workflow, **changes):
    """Every function may run in three regions."""
    settings = FunctionSettings(timeout_s=60, memory_mb=1769, regions=RegionRules(allowed=(HOME, AWAY, FAR)))
    usual = {"runs": RunSettings(home_share=0.0)}
    return Manifest(
        workflow_name=workflow.workflow,
        workflow_version=workflow.version,
        home_region=HOME,
        functions={function.name: settings for function in workflow.functions},
        **(usual | changes),
    )


def observed_problem(seed, runs, regions=None, bucket=HOME, *, only_data=False, skip_share=0.3):
    """A problem of random runs, and when each ended, s after its start.

    `regions`: where nodes ran that were not at home; a list has one a run. `bucket`: the region of b's data, or None.
    """
    chance, workflow = random.Random(seed), graph()
    places = regions if isinstance(regions, list) else [regions or {}] * runs
    observed = [
        _run(f"run-{i}", START + 100 * i, chance, places[i], bucket, only_data=only_data, skip_share=skip_share)
        for i in range(runs)
    ]
    problem = build_problem(
        graph=workflow,
        manifest=manifest(workflow),
        facts=packaged_facts(NOW),
        records=[record for run in observed for record in run["records"]],
        control_region=HOME,
        now=NOW,
    )
    return SimpleNamespace(problem=problem, observed=observed)


def run_records(seed, runs):
    """The records of random runs at home that exchanged nothing with services outside, as far as was seen."""
    chance = random.Random(seed)
    every = [_run(f"run-{i}", START + 100 * i, chance, {}, None, only_data=False, skip_share=0.3) for i in range(runs)]
    return [dataclasses.replace(record, external=()) for run in every for record in run["records"]]


def _run(run_id, started_at, chance, regions, bucket, *, only_data, skip_share):
    """A run: a common factor slows all of its nodes, some of which started cold."""
    slow = 0.0 if only_data else chance.lognormvariate(0, 0.5)
    size = 0 if only_data else chance.randrange(100, 200_000)
    with_b = chance.random() >= skip_share

    def took(mean_s):
        return mean_s * slow * chance.uniform(0.8, 1.2)

    def latency():
        return chance.uniform(0.08, 0.4)

    a_s, b_s, c_s, d_s = took(1.0), took(2.0), took(1.5), took(0.5)
    b_starts, c_starts = 0.3 * a_s + latency(), 0.6 * a_s + latency()
    b_reports, c_reports = b_starts + 0.9 * b_s + _SEND_S, c_starts + 0.9 * c_s + _SEND_S
    fired = max([c_reports, *([b_reports] if with_b else [])])
    d_starts = fired + latency()
    times = {"a": (0.0, a_s), "b": (b_starts, b_s), "c": (c_starts, c_s), "d": (d_starts, d_s)}
    calls = {
        "a": [("b", Outcome.SENT if with_b else Outcome.SKIPPED, 0.3 * a_s), ("c", Outcome.SENT, 0.6 * a_s)],
        "b": [("d", Outcome.JOINED, 0.9 * b_s)],
        "c": [("d", Outcome.JOINED, 0.9 * c_s)],
        "d": [],
    }
    came_by = {"a": None, "b": "a#0", "c": "a#1", "d": "b#0" if fired != c_reports else "c#0"}
    sent_at = {"a": None, "b": 0.3 * a_s + 0.01, "c": 0.6 * a_s + 0.01, "d": fired}
    records = [
        record_of(
            node,
            run_id=run_id,
            region=regions.get(node, HOME),
            started_at=started_at + times[node][0],
            duration_s=times[node][1],
            cpu_s=times[node][1] / 2,
            edge=came_by[node],
            sent_at=None if sent_at[node] is None else started_at + sent_at[node],
            external=_external(bucket, chance, times[node][1]) if node == "b" else (),
            successors=tuple(
                SuccessorRecord(
                    f"{node}#{i}",
                    to,
                    regions.get(to, HOME),
                    outcome,
                    0 if outcome == Outcome.SKIPPED else size,
                    at,
                    _SEND_S,
                )
                for i, (to, outcome, at) in enumerate(calls[node])
            ),
        )
        for node in "abcd"
        if node != "b" or with_b
    ]
    ends = [times[record.node][0] + times[record.node][1] for record in records]
    return {"records": records, "end": max(ends)}


def _external(bucket, chance, duration_s):
    size = chance.randrange(1_000_000, 50_000_000)
    halves = (duration_s / 2, duration_s / 2)
    return (EndpointRecord("s3", bucket, "photos", 3, 3, size // 3, size, *halves, round_trips=TRIPS),)
