"""The graph and the values beside it: neighbours, digests, JSON, names and run records."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caribou.model.canonical import canonical_json, digest_of
from caribou.model.errors import InvalidRecordError
from caribou.model.graph import Edge, Function, Graph, Node
from caribou.model.names import WorkflowNames, registrations_path, stack_name, workflow_stack_id
from caribou.model.registration import ControlNames
from caribou.model.run.record import RECORD_SCHEMA, Outcome, RunRecord, SuccessorRecord

A, B, C = "a:entry_point:0", "b:a_0_0:1", "c:sync:2"
GRAPH = Graph(
    workflow="shop",
    version="0.0.1",
    functions=(
        Function("a", "app", "a", entry_point=True, regions_and_providers={"allowed_regions": []}),
        Function("b", "steps", "b_function", environment_variables={"SIZE": "1"}),
        Function("c", "app", "c", sync=True),
    ),
    nodes=(Node(A, "a"), Node(B, "b"), Node(C, "c", sync=True)),
    edges=(Edge(A, 0, B), Edge(A, 1, C, conditional=True), Edge(A, 2, C), Edge(B, 0, C)),
)


def test_neighbours_when_asked_for_then_they_come_in_the_order_of_the_source():
    """Edges out of and into a node, also two with the same target."""
    assert [edge.id for edge in GRAPH.out_edges(A)] == [f"{A}#0", f"{A}#1", f"{A}#2"]
    assert [edge.id for edge in GRAPH.in_edges(C)] == [f"{A}#1", f"{A}#2", f"{B}#0"]
    assert GRAPH.out_edges(C) == GRAPH.in_edges(A) == ()


def test_entry_and_leaves_when_asked_for_then_they_are_the_ends_of_the_dag():
    """A run begins at the entry and has ended when the leaves have."""
    assert GRAPH.entry.name == A
    assert GRAPH.leaves == (C,)


def test_descendants_when_asked_for_then_the_node_itself_is_one():
    """What the envelope must know about: the node and what can follow it."""
    assert GRAPH.descendants(A) == {A, B, C}
    assert GRAPH.descendants(B) == {B, C}


def test_lookup_when_a_name_is_unknown_then_it_is_a_key_error():
    """Nodes and functions are looked up by name."""
    assert GRAPH.has_node(A)
    assert not GRAPH.has_node("a")
    assert GRAPH.function("b").handler == "b_function"
    with pytest.raises(KeyError):
        GRAPH.node("a")
    with pytest.raises(KeyError):
        GRAPH.function("d")


def test_graph_when_it_went_through_json_then_it_is_equal():
    """The graph travels in the bundle as JSON."""
    assert Graph.from_json(json.loads(json.dumps(GRAPH.to_json()))) == GRAPH


def test_digest_when_functions_move_in_the_source_then_it_stays():
    """Runs in flight survive a deploy that moves code about, but not one that changes the DAG."""
    moved = dataclasses.replace(
        GRAPH, version="0.0.2", functions=tuple(dataclasses.replace(f, module="x") for f in GRAPH.functions)
    )
    assert moved.digest == GRAPH.digest
    assert dataclasses.replace(GRAPH, edges=GRAPH.edges[:-1]).digest != GRAPH.digest
    unconditional = tuple(dataclasses.replace(edge, conditional=False) for edge in GRAPH.edges)
    assert dataclasses.replace(GRAPH, edges=unconditional).digest != GRAPH.digest


@given(st.dictionaries(st.text(), st.integers() | st.text()))
def test_canonical_json_when_keys_are_in_another_order_then_it_is_the_same(value):
    """Order of insertion changes neither the text nor the digest."""
    turned = dict(reversed(value.items()))
    assert canonical_json(turned) == canonical_json(value)
    assert digest_of(turned) == digest_of(value)
    assert json.loads(canonical_json(value)) == value


def test_canonical_json_when_a_number_is_not_json_then_it_is_refused():
    """NaN has no JSON."""
    with pytest.raises(ValueError, match="JSON"):
        canonical_json(float("nan"))


def test_names_when_the_stage_is_default_then_they_are_as_designed():
    """Names that another region or the CLI addresses are fixed."""
    names = WorkflowNames("image_processing")
    assert names.function("get_input") == names.topic("get_input") == "caribou-dev-image_processing-get_input"
    assert names.log_group("x") == "/aws/lambda/caribou-dev-image_processing-x"
    assert names.run_table == "caribou-dev-image_processing-runs-1"
    assert names.sync_table == "caribou-dev-image_processing-sync-1"
    assert names.registration == f"{registrations_path()}/image_processing" == "/caribou/dev/workflows/image_processing"
    assert names.payload_bucket("1" * 12, "us-east-1") == f"caribou-dev-image-processing-{'1' * 12}-us-east-1"
    assert ControlNames("prod").fact_table == "caribou-prod-facts-1"
    assert ControlNames().record_table == "caribou-dev-records-1"
    assert ControlNames().collector("carbon") == "caribou-dev-collector-carbon"
    assert ControlNames().placement_bucket("1" * 12, "us-east-1") == f"caribou-dev-placements-{'1' * 12}-us-east-1"


def test_stack_name_when_the_id_has_underscores_then_they_become_hyphens():
    """CloudFormation takes no underscores; another stage stands in front."""
    assert stack_name(workflow_stack_id("image_processing")) == "Workflow-image-processing"
    assert stack_name(workflow_stack_id("shop", "eu-west-1"), "prod") == "prod-Workflow-shop-eu-west-1"


@given(st.text("abcXYZ019_", min_size=1, max_size=60), st.sampled_from(["dev", "prod"]))
def test_bucket_name_when_the_workflows_is_long_then_it_fits_and_differs(workflow, stage):
    """A bucket's name has at most 63 characters, and a cut one keeps a digest of the whole."""
    name = WorkflowNames(workflow, stage).payload_bucket("1" * 12, "ap-southeast-1")
    assert len(name) <= 63
    assert "_" not in name
    assert name == name.lower()
    longer = WorkflowNames("n" * 60 + workflow, stage).payload_bucket("1" * 12, "ap-southeast-1")
    assert longer != WorkflowNames("n" * 60 + workflow + "x", stage).payload_bucket("1" * 12, "ap-southeast-1")


