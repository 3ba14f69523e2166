"""Whatever the workflow's shape and whatever its runs skipped, the problem is a valid one."""

from datetime import UTC, datetime

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from caribou.collectors.sources.snapshot import packaged_facts
from caribou.control.plan.problem import build_problem
from caribou.model.schema.problem_file import parse_problem

FACTS = packaged_facts(datetime(2026, 5, 1, tzinfo=UTC))


@st.composite
def shapes(draw):
    """Edges of a DAG of up to 7 nodes as pairs of names, in topological order of the sources; pairs may repeat."""
    size = draw(st.integers(2, 7))
    edges = [(draw(st.integers(0, target - 1)), target) for target in range(1, size)]
    edges += [
        (source, draw(st.integers(source + 1, size - 1)))
        for source in draw(st.lists(st.integers(0, size - 2), max_size=5))
    ]
    return [(f"n{source}", f"n{target}") for source, target in sorted(edges)]


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edges=shapes(), data=st.data())
def test_problem_of_any_dag_when_runs_skip_any_edges_then_it_is_valid_and_counts_what_was_taken(make, edges, data):
    """Nodes with several edges are sync nodes; regions differ by run; probabilities are shares of executions."""
    targets = [target for _, target in edges]
    graph = make.graph_of(edges, sync={target for target in targets if targets.count(target) > 1})
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
    )
    problem = parse_problem(built)
    for edge, found in zip(graph.edges, problem.edges, strict=True):
        reported = [s for run in runs for record in run for s in record.successors if s.edge == edge.id]
        taken = sum(s.outcome != "skipped" for s in reported)
        assert abs(found.probability - (taken / len(reported) if reported else 0)) < 1e-6
