"""problem.json and solved.json: what is read, what is refused, and how the refusal helps."""

import json
from pathlib import Path

import problem_instances
import pytest
from problem_instances import changed, entry, region

from caribou.model.errors import InvalidPlacementError, InvalidProblemError
from caribou.model.schema.placement import parse_placement, placement_json_schema, read_placement
from caribou.model.schema.problem_file import parse_problem, problem_json_schema, read_problem
from caribou.model.schema.publish import publish, schema_text

ROOT = Path(__file__).parents[3]
HOME, AWAY = "us-east-1", "us-west-2"
PAIR = f"{HOME}>{HOME}"


def runs(*calls):
    """Two observed runs."""
    return {
        HOME: {
            "duration_s": [1.0, 2.0],
            "external_data_gb": [0.0, 0.0],
            "call_offset_s": {call: [0.5, 1.5] for call in calls},
        }
    }


def edge(source, target, **fields):
    """An edge with one observed message."""
    transfers = {PAIR: {"payload_gb": [1e-6], "latency_s": [0.1]}}
    return {
        "from": source,
        "to": target,
        "probability": 1.0,
        "transfers": transfers,
        "sync": None,
        "on_skip": [],
        **fields,
    }


def notice(predecessor, sync_node):
    """A skip notice."""
    sizes = {"response_gb": 1e-6, "message_gb": 1e-6}
    return {"predecessor": predecessor, "sync_node": sync_node, **sizes, "transfers": {PAIR: {"latency_s": [0.1]}}}


def node(*calls):
    """A node that may run in both regions."""
    return {
        "memory_mb": 1024,
        "vcpu": None,
        "architecture": "x86_64",
        "allowed_regions": [HOME, AWAY],
        "cpu_utilization": 0.5,
        "runs": runs(*calls),
    }


def valid():
    """Start calls work and, twice, merge; work calls merge, unless it is skipped."""
    sync = {"response_gb": 1e-6, "message_gb": 1e-6}
    redirector = {"cpu_utilization": 0.1, "runs": runs("start"), "transfers": edge("a", "b")["transfers"]}
    return problem_instances.problem(
        "w",
        control_region=AWAY,
        regions={HOME: region(), AWAY: region()},
        ping_s={a: {b: [0.01] for b in (HOME, AWAY)} for a in (HOME, AWAY)},
        entry=entry("start", [1e-6], plan_read_at_function_probability=1.0, redirector=redirector),
        nodes={"start": node("work", "merge", "again"), "work": node("merge"), "merge": node()},
        edges=[
            edge("start", "work", probability=0.5, on_skip=[notice("work", "merge")]),
            edge("start", "merge", sync=sync),
            edge("start", "merge", sync=sync, call="again"),
            edge("work", "merge", sync=sync),
        ],
        objective={"hard": {"runtime": {"type": "relative", "value": 110}}},
    )


def test_problem_when_valid_then_is_read_with_defaults_for_what_is_optional():
    """The example is a problem; nobody stays home, and a call is named after its target, unless said otherwise."""
    problem = parse_problem(valid())
    assert problem.entry.stays_home_share == 0
    assert [edge.call_key for edge in problem.edges] == ["work", "merge", "again", "merge"]
    assert problem.node_order == ("start", "work", "merge")
    assert problem.edges_ended_by_skip(0) == (3,)


def test_shipped_problems_when_read_then_all_are_valid():
    """The shipped instances are read as they are."""
    folder = ROOT / "../shared/problems"
    if not folder.is_dir():
        pytest.skip(f"no shipped problem instances at {folder}")
    for path in folder.glob("*.json"):
        read_problem(path)


def test_problem_when_an_earlier_version_wrote_it_then_the_price_that_nothing_reads_may_stand_there():
    """`egress_internet_per_gb` was required; a problem is read with it and without."""
    content = valid()
    del content["regions"][HOME]["price_usd"]["egress_internet_per_gb"]
    problem = parse_problem(content)
    assert [problem.regions[name].price_usd.egress_internet_per_gb for name in (HOME, AWAY)] == [None, 0.09]


