"""What lies in the tables that every function of a workflow may write: a value, or one clear error, whatever it is."""

import dataclasses
import io
import json

from boto3.dynamodb.types import TypeDeserializer
from builders import graph_of, record_of
from hostile import ATTRIBUTES, FRAGMENTS, fuzzed, hostile_item, hostile_json
from hypothesis import example, given
from hypothesis import strategies as st

from caribou.cli.console import Terminal
from caribou.cli.trace_view import runs_table, trace_view
from caribou.collectors.records import InMemoryRecordTable, record_item
from caribou.control.placement_bucket import _applied_sha256
from caribou.control.runs.trace import Evidence, Notes, trace_of
from caribou.model.errors import InvalidRunItemError
from caribou.model.run.envelope import Pointer, Run, StoredPayload
from caribou.model.run.item import Parked, SyncState
from caribou.runtime.run_items import _item_of, readable, run_item, use_in
from caribou.runtime.stored_payloads import payload_attributes
from caribou.runtime.sync_items import (
    claim_key,
    claim_of,
    parked_in,
    payload_in,
    state_key,
    state_of,
)

HOME, WEST, NOW = "us-east-1", "us-west-2", 1_700_000_000.0
GRAPH = graph_of({"a": "b c", "b": "s", "c": "s"}, sync="s")
RUN = Run("run-1", "0.0.1", GRAPH.digest, "digest", {"b": WEST}, NOW, NOW + 3600)
ENDED = {"ended": {"SS": ["s"]}, "ended_at": {"N": str(NOW + 1)}, "result:s": {"S": '{"x": 1}'}}
FAILED = {"state": {"S": "FAILED"}, "failed_node": {"S": "b"}, "error": {"S": "ValueError: é"}}
RUN_ITEM = {**_item_of(RUN, frozenset(GRAPH.leaves)), **ENDED, **FAILED}
CLAIM = {**claim_key("run-1", "b"), "owner": {"S": "m-1"}, "attempt": {"N": "1"}, "tries_1": {"N": "2"}}
STATE = {**state_key("run-1", "s"), "taken": {"SS": ["b#0"]}, "skipped": {"SS": ["c#0"]}}
EDGE = {"id": {"S": "run-1#s"}, "part": {"S": "edge#b#0"}, "expires": {"N": "1"}}
POINTER = Pointer(HOME, "caribou-bucket", "run-1/s", "0" * 64, 300_000)
PARKED = {
    "id": {"S": "run-1#"},
    "part": {"S": "b"},
    "attempt": {"N": "2"},
    "message": {"S": "{}"},
    "reason": {"S": "ValueError: é"},
}
SYNC_KEYS = ("id", "part")
stored = st.sampled_from([StoredPayload("1"), StoredPayload(pointer=POINTER)])
RECORD = dataclasses.replace(record_of("a"), run_id="run-1", workflow="flow")
deserialised = TypeDeserializer().deserialize


@fuzzed
@given(item=hostile_item(RUN_ITEM, keys=("run_id",)))
@example({**RUN_ITEM, "state": {"S": "x" * 100_000}})
@example({**RUN_ITEM, "result:s": {"S": "["}})
@example({**RUN_ITEM, "started_at": {"N": "9.9E+125"}})
def test_run_item_when_hostile_then_it_can_be_traced_or_is_one_error_and_the_others_are_read(item):
    """What is read as a run is shown as one; every list passes over what is none."""
    assert len(readable([RUN_ITEM, item, RUN_ITEM])) >= 2
    try:
        use_in(item)
        found = run_item(item)
    except InvalidRunItemError as error:
        assert len(str(error)) < 5_000  # noqa: PT017 - either outcome is right
        assert "run-1" in str(error)  # noqa: PT017
        return
    trace = trace_of(Evidence(GRAPH, HOME, found))
    json.dumps(trace.to_json()).encode()
    screen = io.StringIO()
    terminal = Terminal(file=screen, width=80)
    terminal.print(runs_table([found], "runs"))
    terminal.print(trace_view(trace))
    assert "\x1b" not in screen.getvalue()


@fuzzed
@given(item=st.sampled_from([CLAIM, STATE]).flatmap(lambda item: hostile_item(item, keys=SYNC_KEYS)))
@example({**CLAIM, "attempt": {"N": "0.5"}})
def test_claim_and_state_when_hostile_then_they_are_notes_of_a_node(item):
    """A claim that is none was never tried; a state that is none has no reports."""
    attempt, tries = claim_of(item)
    state = state_of(item)
    assert isinstance(attempt * tries, int)
    assert isinstance(state, SyncState)
    trace_of(Evidence(GRAPH, HOME, run_item(RUN_ITEM), notes={"s": Notes(tries, state)}))


@fuzzed
@given(data=st.data())
def test_edges_payload_when_hostile_then_it_is_one_or_one_error(data):
    """A sync node that can't read what an edge left fails, and says which run and node."""
    whole = {**EDGE, **payload_attributes(data.draw(stored), "payload", "pointer")}
    try:
        found = payload_in(data.draw(hostile_item(whole, keys=SYNC_KEYS)))
    except InvalidRunItemError as error:
        assert "run-1#s" in str(error)  # noqa: PT017 - either outcome is right
    else:
        assert found.size_bytes >= 0


@fuzzed
@given(item=hostile_item(PARKED, keys=SYNC_KEYS))
@example({**PARKED, "attempt": {"S": "1"}})
def test_parked_message_when_hostile_then_the_others_of_its_run_are_found(item):
    """One that can't be read is passed over."""
    found = parked_in("run-1", [PARKED, item, PARKED])
    assert len(found) >= 2
    assert all(isinstance(one, Parked) for one in found)


@fuzzed
@given(data=st.data())
def test_record_table_when_an_item_is_hostile_then_the_others_are_read(data):
    """What was written by an earlier version, or by anybody with access to the table, is passed over and counted."""
    right, table = record_item(RECORD, 30), InMemoryRecordTable()
    hostile = dict(right)
    if data.draw(st.booleans()):
        hostile["body"] = data.draw(hostile_json(json.loads(right["body"])))
    else:
        hostile["body"] = data.draw(st.sampled_from(ATTRIBUTES).map(deserialised))
    table.items.update({("flow", "record#1"): hostile, ("flow", "record#2"): right})
    read = table.read("flow")
    assert RECORD in read.records
    assert len(read.records) + sum(read.passed_over.values()) == 2


@fuzzed
@given(text=st.one_of(hostile_json({"schema": "caribou.applied/1", "sha256": "0" * 64}), st.sampled_from(FRAGMENTS)))
@example("[" * 100_000)
def test_applied_placement_when_hostile_then_it_is_a_digest_or_none(text):
    """What can't be read says nothing of what was applied."""
    found = _applied_sha256(text)
    assert found is None or isinstance(found, str)


def test_items_when_they_are_not_changed_then_they_are_read():
    """What is fuzzed is right to begin with."""
    found = run_item(RUN_ITEM)
    assert (found.run, found.ended, found.results) == (RUN, {"s"}, {"s": '{"x": 1}'})
    assert claim_of(CLAIM) == (1, 2)
    assert state_of(STATE) == SyncState(frozenset({"b#0"}), frozenset({"c#0"}))
    assert parked_in("run-1", [PARKED]) == (Parked("run-1", "b", 2, "{}", "ValueError: é"),)
    for payload in (StoredPayload("1"), StoredPayload(pointer=POINTER)):
        assert payload_in({**EDGE, **payload_attributes(payload, "payload", "pointer")}) == payload
