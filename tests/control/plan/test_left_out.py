"""Regions to which nothing can be deployed: a problem has no node placed there, and says which they are."""

import dataclasses
from datetime import UTC, datetime

import pytest
from builders import HOME, graph_of
from run_records import AWAY, manifest_of, simulate

from caribou.collectors.facts import Fact
from caribou.collectors.sources.snapshot import packaged_facts
from caribou.control.plan.left_out import left_out
from caribou.control.plan.problem import build_problem
from caribou.control.stacks.readiness import Readiness
from caribou.model.errors import InvalidProblemError, OperationFailedError
from caribou.model.manifest import ExternalData, RegionRules
from caribou.model.schema.problem_file import parse_problem

NOW = datetime(2026, 7, 1, tzinfo=UTC)
FACTS = packaged_facts(NOW)
FAR = "us-west-2"
GRAPH = graph_of({"A": "B"}, name="example")
READY = Readiness()


def manifest(**changes):
    """Two functions in three regions."""
    return manifest_of(GRAPH, (HOME, AWAY, FAR), **changes)


def built(readiness=READY, facts=FACTS, regions=None, **changes):
    """The problem of two runs, whose nodes ran in some regions."""
    records = [record for i in range(2) for record in simulate(GRAPH, f"run-{i}", regions=regions)]
    problem = build_problem(
        graph=GRAPH,
        manifest=manifest(**changes),
        facts=facts,
        records=records,
        control_region=FAR,
        now=NOW,
        readiness=readiness,
    )
    return parse_problem(problem)


def without_arm64(*regions):
    """Facts with no price of arm64 there."""
    provider = dict(FACTS.provider)
    for region in regions:
        fact = provider[region]
        prices = dataclasses.replace(
            fact.body.price_usd,
            compute_per_gb_s={"x86_64": fact.body.price_usd.compute_per_gb_s["x86_64"]},
            invocation={"x86_64": fact.body.price_usd.invocation["x86_64"]},
        )
        body = dataclasses.replace(fact.body, price_usd=prices)
        provider[region] = Fact(region, body, fact.source, fact.retrieved_at)
    return dataclasses.replace(FACTS, provider=provider)


@pytest.mark.parametrize(
    ("readiness", "key", "said"),
    [
        (Readiness(not_enabled=(AWAY,)), "regions_not_enabled", f"{AWAY}: the account has not enabled them"),
        (Readiness(not_bootstrapped=(AWAY, "eu-west-1")), "regions_not_bootstrapped", f"{AWAY}: no node is placed"),
        (Readiness(not_known={AWAY: "no answer"}), "regions_not_known", f"{AWAY} (no answer): it is not known"),
    ],
)
def test_problem_when_a_region_can_not_be_deployed_to_then_no_node_is_placed_there_and_it_is_said(readiness, key, said):
    """A region that the manifest does not allow is none of its business."""
    problem = built(readiness)
    assert set(problem.regions) == {HOME, FAR}
    assert problem.nodes["A"].allowed_regions == problem.nodes["B"].allowed_regions == (HOME, FAR)
    assert [name for name in problem.provenance if name.startswith("regions_")] == [key]
    assert problem.provenance[key].startswith(said)


def test_problem_when_all_regions_are_ready_then_nothing_is_said_of_them():
    """Nor is anything left out."""
    problem = built()
    assert set(problem.regions) == {HOME, AWAY, FAR}
    assert not any(name.startswith("regions_") for name in problem.provenance)


@pytest.mark.parametrize("readiness", [None, Readiness(hidden=(HOME, AWAY, FAR))])
def test_problem_when_the_account_was_not_asked_or_may_not_be_then_it_says_so(readiness):
    """`problem --records` needs no cloud; who may not ask can deploy all the same."""
    problem = built(readiness)
    assert set(problem.regions) == {HOME, AWAY, FAR}
    assert problem.provenance["regions_not_asked"].startswith("whether the account has enabled the regions")
    assert ("denied" in problem.provenance["regions_not_asked"]) == (readiness is not None)


def test_problem_when_nodes_ran_where_nothing_can_be_deployed_now_then_those_runs_count():
    """They say how the workflow runs; it stays in the problem, and no node may be placed there."""
    problem = built(Readiness(not_bootstrapped=(AWAY,)), regions={"B": AWAY})
    assert set(problem.regions) == {HOME, AWAY, FAR}
    assert problem.nodes["B"].allowed_regions == (HOME, FAR)
    assert set(problem.nodes["B"].runs) == {AWAY}


def test_problem_when_data_is_where_nothing_can_be_deployed_then_the_region_stays_for_the_data():
    """Data needs no stack."""
    photos = ExternalData("s3", AWAY, ("A",), mb_out=1.0)
    problem = built(Readiness(not_enabled=(AWAY,)), external_data={"photos": photos})
    assert AWAY in problem.regions
    assert AWAY not in problem.nodes["A"].allowed_regions


def test_problem_when_lambda_has_no_arm64_in_a_region_then_only_workflows_of_arm64_leave_it_out():
    """The price list has no such price there."""
    facts = without_arm64(AWAY)
    assert set(built(facts=facts).regions) == {HOME, AWAY, FAR}
    problem = built(facts=facts, architecture="arm64")
    assert set(problem.regions) == {HOME, FAR}
    assert problem.provenance["regions_without_arm64"].startswith(f"{AWAY}: Lambda has no arm64 there")
    with pytest.raises(InvalidProblemError, match=rf"region {HOME}, home: Lambda has no arm64 .*architecture: x86_64"):
        built(facts=without_arm64(HOME), architecture="arm64")


@pytest.mark.parametrize(
    ("readiness", "said"),
    [
        (Readiness(not_enabled=(HOME,)), rf"region {HOME}, home: the account has not enabled it.*enable-region"),
        (Readiness(not_bootstrapped=(HOME,)), rf"region {HOME}, home: the CDK is not bootstrapped .*cdk bootstrap"),
    ],
)
def test_problem_when_home_can_not_be_deployed_to_then_the_error_says_what_to_do(readiness, said):
    """Every function is there."""
    with pytest.raises(InvalidProblemError, match=said):
        built(readiness)


def test_problem_when_home_is_out_of_reach_then_it_is_no_mistake_of_the_users():
    """Whoever comes later gets an answer."""
    with pytest.raises(OperationFailedError, match=rf"{HOME}, which is home, is out of reach \(no answer\)"):
        built(Readiness(not_known={HOME: "no answer"}))


def test_problem_when_a_function_is_kept_in_a_region_that_is_not_bootstrapped_then_the_error_names_both():
    """Its owner said where it is to be; silence for a while is no such error."""
    kept = manifest()
    rules = RegionRules(allowed=(HOME, AWAY), kept_in=AWAY)
    functions = {**kept.functions, "B": dataclasses.replace(kept.functions["B"], regions=rules)}
    kept = dataclasses.replace(kept, functions=functions)
    with pytest.raises(InvalidProblemError, match=rf"region {AWAY}, where B is kept: the CDK is not bootstrapped"):
        left_out(kept, FACTS, Readiness(not_bootstrapped=(AWAY,)))
    assert left_out(kept, FACTS, Readiness(not_known={AWAY: "no answer"})).regions == {AWAY}