def test_problem_when_marginal_intensity_is_given_then_is_read_and_else_is_none():
    """It is optional: nobody publishes it for some regions."""
    path = ("regions", AWAY, "carbon_intensity_g_per_kwh", "marginal")
    regions = parse_problem(changed(valid(), path, 476.7)).regions
    assert regions[AWAY].carbon_intensity_g_per_kwh.marginal == 476.7
    assert regions[HOME].carbon_intensity_g_per_kwh.marginal is None


@pytest.mark.parametrize("value", [["x" * 40] * 1000, {"key": "x" * 100_000}, "x" * 100_000])
def test_problem_when_a_wrong_value_is_long_then_the_message_shows_its_beginning(value):
    """A mapping that stands where a number belongs may be the whole file."""
    with pytest.raises(InvalidProblemError, match="more letters") as caught:
        parse_problem(changed(valid(), ("regions", HOME, "pue"), value))
    assert len(str(caught.value)) < 400
    assert "regions.us-east-1.pue" in str(caught.value)


WRONG = {
    "unknown field": (("nodes", "merge", "memory"), 1, "nodes.merge.memory"),
    "unknown field at the top": (("extra",), 1, "extra"),
    "missing field": (("nodes", "merge", "memory_mb"), ..., "nodes.merge.memory_mb"),
    "another schema": (("schema",), "caribou.problem/3", "schema"),
    "not a number": (("nodes", "merge", "runs", HOME, "duration_s", 0), float("nan"), "duration_s[0]"),
    "infinite": (("regions", HOME, "pue"), float("inf"), "regions.us-east-1.pue"),
    "a text for a number": (("regions", HOME, "pue"), "1.1", "regions.us-east-1.pue"),
    "milliseconds": (("nodes", "merge", "runs", HOME, "duration_s", 0), 1500.0, "duration_s[0]"),
    "watts": (("regions", HOME, "cpu_kw_per_vcpu", "full"), 3.5, "cpu_kw_per_vcpu.full"),
    "full below idle": (("regions", HOME, "cpu_kw_per_vcpu", "full"), 0.0001, "cpu_kw_per_vcpu.full"),
    "negative marginal intensity": (("regions", HOME, "carbon_intensity_g_per_kwh", "marginal"), -1.0, "marginal"),
    "23 hours": (("regions", HOME, "carbon_intensity_g_per_kwh", "hourly"), [1.0] * 23, "hourly"),
    "probability above one": (("edges", 0, "probability"), 1.5, "edges[0].probability"),
    "negative latency": (("edges", 0, "transfers", PAIR, "latency_s", 0), -1.0, "latency_s[0]"),
    "no samples": (("entry", "payload_gb"), [], "entry.payload_gb"),
    "unknown home": (("home_region",), "eu-west-1", "home_region"),
    "unknown region in ping": (("ping_s", HOME, "eu-west-1"), [0.1], "ping_s.us-east-1"),
    "missing ping": (("ping_s", HOME, AWAY), ..., "ping_s.us-east-1.us-west-2"),
    "unknown allowed region": (("nodes", "merge", "allowed_regions"), [HOME, "eu-west-1"], "merge.allowed_regions"),
    "region allowed twice": (("nodes", "merge", "allowed_regions"), [HOME, HOME], "merge.allowed_regions"),
    "home not allowed": (("nodes", "merge", "allowed_regions"), [AWAY], "merge.allowed_regions"),
    "missing price": (("regions", AWAY, "price_usd", "compute_per_gb_s"), {}, "compute_per_gb_s.x86_64"),
    "unknown node in an edge": (("edges", 3, "from"), "nobody", "edges[3].from"),
    "unknown pair": (("edges", 3, "transfers", "here>there"), {"payload_gb": [1.0], "latency_s": [1.0]}, "here>there"),
    "two equal calls": (("edges", 2, "call"), "merge", "edges[2]"),
    "misaligned runs": (("nodes", "merge", "runs", HOME, "external_data_gb"), [0.0], "us-east-1.external_data_gb"),
    "misaligned calls": (("nodes", "work", "runs", HOME, "call_offset_s", "merge"), [0.0], "call_offset_s.merge"),
    "missing call": (("nodes", "start", "runs", HOME, "call_offset_s", "again"), ..., "call_offset_s.again"),
    "call without an edge": (("nodes", "merge", "runs", HOME, "call_offset_s", "x"), [0.0, 0.0], "call_offset_s.x"),
    "misaligned messages": (("edges", 3, "transfers", PAIR, "payload_gb"), [1.0, 1.0], "latency_s"),
    "no observed run": (("nodes", "merge", "runs"), {}, "nodes.merge.runs"),
    "no observed message": (("edges", 3, "transfers"), {}, "edges[3].transfers"),
    "several edges without a join": (("edges", 3, "sync"), None, "edges[3].sync"),
    "untold sync node": (("edges", 0, "on_skip"), [], "edges[0].on_skip"),
    "notified of another edge": (("edges", 1, "on_skip"), [notice("work", "merge")], "edges[1].on_skip"),
    "no redirector": (("entry", "redirector"), None, "entry.redirector"),
    "redirector unseen at home": (("entry", "redirector", "runs"), {}, "entry.redirector.runs.us-east-1"),
    "redirector without messages": (("entry", "redirector", "transfers"), {}, "entry.redirector.transfers"),
    "unknown entry": (("entry", "node"), "nobody", "entry.node"),
    "edge into the entry": (("entry", "node"), "work", "entry.node"),
    "unknown metric": (("objective", "hard", "speed"), {"type": "relative", "value": 110}, "objective.hard"),
    "metric twice": (("objective", "priority"), ["cost", "cost"], "objective.priority"),
    "fraction as a limit": (("objective", "hard", "runtime", "value"), 1.1, "objective.hard.runtime.value"),
    "everyone stays home": (("entry", "stays_home_share"), 1.0, "entry.stays_home_share"),
    "percentile 100": (("objective", "tail_percentile"), 100, "objective.tail_percentile"),
}


