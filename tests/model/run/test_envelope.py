"""Envelopes and starts keep what they carry, and damaged ones are not taken for users' own events."""

import json
import uuid

import pytest
from builders import graph_of
from hypothesis import given
from hypothesis import strategies as st

from caribou.model.errors import InvalidEnvelopeError
from caribou.model.run.envelope import MAX_PAYLOAD_BYTES, Envelope, Pointer, Run, Start, parse_message
from caribou.model.run.fields import MAX_RUN_ID_BYTES, is_run_name

_names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=64)
_run_names = _names.filter(is_run_name)
_times = st.floats(min_value=0, max_value=4e9)
_runs = st.builds(
    Run,
    run_id=_run_names,
    workflow_version=_names,
    graph=_names,
    placement=_names,
    regions=st.dictionaries(_names, st.sampled_from(["us-west-2", "ca-central-1"])),
    started_at=_times,
    deadline=_times,
    stays_home=st.booleans(),
)
_pointers = st.builds(
    Pointer,
    region=st.just("us-west-2"),
    bucket=_names,
    key=_names,
    sha256=_names,
    size_bytes=st.integers(0, MAX_PAYLOAD_BYTES),
)
envelopes = st.builds(
    Envelope,
    run=_runs,
    node=_names,
    edge=st.none() | _names,
    inputs=_names,
    attempt=st.integers(min_value=0, max_value=2000),
    hop=st.integers(min_value=0, max_value=500),
    sent_at=_times,
    payload=st.none() | _names,
    pointer=st.none() | _pointers,
)


def _envelope(**changes):
    run = Run("r", "0.0.1", "g", "p", {"b": "us-west-2"}, 1.0, 2.0)
    return Envelope(
        **{"run": run, "node": "b", "edge": "a#0", "inputs": "i", "hop": 1, "sent_at": 1.5, "payload": "1", **changes}
    )


@given(envelopes)
def test_envelope_when_parsed_then_it_is_what_was_sent(envelope):
    """Every field survives the way, whatever is in it."""
    assert parse_message(json.loads(envelope.to_text())) == envelope


@given(
    st.builds(
        Start,
        run_id=st.none() | _run_names,
        payload=st.none() | _names,
        pointer=st.none() | _pointers,
        attempt=st.integers(min_value=0, max_value=2000),
    )
)
def test_start_when_parsed_then_it_is_what_was_sent(start):
    """A start keeps the client's name, and the payload or where it rests."""
    assert parse_message(json.loads(start.to_text())) == start


@pytest.mark.parametrize(
    "event", [None, 1, "text", [], {}, {"schema": "mine/1"}, {"schema": "caribou.record/1"}, {"schema": 3}]
)
def test_message_when_it_is_not_ours_then_it_is_a_payload(event):
    """Whatever doesn't say that it is ours is a user's event."""
    assert parse_message(event) is None


@pytest.mark.parametrize("schema", ["caribou.envelope/2", "caribou.start/2"])
def test_message_when_its_schema_is_unknown_then_error_names_it(schema):
    """One of ours that this version doesn't read is an error, not a payload."""
    with pytest.raises(InvalidEnvelopeError, match=schema):
        parse_message({"schema": schema})


