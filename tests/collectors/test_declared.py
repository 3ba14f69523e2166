"""Data that the manifest names: endpoints of the problem like those that were metered."""

import dataclasses

import pytest
from observed_problem import AWAY, FAR, HOME, NOW, graph, manifest, observed_problem, run_records

from caribou.collectors.sources.snapshot import packaged_facts
from caribou.collectors.summary import problem_regions
from caribou.control.plan.problem import build_problem
from caribou.model.manifest import ExternalData, RegionRules
from caribou.model.metric import Metric
from caribou.model.schema.problem_file import parse_problem
from caribou.solver import evaluate, solve

ORDERS = ExternalData("rds", HOME, ("b",), calls=4, mb_out=1.0, mb_in=10.0)


def declared(data, *, allowed=(HOME, AWAY, FAR), runs=12):
    """A problem of runs without metered data, whose manifest names some."""
    workflow = graph()
    said = manifest(workflow, external_data={} if data is None else {"orders": data})
    functions = {
        name: dataclasses.replace(settings, regions=RegionRules(allowed=allowed))
        for name, settings in said.functions.items()
    }
    return build_problem(
        graph=workflow,
        manifest=dataclasses.replace(said, functions=functions),
        facts=packaged_facts(NOW),
        records=run_records(3, runs),
        control_region=HOME,
        now=NOW,
    )


def test_endpoint_when_it_is_declared_then_every_execution_of_its_functions_calls_it():
    """With the sizes of all its calls, and no longer than it ran; other functions do not."""
    problem = parse_problem(declared(ORDERS))
    runs = problem.nodes["b"].runs[HOME]
    exchanged = runs.external["orders"]
    assert problem.endpoints["orders"].region == HOME
    assert set(exchanged.calls) == {4}
    assert set(exchanged.gb_out) == {4 / 1024}
    assert set(exchanged.gb_in) == {40 / 1024}
    assert exchanged.seconds == runs.duration_s
    assert not problem.nodes["a"].runs[HOME].external
    assert "not measured: orders" in problem.provenance["workflow.external_data_declared"]


def test_function_when_it_leaves_its_declared_data_then_carbon_cost_and_time_are_more():
    """As with data that was metered; without it they would be less, or as they were."""
    without, with_data = (parse_problem(declared(data)) for data in (None, ORDERS))
    leaving = {"a": HOME, "b": AWAY, "c": HOME, "d": HOME}
    plain, found = evaluate(without, leaving), evaluate(with_data, leaving)
    for metric in Metric:
        assert found.placed[metric].mean > plain.placed[metric].mean
        assert found.home[metric].mean == pytest.approx(plain.home[metric].mean)
    egress_usd = 0.02 * (40 + 4) / 1024
    more_usd = found.placed[Metric.COST].mean - plain.placed[Metric.COST].mean
    share = len(with_data.nodes["b"].runs[HOME].run) / len(with_data.runs.id)
    assert more_usd > 0.8 * egress_usd * share


def test_endpoint_when_its_region_is_no_functions_then_the_problem_knows_how_far_it_is():
    """Facts and pings of where the data is; no node may be there."""
    problem = parse_problem(declared(dataclasses.replace(ORDERS, region=FAR), allowed=(HOME, AWAY)))
    assert set(problem.regions) == {HOME, AWAY, FAR}
    assert all(FAR not in node.allowed_regions for node in problem.nodes.values())
    assert FAR not in solve(problem).regions
    here, near = (evaluate(problem, dict.fromkeys(problem.nodes, region)).placed for region in (HOME, AWAY))
    assert (
        here[Metric.COST].mean
        > evaluate(parse_problem(declared(None)), dict.fromkeys("abcd", HOME)).placed[Metric.COST].mean
    )
    assert near[Metric.CARBON].mean > 0


def test_problem_when_declared_data_has_no_sizes_then_it_is_said():
    """It counts as nothing, but for the way of its calls."""
    problem = parse_problem(declared(ExternalData("rds", HOME, ("b",))))
    assert problem.provenance["workflow.external_data_without_sizes"].startswith("orders has no mb_out and mb_in")
    assert "workflow.external_data_declared" not in problem.provenance
    assert set(problem.nodes["b"].runs[HOME].external["orders"].gb_in) == {0.0}
    away = dict.fromkeys("abcd", AWAY)
    seconds = [evaluate(p, away).placed[Metric.RUNTIME].mean for p in (problem, parse_problem(declared(None)))]
    assert seconds[0] > seconds[1]


def test_problem_when_nothing_is_declared_then_it_says_nothing_of_it():
    """As it ever was."""
    assert parse_problem(declared(None)).endpoints == {}
    assert not [key for key in observed_problem(1, runs=3).problem["provenance"] if "declared" in key]


def test_regions_when_data_is_elsewhere_then_they_are_the_problems_in_the_known_order():
    """Where runs may be, and where data is."""
    said = manifest(graph(), external_data={"orders": dataclasses.replace(ORDERS, region="us-west-2")})
    assert problem_regions(said) == tuple(r for r in problem_regions(said) if r in {HOME, AWAY, FAR, "us-west-2"})
    assert "us-west-2" in problem_regions(said)