RECORD = RunRecord(
    run_id="r1",
    workflow="shop",
    workflow_version="0.0.1",
    node=A,
    function="a",
    region="us-east-1",
    placement="d" * 64,
    attempt=1,
    cold_start=True,
    started_at=1.5,
    duration_s=0.25,
    cpu_s=0.2,
    memory_mb=512,
    bytes_in=10,
    bytes_out=20,
    external=(),
    edge=None,
    sent_at=None,
    redirect=False,
    stays_home=False,
    error=None,
    successors=(SuccessorRecord(f"{A}#0", B, "us-west-2", Outcome.SENT, 20, 0.1, 0.01),),
)


def test_record_when_it_went_through_json_then_it_is_equal():
    """A run record is one JSON line in a log."""
    assert RunRecord.from_json(json.loads(json.dumps(RECORD.to_json()))) == RECORD


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"schema": "caribou.record/0"}, f"use records of {RECORD_SCHEMA}"),
        ({"extra": 1}, r"missing or unknown fields \(found: extra\)"),
        ({"successors": [{"edge": "a#0"}]}, "a successor that can't be read"),
        ({"successors": [{**RECORD.to_json()["successors"][0], "outcome": "lost"}]}, "'lost' is not a valid Outcome"),
    ],
)
def test_record_when_its_schema_or_fields_differ_then_it_is_an_error(change, text):
    """Another version, or another set of fields, is refused."""
    with pytest.raises(InvalidRecordError, match=text):
        RunRecord.from_json({**RECORD.to_json(), **change})


def test_record_when_a_field_is_missing_then_it_is_an_error():
    """A record is whole or refused."""
    data = RECORD.to_json()
    del data["node"]
    with pytest.raises(InvalidRecordError, match=r"line 3: .*found: node"):
        RunRecord.from_json(data, "line 3")