@pytest.mark.parametrize(("path", "value", "place"), WRONG.values(), ids=WRONG)
def test_problem_when_one_thing_is_wrong_then_says_where_and_how_to_fix_it(path, value, place):
    """Each flaw is our own error with its path inside the file and a remedy, never a traceback or a default."""
    with pytest.raises(InvalidProblemError) as caught:
        parse_problem(changed(valid(), path, value), "problem.json")
    assert caught.value.where.startswith("problem.json: ")
    assert place in caught.value.where
    assert "To fix: " in str(caught.value)


def test_problem_when_edges_form_a_cycle_then_is_refused():
    """A workflow is a DAG."""
    data = valid()
    data["edges"].append(edge("merge", "work", call="back", sync={"response_gb": 0.0, "message_gb": 0.0}))
    data["nodes"]["merge"]["runs"] = runs("back")
    with pytest.raises(InvalidProblemError, match="cycle"):
        parse_problem(data)


def test_problem_when_a_node_has_no_edge_then_is_refused():
    """Nothing could ever run it."""
    with pytest.raises(InvalidProblemError, match=r"nodes\.alone: can't be reached"):
        parse_problem(changed(valid(), ("nodes", "alone"), node()))


def test_problem_when_a_skipped_sync_node_has_no_latency_to_pass_its_skip_on_with_then_is_refused():
    """No run reaches it, but each sends it a skip, and it notifies the next one: nothing says how long that takes."""
    data = valid()
    for one in data["edges"]:
        if one["to"] == "merge":
            one.update(probability=0.0, transfers={}, on_skip=[notice(one["from"], "merge")])
    silent = {**notice("merge", "late"), "transfers": {}}
    data["nodes"]["merge"] = {**node("late"), "runs": {}}
    data["nodes"]["late"] = {**node(), "runs": {}}
    sync = {"response_gb": 1e-6, "message_gb": 1e-6}
    data["edges"].append(edge("merge", "late", sync=sync, probability=0.0, transfers={}, on_skip=[silent]))
    with pytest.raises(InvalidProblemError, match=r"edges\[4\]\.on_skip\[0\]\.transfers: has no latency to go by"):
        parse_problem(data)


def test_problem_when_the_entry_stays_home_then_needs_no_redirector():
    """If the entry node may only run at home, no run is ever forwarded."""
    data = changed(valid(), ("entry", "redirector"), ...)
    data["nodes"]["start"]["allowed_regions"] = [HOME]
    assert parse_problem(data).entry.redirector is None


