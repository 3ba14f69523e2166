"""The assembled problem."""

import dataclasses
import json
from datetime import UTC, datetime, timedelta

import pytest
from builders import graph_of, record_of

from caribou.collectors.bodies import KINDS
from caribou.collectors.chain import collect
from caribou.collectors.facts import InMemoryFactTable, read_facts
from caribou.collectors.sources.keys import KeyRing
from caribou.collectors.sources.registry import DEFAULT_SOURCE, sources_of
from caribou.collectors.sources.snapshot import packaged_facts
from caribou.control.plan.problem import build_problem
from caribou.model.errors import InvalidProblemError
from caribou.model.manifest import FunctionSettings, Limit, Manifest, RegionRules
from caribou.model.run.record import Outcome, SuccessorRecord
from caribou.model.schema.problem_file import parse_problem

HOME = "us-west-1"
NOW = datetime(2026, 7, 1, tzinfo=UTC)
START = 1_782_000_000.0


@pytest.fixture
def graph():
    """Start → work → end and start → end, the first conditional; end is a sync node."""
    return graph_of({"start": "work end", "work": "end"}, sync="end", conditional="start#0", name="example")


@pytest.fixture
def manifest(graph):
    """Three regions for work, two for the others; limits of both kinds."""
    wide, narrow = (HOME, "us-west-2", "ca-west-1"), (HOME, "us-west-2")
    settings = {
        name: FunctionSettings(timeout_s=60, memory_mb=1024, regions=RegionRules(allowed=regions))
        for name, regions in (("start", narrow), ("work", wide), ("end", narrow))
    }
    return Manifest(
        workflow_name=graph.workflow,
        workflow_version=graph.version,
        home_region=HOME,
        functions=settings,
        hard={"runtime": Limit("relative", 110)},
        soft={"cost": Limit("absolute", 0.001)},
        priority=("carbon", "cost", "runtime"),
    )


def executed(run_id, node, started_at, successors=(), **changes):
    """A record of a second's work at home."""
    usual = {"region": HOME, "duration_s": 1.0, "cpu_s": 0.2, "memory_mb": 1024, "bytes_in": 100, "external": ()}
    return record_of(node, run_id=run_id, started_at=started_at, successors=successors, **(usual | changes))


def run_of(run_id, at, *, work=True):
    """The records of one run, with or without work."""
    to_work = SuccessorRecord("start#0", "work", HOME, Outcome.SENT if work else Outcome.SKIPPED, 50, 0.5, 0.02)
    to_end = SuccessorRecord("start#1", "end", HOME, Outcome.JOINED, 50, 0.6, 0.02)
    records = [executed(run_id, "start", at, (to_work, to_end))]
    if work:
        joined = SuccessorRecord("work#0", "end", HOME, Outcome.JOINED, 50, 0.9, 0.02)
        records.append(executed(run_id, "work", at + 0.6, (joined,), edge="start#0", sent_at=at + 0.51))
    sent_at = at + (1.51 if work else 0.61)
    return [*records, executed(run_id, "end", sent_at + 0.1, sent_at=sent_at)]


@pytest.fixture
def records():
    """Three runs with work, one without."""
    return [record for i in range(4) for record in run_of(f"run-{i}", START + 60 * i, work=i > 0)]


@pytest.fixture
def built(graph, manifest, records):
    """The problem from the packaged facts."""
    return build_problem(
        graph=graph, manifest=manifest, facts=packaged_facts(NOW), records=records, control_region="us-west-2", now=NOW
    )


def test_problem_when_built_from_snapshots_then_it_is_a_valid_one(built):
    """It passes the published schema and its rules, also after a round trip through a file's text."""
    problem = parse_problem(json.loads(json.dumps(built)), "problem.json")
    assert problem.home_region == HOME
    assert set(problem.regions) == {HOME, "us-west-2", "ca-west-1"}
    assert problem.nodes["work"].allowed_regions == (HOME, "us-west-2", "ca-west-1")
    assert problem.nodes["end"].allowed_regions == (HOME, "us-west-2")


def test_problem_when_a_branch_was_never_taken_then_it_is_valid_too(graph, manifest):
    """A node that no run led to has no runs, and its edges have samples or probability 0."""
    built = build_problem(
        graph=graph,
        manifest=manifest,
        facts=packaged_facts(NOW),
        records=run_of("run", START, work=False),
        control_region="us-west-2",
        now=NOW,
    )
    assert parse_problem(built).nodes["work"].runs == {}
    assert "work" in built["provenance"]["workflow.unreached_nodes"]


