"""Whatever the workflow's shape and whatever its runs skipped, the problem is a valid one."""

from datetime import UTC, datetime

from builders import graph_of
from hypothesis import given, settings
from hypothesis import strategies as st

from caribou.collectors.sources.snapshot import packaged_facts
from caribou.control.plan.problem import build_problem
from caribou.model.schema.problem_file import parse_problem

NOW = datetime(2026, 5, 1, tzinfo=UTC)
FACTS = packaged_facts(NOW)


@st.composite
def shapes(draw):
    """A DAG of up to 7 nodes: each to those it calls, in topological order; it may call one more than once."""
    size = draw(st.integers(2, 7))
    edges = [(draw(st.integers(0, target - 1)), target) for target in range(1, size)]
    edges += [
        (source, draw(st.integers(source + 1, size - 1)))
        for source in draw(st.lists(st.integers(0, size - 2), max_size=5))
    ]
    return {f"n{node}": [f"n{target}" for source, target in sorted(edges) if source == node] for node in range(size)}


@settings(max_examples=60)
@given(calls=shapes(), data=st.data())
def test_problem_of_any_dag_when_runs_skip_any_edges_then_it_is_valid_and_counts_what_was_taken(make, calls, data):
    """Nodes with several edges are sync nodes; regions differ by run; probabilities are shares of executions."""
    called = [target for targets in calls.values() for target in targets]
    sync = " ".join(target for target in calls if called.count(target) > 1)
    graph = graph_of({node: " ".join(targets) for node, targets in calls.items()}, sync, name="example")
    ids = [edge.id for edge in graph.edges]
    runs = []
    for i in range(data.draw(st.integers(1, 4))):
        skipped = data.draw(st.sets(st.sampled_from(ids)))
        away = data.draw(st.sets(st.sampled_from([node.name for node in graph.nodes[1:]])))
        runs.append(make.simulate(graph, f"run-{i}", skipped=skipped, regions=dict.fromkeys(away, make.AWAY)))
    built = build_problem(
        graph=graph,
        manifest=make.manifest_of(graph),
        facts=FACTS,
        records=[record for run in runs for record in run],
        control_region="us-west-2",
        now=NOW,
    )
    problem = parse_problem(built)
    for edge, found in zip(graph.edges, problem.edges, strict=True):
        reported = [s for run in runs for record in run for s in record.successors if s.edge == edge.id]
        taken = sum(s.outcome != "skipped" for s in reported)
        assert abs(found.probability - (taken / len(reported) if reported else 0)) < 1e-6