_BAD_NAMES = [
    5,
    1.5,
    True,
    [],
    {},
    "",
    "é" * (MAX_RUN_ID_BYTES // 2 + 1),
    "x" * 2049,
    "\ud800",
    "a#b",
    "lock#deploy",
    "a\nb",
    "\0",
    "\x1b[0m",
    "\u202e",
]
_BAD_COUNTS = [-1, 1.5, True, "1", None, float("inf"), float("nan"), 10**40, []]
_BAD_TIMES = [-1.0, "1", True, None, float("inf"), float("nan"), 1e300, []]
_BAD_MAPS = [[1], "x", None, *({"us-west-2": nodes} for nodes in (1, "b", [1])), {"evil.example/": ["b"]}, {"": ["b"]}]
_POINTER = {"region": "r", "bucket": "b", "key": "k", "sha256": "s", "size_bytes": 1}
_BAD_POINTERS = [1, [], {"key": 1}, _POINTER | {"size_bytes": -1}, _POINTER | {"region": "R"}, _POINTER | {"key": ""}]


def _each(**values):
    return [pytest.param({name: bad}, id=f"{name}-{i}") for name in values for i, bad in enumerate(values[name])]


@pytest.mark.parametrize(
    "damage",
    _each(run_id=_BAD_NAMES, attempt=_BAD_COUNTS, payload=[1, {}, [], "\udfff"], pointer=_BAD_POINTERS),
)
def test_start_when_a_field_can_not_be_kept_then_it_is_damaged(damage):
    """What no key or number can hold would fail again and again behind the border."""
    with pytest.raises(InvalidEnvelopeError, match="damaged"):
        parse_message(json.loads(Start("r", "1").to_text()) | damage)


def test_start_when_its_name_is_as_long_as_can_be_then_it_is_read():
    """The limit is in bytes, so that it holds for keys."""
    start = Start("é" * 128, "1")
    assert parse_message(json.loads(start.to_text())) == start


def test_name_of_a_run_when_it_is_one_that_anything_of_ours_makes_then_it_is_one():
    """Ids of messages and requests, digests of batches, and what the CLI takes."""
    names = (str(uuid.uuid4()), "0" * 32, "nightly_2026-11-28.1", "a", "Grüße 1", "x" * MAX_RUN_ID_BYTES)
    assert all(map(is_run_name, names))


@pytest.mark.parametrize("field", sorted(json.loads(_envelope().to_text())))
def test_envelope_when_a_field_is_missing_then_it_is_damaged(field):
    """Every field of an envelope is needed; without the schema it is nobody's."""
    data = json.loads(_envelope().to_text())
    del data[field]
    if field == "schema":
        assert parse_message(data) is None
        return
    with pytest.raises(InvalidEnvelopeError, match=field):
        parse_message(data)


@pytest.mark.parametrize(
    "damage",
    _each(
        run_id=[None, *_BAD_NAMES],
        node=[None, 5, [], "", "x" * 2049],
        edge=[5, [], "", "x" * 2049],
        graph=[None, 5, ""],
        hop=_BAD_COUNTS,
        attempt=_BAD_COUNTS,
        started_at=_BAD_TIMES,
        deadline=_BAD_TIMES,
        sent_at=_BAD_TIMES,
        stays_home=[1, None, "no"],
        regions=_BAD_MAPS,
        payload=[1, {}, [], "\udfff"],
        pointer=_BAD_POINTERS,
    ),
)
def test_envelope_when_a_field_is_of_another_kind_then_it_is_damaged(damage):
    """What can't be read is said to be damaged."""
    with pytest.raises(InvalidEnvelopeError, match="damaged"):
        parse_message(json.loads(_envelope().to_text()) | damage)


_json_values = st.sampled_from(
    [*_BAD_NAMES, *_BAD_COUNTS, *_BAD_TIMES, *_BAD_MAPS, *_BAD_POINTERS, 0, 7, 1e9, "b", False, {"r": ["b"]}, _POINTER]
)


@given(st.sampled_from(["caribou.envelope/1", "caribou.start/1"]), st.data())
def test_message_when_any_field_is_anything_then_it_is_read_or_refused(schema, data):
    """A value or one clear error, and what is read fits behind the border."""
    sample = _envelope() if schema.startswith("caribou.envelope") else Start("r", "1")
    fields = json.loads(sample.to_text())
    for name in data.draw(st.lists(st.sampled_from(sorted(set(fields) - {"schema"})), max_size=3)):
        fields[name] = data.draw(_json_values)
    try:
        message = parse_message(fields)
    except InvalidEnvelopeError:
        return
    assert parse_message(json.loads(message.to_text())) == message


@pytest.mark.parametrize("character", ["\ufffe", "\uffff"])
def test_message_when_a_text_has_what_queues_refuse_then_it_travels_as_an_escape(character):
    """SQS takes neither of the two, wherever in Unicode they are said to be."""
    start = Start("r", json.dumps(character, ensure_ascii=False))
    assert character not in start.to_text()
    assert parse_message(json.loads(start.to_text())) == start


def test_run_when_sent_to_a_node_then_its_map_is_what_is_needed_from_there():
    """A receiver learns where it and its descendants are, and nothing else."""
    graph = graph_of({"a": "b c", "b": "d", "c": "e"})
    run = Run("r", "0.0.1", "g", "p", dict.fromkeys("abcde", "us-west-2"), 1.0, 2.0)
    assert sorted(run.as_needed_by("b", graph).regions) == ["b", "d"]


def test_run_when_a_node_is_moved_home_then_the_others_stay():
    """Only the unreachable node's region changes."""
    run = Run("r", "0.0.1", "g", "p", {"a": "us-west-2", "b": "us-west-2"}, 1.0, 2.0)
    assert run.at_home("a").region_of("a", "us-east-1") == "us-east-1"
    assert run.at_home("a").region_of("b", "us-east-1") == "us-west-2"