def test_problem_when_an_edge_into_a_sync_node_is_always_skipped_then_it_is_valid_too(graph, manifest):
    """Nothing ever came over work → end, and the run of start alone is no sample of it."""
    skipped = SuccessorRecord("work#0", "end", None, Outcome.SKIPPED, 0, 0.9, 0.02)
    records = [
        dataclasses.replace(record, successors=(skipped,)) if record.node == "work" else record
        for record in run_of("run", START)
    ]
    built = build_problem(
        graph=graph, manifest=manifest, facts=packaged_facts(NOW), records=records, control_region="us-west-2", now=NOW
    )
    assert parse_problem(built).edges[2].probability == 0


def test_problem_when_the_manifest_asks_for_a_robust_placement_then_its_objective_does(graph, manifest):
    """It is said in the file, so that whoever solves it goes by it."""
    built = build_problem(
        graph=graph,
        manifest=dataclasses.replace(manifest, robust=True),
        facts=packaged_facts(NOW),
        records=run_of("run", START),
        control_region="us-west-2",
        now=NOW,
    )
    assert parse_problem(built).objective.robust


def test_problem_when_built_then_limits_and_model_are_the_manifests_and_the_designs(built):
    """Priority and limits of the manifest; the tail is the 95th percentile; a run's plan is never fetched."""
    assert built["objective"] == {
        "priority": ["carbon", "cost", "runtime"],
        "hard": {"runtime": {"type": "relative", "value": 110}},
        "soft": {"cost": {"type": "absolute", "value": 0.001}},
        "tail_percentile": 95,
    }
    assert built["entry"]["plan_gb"] == 0
    assert built["entry"]["plan_read_at_function_probability"] == 1
    assert built["entry"]["stays_home_share"] == 0.1
    assert built["carbon_model"]["unknown_route_g_per_kwh"] == 410


def test_problem_when_a_figure_was_assumed_then_the_provenance_says_for_which_region(built):
    """ca-west-1 has no listed egress price; medians are no tails; nobody measured relative run times."""
    provenance = built["provenance"]
    assert provenance["egress_price_assumed"] == "ca-west-1"
    assert provenance["carbon_zone_contested"] == (
        "us-west-2 is taken as US-NW-PACW (204 g/kWh), others name US-NW-BPAT (129 g/kWh)"
    )
    assert "medians" in provenance["ping"]
    assert "assumed" in provenance["relative_run_time"]
    assert "month 7 of 2023" in provenance["carbon"]
    assert provenance["workflow.runs"].startswith("4 runs from 2026-")


def test_problem_when_a_round_trip_is_estimated_then_the_provenance_says_which(graph, manifest):
    """A region that nobody measured is named once, and a pair that was not by itself."""
    facts = packaged_facts(NOW)
    [calgary, west] = ("ca-west-1", "us-west-2")
    for region, estimated in ((calgary, f"{HOME}, {west}, {calgary}"), (west, HOME)):
        fact = facts.performance[region]
        body = fact.body.with_provenance({"estimated": estimated})
        facts.performance[region] = dataclasses.replace(fact, body=body)
    built = build_problem(
        graph=graph,
        manifest=manifest,
        facts=facts,
        records=run_of("1", START),
        control_region="us-west-2",
        now=NOW,
    )
    assert built["provenance"]["ping_estimated"] == f"{calgary}, {west}>{HOME}"


def test_problem_when_marginal_intensity_is_known_then_it_has_it_and_else_says_of_which_region_not(built):
    """Known for California, not for Calgary: left out there, and named."""
    marginal = {name: facts["carbon_intensity_g_per_kwh"].get("marginal") for name, facts in built["regions"].items()}
    assert marginal == {HOME: 392.78, "us-west-2": 427.19, "ca-west-1": None}
    assert "marginal" not in built["regions"]["ca-west-1"]["carbon_intensity_g_per_kwh"]
    assert built["provenance"]["marginal_intensity_unknown"] == "ca-west-1"