def test_problem_when_a_node_can_not_be_invoked_then_needs_no_observations():
    """What no run reaches has no runs to show: a rare branch does not keep a workflow from being solved."""
    data = valid()
    data["edges"][0].update(probability=0.0, transfers={})
    data["edges"][3].update(transfers={})
    data["nodes"]["work"]["runs"] = {}
    assert parse_problem(data).can_be_invoked == {"start", "merge"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "is not JSON"),
        (b'{"a": 1, "a": 2}', "'a' stands twice"),
        (b"\xff", "UTF-8"),
        (b"[]", "not a mapping"),
        (b"[" * 100_000, "nested too deeply|not JSON"),
    ],
)
def test_file_when_not_a_problem_then_raises_with_its_path(tmp_path, content, message):
    """Whatever stands in the file, the answer is a message with the file's name."""
    path = tmp_path / "broken.json"
    path.write_bytes(content)
    with pytest.raises(InvalidProblemError, match=message) as caught:
        read_problem(path)
    assert "broken.json" in caught.value.where


def test_file_when_missing_then_raises(tmp_path):
    """A wrong path is named."""
    with pytest.raises(InvalidProblemError, match="can't be read"):
        read_problem(tmp_path / "none.json")
    with pytest.raises(InvalidPlacementError, match="can't be read"):
        read_placement(tmp_path / "none.json")


def placement():
    """A placement written by hand."""
    return {
        "schema": "caribou.placement/1",
        "workflow": "w",
        "workflow_version": "0.0.1",
        "home_region": HOME,
        "expires_at": "2026-01-31T00:00:00Z",
        "plans": [{"hours": list(range(24)), "regions": {"a": HOME}}],
    }


def test_placement_when_written_by_hand_then_is_read_without_a_report():
    """Hours and regions are enough."""
    assert parse_placement(placement()).regions_at(5) == {"a": HOME}


@pytest.mark.parametrize(
    ("path", "value", "place"),
    [
        (("plan",), [], "plan"),
        (("plans",), [], "plans"),
        (("plans", 0, "region"), {}, r"plans\[0\].region"),
        (("plans", 0, "hours"), [24], r"plans\[0\].hours\[0\]"),
        (("plans", 0, "hours"), [0, 1], "every hour"),
        (("plans", 0, "regions"), {}, r"plans\[0\].regions"),
        (("plans", 0, "status"), "perfect", r"plans\[0\].status"),
        (("plans", 0, "gap"), 1.5, r"plans\[0\].gap"),
        (("expires_at",), "tomorrow", "expires_at"),
        (("expires_at",), "2026-01-31T00:00:00", "expires_at"),
        (("problem_sha256",), "abc", "problem_sha256"),
        (("sensitivity",), {"average": {"low": 0.1, "high": 2.0}}, r"sensitivity"),
        (("solver",), {"name": "x", "version": "1", "seed": 0, "carbon_g": -1.0}, r"solver\.carbon_g"),
        (("schema",), "caribou.placement/9", "schema"),
        (("workflow",), ..., "workflow"),
    ],
)
def test_placement_when_one_thing_is_wrong_then_says_where(path, value, place):
    """Each flaw is our own error with its path inside the file."""
    with pytest.raises(InvalidPlacementError, match=f"placement.*{place}"):
        parse_placement(changed(placement(), path, value))


@pytest.mark.parametrize(("name", "schema"), [("problem", problem_json_schema), ("placement", placement_json_schema)])
def test_schema_when_published_then_is_the_models(name, schema, tmp_path):
    """docs/schemas holds what the models give; else run `python -m caribou.model.schema.publish docs/schemas`."""
    published = (ROOT / f"docs/schemas/{name}.schema.json").read_text()
    assert published == schema_text(schema())
    publish(tmp_path)
    assert (tmp_path / f"{name}.schema.json").read_text() == published
    assert json.loads(published)["additionalProperties"] is False


def keys_of(schema):
    """The names of all properties in a JSON Schema."""
    return {key for part in (schema, *schema["$defs"].values()) for key in part.get("properties", {})}


@pytest.mark.parametrize("schema", [problem_json_schema, placement_json_schema])
def test_docs_when_a_file_has_a_field_then_they_describe_it(schema):
    """Every field has a row in a table of docs/model.md."""
    rows = [line for line in (ROOT / "docs/model.md").read_text().splitlines() if line.startswith("|")]
    assert {key for key in keys_of(schema()) if not any(f"`{key}`" in row for row in rows)} == set()
