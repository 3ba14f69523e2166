"""Payloads as large as they come, through real topics, tables and buckets."""

import hashlib
import json
import uuid

import pytest
from deployed import CROWD, HOME, NORTH, SIZES

from caribou.control.runs.runs import Runs
from caribou.model.names import WorkflowNames
from caribou.model.run import payload as payloads
from caribou.model.run.envelope import Start, event_bytes
from caribou.model.run.item import RunState
from caribou.model.run.publication import start_key

pytestmark = pytest.mark.local_cloud

LIMIT = 256 * 1024


def text_of(size, run_id):
    """A text of two-byte letters whose start message is of a size, in bytes, as the receiver's event carries it."""
    missing = size - _start_bytes("", run_id)
    return "é" * (missing // 2) + "e" * (missing % 2)


def bytes_of(size, run_id):
    """Bytes whose start message is of about a size: they travel as base64, four letters for three bytes."""
    return b"\xff" * ((size - _start_bytes(b"", run_id)) // 4 * 3)


def _start_bytes(payload, run_id):
    """The size that decides: of the start, as the sweeper would send it on."""
    return event_bytes(Start(run_id, payloads.encode(payload), message_id=str(uuid.UUID(int=0))).to_text())


def started(place, payload, run_id):
    """Start a run of `sizes` as a client does, and wait for its end; what its functions noted."""
    workflow = place.project.workflow(SIZES)
    Runs(workflow.graph, workflow.manifest, "dev", place.project.cloud.account).start(payload, run_id)
    assert place.project.ended(SIZES, run_id) is RunState.SUCCEEDED
    return place.project.notes(run_id)


def assert_kept(notes, payload):
    """Both functions have seen the payload, byte by byte."""
    data = payload if isinstance(payload, bytes) else payload.encode()
    said = {"kind": type(payload).__name__, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    assert notes == [{"node": "take", **said}, {"node": "keep", **said}]


@pytest.mark.parametrize("over", [-1, 0, 1])
@pytest.mark.parametrize("make", [text_of, bytes_of])
def test_payload_when_its_message_is_about_the_limit_then_it_arrives_as_it_was(calm, make, over):
    """One byte under the limit, at it and over it: a message or an object in S3, and the same payload."""
    run_id = f"{make.__name__}{over}".replace("_", "-")
    payload = make(LIMIT + over, run_id)
    if make is text_of:
        assert _start_bytes(payload, run_id) == LIMIT + over

    assert_kept(started(calm, payload, run_id), payload)


def test_payload_when_it_has_50_mb_then_it_travels_through_s3_and_its_digest_is_checked(calm):
    """The client puts it into home's bucket, `take` into that of `keep`, or home's if a busy machine took too long."""
    payload = "0123456789" * 5_000_000
    text, cloud = json.dumps(payload), calm.project.cloud

    assert_kept(started(calm, payload, "fifty"), payload)
    assert object_sizes(cloud, HOME, start_key(hashlib.sha256(text.encode()).hexdigest())) == [len(text)]
    sent_on = [size for region in (HOME, NORTH) for size in object_sizes(cloud, region, "fifty/")]
    assert set(sent_on) == {len(text)}


def object_sizes(cloud, region, prefix):
    """The sizes of a region's payloads of `sizes` under a prefix, bytes."""
    bucket = WorkflowNames(SIZES).payload_bucket(cloud.account, region)
    return [
        item["Size"]
        for item in cloud.client("s3", region).list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", ())
    ]


@pytest.mark.slow
def test_sync_node_when_a_hundred_predecessors_bring_300_kb_each_then_it_runs_once_with_all(calm):
    """30 MB of payloads, one for each edge, in the order of the edges."""
    calm.project.start(CROWD, None, "crowd")

    assert calm.project.ended(CROWD, "crowd") is RunState.SUCCEEDED
    (note,) = calm.project.notes("crowd")
    assert [name for name, _ in note["came"]] == [f"{i:03}" for i in range(100)]
    assert {size for _, size in note["came"]} == {300_003}