def test_problem_when_marginal_intensity_is_a_mean_of_weeks_then_it_says_of_which_regions(graph, manifest, records):
    """One of a season beside one of a year are not the same kind of figure."""
    facts = packaged_facts(NOW)
    fact = facts.carbon["us-west-2"]
    body = dataclasses.replace(fact.body, marginal=250.0).with_provenance({"marginal_source": "WattTime"})
    facts = dataclasses.replace(facts, carbon={**facts.carbon, "us-west-2": dataclasses.replace(fact, body=body)})
    built = build_problem(
        graph=graph, manifest=manifest, facts=facts, records=records, control_region="us-west-2", now=NOW
    )
    assert built["provenance"]["marginal_intensity_of_last_weeks"] == "us-west-2"
    assert built["regions"]["us-west-2"]["carbon_intensity_g_per_kwh"]["marginal"] == 250.0


def test_problem_when_facts_come_from_the_table_then_it_is_the_same_one(graph, manifest, records, built):
    """Collected into the table and read back, or straight from the snapshots: the same problem."""
    table = InMemoryFactTable()
    for kind in KINDS:
        collect(sources_of(kind, [DEFAULT_SOURCE], {}, KeyRing("")), table, NOW)
    again = build_problem(
        graph=graph, manifest=manifest, facts=read_facts(table), records=records, control_region="us-west-2", now=NOW
    )
    assert again == built


@pytest.mark.parametrize("kind", ["carbon", "provider", "performance"])
def test_problem_when_a_region_lacks_a_fact_then_the_error_names_region_and_collector(graph, manifest, records, kind):
    """What is missing is not guessed."""
    facts = packaged_facts(NOW)
    without = {region: fact for region, fact in facts.of(kind).items() if region != "us-west-2"}
    facts = dataclasses.replace(facts, **{kind: without})
    with pytest.raises(InvalidProblemError, match=rf"region us-west-2.*data_collect {kind}"):
        build_problem(graph=graph, manifest=manifest, facts=facts, records=records, control_region="us-west-2", now=NOW)


def test_problem_when_a_ping_is_missing_then_the_error_names_both_ends(graph, manifest, records):
    """Also a single pair is asked for."""
    facts = packaged_facts(NOW)
    fact = facts.performance["us-west-2"]
    body = dataclasses.replace(fact.body, ping_s={HOME: (0.02,)})
    facts = dataclasses.replace(
        facts, performance={**facts.performance, "us-west-2": dataclasses.replace(fact, body=body)}
    )
    with pytest.raises(InvalidProblemError, match=r"region us-west-2: there is no ping to us-west-2"):
        build_problem(graph=graph, manifest=manifest, facts=facts, records=records, control_region="us-west-2", now=NOW)


def test_problem_when_facts_are_past_their_time_then_it_is_refused_and_old_ones_are_said(graph, manifest, records):
    """A clean region of last year is no reason to move; what is a few days old is used, and said."""
    facts = packaged_facts(NOW)
    given = {"graph": graph, "manifest": manifest, "facts": facts, "records": records, "control_region": "us-west-2"}
    with pytest.raises(InvalidProblemError, match=r"carbon of us-west-1.*data_collect carbon"):
        build_problem(**given, now=NOW + timedelta(days=8))
    assert "3 days ago" in build_problem(**given, now=NOW + timedelta(days=3))["provenance"]["facts_old"]


def test_problem_when_a_region_has_its_own_price_of_logs_then_that_counts_and_the_others_are_named(
    graph, manifest, records
):
    """The packaged list has none: us-east-1's is taken, and said."""

    def built_with(**own):
        facts = packaged_facts(NOW)
        provider = dict(facts.provider)
        for region, price in own.items():
            fact = provider[region.replace("_", "-")]
            prices = dataclasses.replace(fact.body.price_usd, log_per_gb=price)
            provider[fact.region] = dataclasses.replace(fact, body=dataclasses.replace(fact.body, price_usd=prices))
        facts = dataclasses.replace(facts, provider=provider)
        return build_problem(
            graph=graph, manifest=manifest, facts=facts, records=records, control_region="us-west-2", now=NOW
        )

    assert built_with()["provenance"]["log_price"] == "0.5 USD/GB, us-east-1's, for all regions"
    built = built_with(us_west_1=0.67)
    assert [built["regions"][r]["price_usd"]["log_per_gb"] for r in (HOME, "us-west-2")] == [0.67, 0.5]
    assert built["provenance"]["log_price"] == "0.5 USD/GB, us-east-1's, for us-west-2, ca-west-1"
    assert "log_price" not in built_with(us_west_1=0.67, us_west_2=0.5, ca_west_1=0.5)["provenance"]
