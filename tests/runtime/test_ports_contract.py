"""What the ports promise: checked against the forms in memory, and those on AWS on the local cloud."""

import json
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import boto3
import pytest
from botocore.exceptions import ClientError, ConnectionClosedError
from botocore.httpsession import URLLib3Session

from caribou.model.errors import InvalidEnvelopeError, InvalidRunItemError, UnknownRunError, UnreachableError
from caribou.model.run.envelope import Pointer, Run, Start, StoredPayload
from caribou.model.run.item import Claim, FailedEvent, Parked, RunItem, RunState, SyncState, payload_digest
from caribou.model.run_settings import RunSettings
from caribou.model.template_contract import OPEN_INDEX
from caribou.runtime.aws import aws_ports
from caribou.runtime.clients import Clients
from caribou.runtime.settings import Settings
from caribou.runtime.sync_items import DynamoClaims, claim_key
from caribou.runtime.testing.limits import RefusedError
from caribou.runtime.testing.memory import InMemoryCloud

HOME, AWAY, DOWN = "us-east-1", "us-west-2", "ca-central-1"
REGIONS = (HOME, AWAY)
FUNCTION = "f"


class MemoryCloud:
    """The forms in memory."""

    def __init__(self):
        self._cloud = InMemoryCloud()
        self._cloud.unreachable.add(DOWN)
        self.ports = self._cloud.ports

    def published(self):
        """Region and text of the messages so far."""
        return [(message.region, message.text) for message in self._cloud.bus.take()]

    def give_up(self, region, message, error_type):
        """Lambda gives a message up."""
        event = FailedEvent(region, FUNCTION, message, "m-1", error_type, "é", handle=message)
        self._cloud.failures.put(event)

    def show(self, *_):
        """The events that were received can be received again."""
        self._cloud.failures.show()

    def damage(self, pointer):
        """Replace what is at the pointer."""
        self._cloud.payloads.objects[pointer.bucket, pointer.key] = "damaged"


class AwsCloud:
    """The forms on AWS, with the resources that a deployment would make, in two of three regions."""

    def __init__(self, graph, account):
        self._graph, self._account = graph, account
        self.names = self._settings(HOME).names
        self._queues = {region: self._make(region) for region in REGIONS}
        _table(HOME, self.names.run_table, "run_id", index=OPEN_INDEX)

    def ports(self, region):
        """The ports of a function in a region."""
        return aws_ports(self._settings(region), partition="aws", account=self._account)

    def published(self):
        """Region and text of the messages so far."""
        return [(region, text) for region in REGIONS for text in self._received(region)]

    def give_up(self, region, message, error_type):
        """Lambda gives a message up."""
        body = on_failure(self.names.topic(FUNCTION), message, error_type)
        sqs = boto3.client("sqs", region_name=region)
        sqs.send_message(QueueUrl=self._failure_queue(region), MessageBody=json.dumps(body))

    def show(self, region, events):
        """The events that were received can be received again."""
        sqs = boto3.client("sqs", region_name=region)
        for event in events:
            sqs.change_message_visibility(
                QueueUrl=self._failure_queue(region), ReceiptHandle=event.handle, VisibilityTimeout=0
            )

    def _failure_queue(self, region):
        sqs = boto3.client("sqs", region_name=region)
        return sqs.get_queue_url(QueueName=self.names.failure_queue(FUNCTION))["QueueUrl"]

    def damage(self, pointer):
        """Replace what is at the pointer."""
        s3 = boto3.client("s3", region_name=pointer.region)
        s3.put_object(Bucket=pointer.bucket, Key=pointer.key, Body=b"damaged")

    def _settings(self, region):
        return Settings(self._graph, FUNCTION, HOME, region, "contract", RunSettings())

    def _make(self, region):
        _table(region, self.names.sync_table, "id", "part")
        boto3.client("s3", region_name=region).create_bucket(
            Bucket=self.names.payload_bucket(self._account, region),
            **({} if region == HOME else {"CreateBucketConfiguration": {"LocationConstraint": region}}),
        )
        sns, sqs = boto3.client("sns", region_name=region), boto3.client("sqs", region_name=region)
        topic = sns.create_topic(Name=self.names.topic(FUNCTION))["TopicArn"]
        sqs.create_queue(QueueName=self.names.failure_queue(FUNCTION))
        url = sqs.create_queue(QueueName=f"contract-{region}")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        return url

    def _received(self, region):
        sqs = boto3.client("sqs", region_name=region)
        while messages := sqs.receive_message(QueueUrl=self._queues[region], MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                sqs.delete_message(QueueUrl=self._queues[region], ReceiptHandle=message["ReceiptHandle"])
                yield json.loads(message["Body"])["Message"]


def _table(region, name, key, range_key=None, index=None):
    keys = {key: "HASH"} | ({range_key: "RANGE"} if range_key else {})
    schema = [{"AttributeName": index, "KeyType": "HASH"}]
    indexes = [{"IndexName": index, "KeySchema": schema, "Projection": {"ProjectionType": "ALL"}}] if index else []
    boto3.client("dynamodb", region_name=region).create_table(
        TableName=name,
        KeySchema=[{"AttributeName": attribute, "KeyType": kind} for attribute, kind in keys.items()],
        AttributeDefinitions=[
            {"AttributeName": attribute, "AttributeType": "S"} for attribute in [*keys, *([index] if index else [])]
        ],
        BillingMode="PAY_PER_REQUEST",
        **({"GlobalSecondaryIndexes": indexes} if indexes else {}),
    )


@pytest.fixture(scope="module")
def aws_cloud(local_cloud, graph_of):
    """The AWS forms; the module's environment points at the local cloud."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in local_cloud.env().items():
            patch.setenv(name, value)
        patch.setattr(boto3, "DEFAULT_SESSION", None)
        yield AwsCloud(graph_of({"f": ""}, name="contract"), local_cloud.account)


@pytest.fixture(params=["memory", pytest.param("aws", marks=pytest.mark.local_cloud)])
def cloud(request):
    """Each form of the outside world in turn."""
    return MemoryCloud() if request.param == "memory" else request.getfixturevalue("aws_cloud")


@pytest.fixture
def ports(cloud):
    """The ports of a function at home."""
    return cloud.ports(HOME)


@pytest.fixture
def run_id():
    """A run of this test's own."""
    return f"run-{uuid.uuid4()}"


def on_failure(topic, message, error_type, error="é"):
    """A record of Lambda's on-failure destination (its guide: "Capturing records of Lambda invocations")."""
    arn = f"arn:aws:sns:us-east-1:000000000000:{topic}"
    record = {
        "version": "1.0",
        "timestamp": "2026-03-01T12:30:00.000Z",
        "requestContext": {
            "requestId": "r-1",
            "functionArn": "arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST",
            "condition": "RetriesExhausted" if error_type else "EventAgeExceeded",
            "approximateInvokeCount": 3 if error_type else 0,
        },
        "requestPayload": {"Records": [{"EventSource": "aws:sns", "Sns": {
            "TopicArn": arn, "MessageId": "m-1", "Message": message
        }}]},
    }  # fmt: skip
    if error_type is None:
        return record
    return record | {
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "responsePayload": {"errorType": error_type, "errorMessage": error},
    }


def _run(run_id, regions=None):
    return Run(run_id, "0.0.1", "graph", "placement", regions or {}, 1_700_000_000.123456, 1_700_003_600.5)


def test_clock_when_asked_then_it_says_seconds_since_1970(ports):
    """Times are UTC seconds, and don't go back."""
    first = ports.clock.now()
    assert abs(first - time.time()) < 60
    assert ports.clock.now() >= first


def test_bus_when_published_then_the_function_of_that_region_gets_the_message(cloud):
    """Any text, to the region that was named."""
    cloud.published()
    cloud.ports(HOME).bus.publish(AWAY, FUNCTION, '{"é": "\\"🦌"}')
    cloud.ports(AWAY).bus.publish(HOME, FUNCTION, "x" * 200_000)
    assert sorted(cloud.published()) == sorted([(AWAY, '{"é": "\\"🦌"}'), (HOME, "x" * 200_000)])


def test_bus_when_the_region_has_no_such_topic_then_it_is_unreachable(ports):
    """A region that was retired, or never deployed, does not take a message."""
    with pytest.raises(UnreachableError, match=DOWN):
        ports.bus.publish(DOWN, FUNCTION, "x")


def test_claim_when_repeated_by_its_owner_then_attempts_are_counted(ports, run_id):
    """Lambda's retries share the claim."""
    assert [ports.claims.claim(HOME, run_id, "n", "me", 0) for _ in range(3)] == [1, 2, 3]


def test_claim_when_another_owns_the_node_then_it_is_refused(ports, run_id):
    """Nodes and runs are claimed one by one."""
    assert ports.claims.claim(HOME, run_id, "n", "me", 0) == 1
    assert ports.claims.claim(HOME, run_id, "n", "other", 0) is None
    assert ports.claims.claim(HOME, run_id, "m", "other", 0) == 1
    assert ports.claims.claim(HOME, run_id + "x", "n", "other", 0) == 1
    assert ports.claims.claim(HOME, run_id, "n", "me", 0) == 2


def test_claim_when_many_ask_at_once_then_one_gets_it(ports, run_id):
    """The condition holds under a race."""
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda i: ports.claims.claim(HOME, run_id, "n", f"owner-{i}", 0), range(8)))
    assert sorted(answers, key=str) == [1] + [None] * 7


def test_claim_when_the_message_was_sent_again_then_it_takes_the_node_over(ports, run_id):
    """The sweeper sends what Lambda gave up as the next attempt; whoever had the node has it no more."""
    claim = ports.claims.claim
    assert [claim(HOME, run_id, "n", "first", 0) for _ in range(2)] == [1, 2]
    assert [claim(HOME, run_id, "n", "second", 1) for _ in range(2)] == [1, 2]
    assert claim(HOME, run_id, "n", "first", 0) is None
    assert claim(HOME, run_id, "n", "late", 0) is None
    assert claim(HOME, run_id, "n", "copy", 1) is None
    assert claim(HOME, run_id, "n", "third", 10) == 1
    assert claim(HOME, run_id, "n", "second", 1) is None


def test_claim_when_read_then_it_has_the_latest_attempt_and_the_code_that_ran(ports, run_id):
    """As whoever asks for a redrive has to know it; where there is no claim, or no table any more, there is none."""
    assert ports.claims.claimed(HOME, run_id, "n") is None
    ports.claims.claim(HOME, run_id, "n", "me", 0, code="old")
    ports.claims.claim(HOME, run_id, "n", "me", 0, code="code:é")
    assert ports.claims.claimed(HOME, run_id, "n") == Claim(0, "code:é")
    ports.claims.claim(HOME, run_id, "n", "other", 3)
    assert ports.claims.claimed(HOME, run_id, "n") == Claim(3, "")
    assert ports.claims.claimed(AWAY, run_id, "n") is None


@pytest.mark.parametrize("owner", [None, "me"])
def test_claim_when_its_run_was_cancelled_then_nobody_gets_it_not_even_its_owner(ports, run_id, owner):
    """Nor a later attempt; and nobody has claimed what was stopped before."""
    if owner:
        assert ports.claims.claim(HOME, run_id, "n", owner, 2, code="c") == 1
    before = ports.claims.claimed(HOME, run_id, "n")
    for _ in range(2):
        ports.claims.stop(HOME, run_id, "n")
    assert ports.claims.claimed(HOME, run_id, "n") == before
    assert [ports.claims.claim(HOME, run_id, "n", who, attempt) for who in ("me", "you") for attempt in (2, 9)] == (
        [None] * 4
    )
    assert ports.claims.claim(HOME, run_id, "m", "you", 0) == 1


def test_claim_when_the_region_differs_then_it_is_another_claim(cloud, run_id):
    """Claims are kept in the node's region, from wherever they are made."""
    assert cloud.ports(HOME).claims.claim(HOME, run_id, "n", "me", 0) == 1
    assert cloud.ports(AWAY).claims.claim(AWAY, run_id, "n", "other", 0) == 1
    assert cloud.ports(AWAY).claims.claim(HOME, run_id, "n", "other", 0) is None


def test_sync_state_when_nothing_was_reported_then_it_is_empty(ports, run_id):
    """Reading a sync node of which nobody has heard is no error."""
    inputs = ports.syncs.read(HOME, run_id, "s")
    assert (inputs.state, dict(inputs.payloads)) == (SyncState(), {})


def test_sync_state_when_edges_report_then_it_has_them_all(ports, run_id):
    """Each report answers with the state after it, in any region."""
    report = ports.syncs.report
    assert report(AWAY, run_id, "s", "a#0", taken=True) == SyncState(frozenset({"a#0"}), frozenset())
    assert report(AWAY, run_id, "s", "a#1", taken=False) == SyncState(frozenset({"a#0"}), frozenset({"a#1"}))
    assert report(AWAY, run_id, "s", "b#0", taken=True).reported() == 3
    assert ports.syncs.read(AWAY, run_id, "s").state.taken == {"a#0", "b#0"}
    assert ports.syncs.read(HOME, run_id, "s").state == SyncState()
    assert ports.syncs.read(AWAY, run_id, "t").state == SyncState()


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("second", [True, False])
def test_sync_state_when_an_edge_reports_again_then_its_first_report_stands(ports, run_id, first, second):
    """A retry that decides otherwise changes nothing."""
    before = ports.syncs.report(HOME, run_id, "s", "a#0", taken=first)
    assert ports.syncs.report(HOME, run_id, "s", "a#0", taken=second) == before
    assert before.reported() == 1


def test_sync_state_when_edges_report_at_once_then_exactly_one_sees_the_last(ports, run_id):
    """Whoever completes the state sees that it is complete."""
    with ThreadPoolExecutor(8) as pool:
        states = list(pool.map(lambda i: ports.syncs.report(HOME, run_id, "s", f"e#{i}", taken=i % 2 == 0), range(8)))
    assert sorted(state.reported() for state in states) == list(range(1, 9))


def test_sync_payload_when_put_again_then_the_first_stands(ports, run_id):
    """Equal or not, an edge has one payload."""
    for text in ('"first"', '"second"'):
        ports.syncs.put_payload(HOME, run_id, "s", "a#0", StoredPayload(text=text))
    assert dict(ports.syncs.read(HOME, run_id, "s").payloads) == {"a#0": StoredPayload(text='"first"')}


def test_sync_payloads_when_many_and_large_then_all_are_read(ports, run_id):
    """More than a page of a query: 1 MB in DynamoDB. Texts and pointers come back as they were."""
    payloads = {f"e#{i}": StoredPayload(text=str(i) + "é" * 140_000) for i in range(6)}
    payloads["p#0"] = StoredPayload(pointer=Pointer(AWAY, "bucket", "key", "0" * 64, 12))
    for edge, payload in payloads.items():
        ports.syncs.put_payload(HOME, run_id, "s", edge, payload)
        ports.syncs.report(HOME, run_id, "s", edge, taken=True)
    ports.claims.claim(HOME, run_id, "s", "me", 0)
    inputs = ports.syncs.read(HOME, run_id, "s")
    assert dict(inputs.payloads) == payloads
    assert inputs.state.taken == set(payloads)


LEAVES = frozenset({"x", "y"})


def test_run_when_begun_again_then_it_is_the_first(ports, run_id):
    """Times, map and leaves come back exactly as they were decided."""
    run = _run(run_id, {"b": AWAY})
    assert ports.runs.begin(run, LEAVES) == RunItem(run, LEAVES)
    assert ports.runs.begin(_run(run_id, {"b": DOWN}), frozenset("z")) == RunItem(run, LEAVES)
    assert ports.runs.get(run_id) == RunItem(run, LEAVES)


@pytest.mark.parametrize(
    "payload",
    [StoredPayload('{"é":1}'), StoredPayload(pointer=Pointer(HOME, "b", "r/start", "0" * 64, 9))],
    ids=["text", "pointer"],
)
def test_run_when_its_input_is_small_then_it_is_kept(ports, run_id, payload):
    """For a redrive of a start that was lost."""
    run = _run(run_id)
    assert ports.runs.begin(run, LEAVES, payload=payload) == RunItem(run, LEAVES, input=payload)
    ports.runs.end_leaves(run_id, ("x",), {"x": "1"})
    assert ports.runs.get(run_id).input == payload


def test_run_when_its_input_is_large_then_it_is_not_kept(ports, run_id):
    """Each write of the item would cost more."""
    assert ports.runs.begin(_run(run_id), LEAVES, payload=StoredPayload("x" * 1000)).input is None
    assert ports.runs.get(run_id).input is None


@pytest.mark.parametrize("payload", ["1", "x" * 1000], ids=["kept", "not kept"])
def test_run_when_it_begins_then_its_item_says_with_what(ports, run_id, payload):
    """For whoever starts it again by its name."""
    begun = ports.runs.begin(_run(run_id), LEAVES, payload=StoredPayload(payload))
    assert begun.begun_with == payload_digest(StoredPayload(payload)) != payload_digest(StoredPayload("2"))
    assert ports.runs.get(run_id) == begun


def test_run_when_another_start_of_its_name_comes_then_it_is_of_the_one_that_began_it(ports, run_id):
    """The id of the message that began it stays, whatever becomes of the run."""
    mine, another = Start(run_id, "1", message_id="m-1"), Start(run_id, "2", message_id="m-2")
    run = _run(run_id)
    assert ports.runs.begin(run, LEAVES, mine.message_id) == RunItem(run, LEAVES, begun_by="m-1")
    assert ports.runs.begin(run, LEAVES, another.message_id).is_of(mine)
    ports.runs.succeed(run_id, 1.5)
    item = ports.runs.get(run_id)
    assert (item.is_of(mine), item.is_of(another), item.is_of(Start(run_id, "3"))) == (True, False, True)


def test_run_when_begun_at_once_then_all_follow_one(ports, run_id):
    """Two deliveries of a start agree."""
    with ThreadPoolExecutor(4) as pool:
        items = list(pool.map(lambda i: ports.runs.begin(_run(run_id, {"b": f"region-{i}"}), LEAVES), range(4)))
    assert len({str(item.run) for item in items}) == 1


def test_run_when_it_never_began_then_there_is_nothing_to_change(ports, run_id):
    """No change makes an item out of nothing, which nobody could read."""
    assert ports.runs.get(run_id) is None
    with pytest.raises(UnknownRunError, match=run_id):
        ports.runs.end_leaves(run_id, ("x",))
    ports.runs.succeed(run_id, 1.5)
    ports.runs.fail(run_id, 1.5, "n", "so")
    ports.runs.expire(run_id, 2e9)
    ports.runs.cancel(run_id, 1.5)
    ports.runs.reopen(run_id, 2e9)
    ports.runs.close(run_id)
    assert ports.runs.get(run_id) is None
    assert not _is_listed(ports, run_id)


def test_run_when_leaves_end_then_it_is_complete_with_the_last(ports, run_id):
    """Leaves are a set: one that ends twice counts once."""
    ports.runs.begin(_run(run_id), LEAVES)
    first, again = (ports.runs.end_leaves(run_id, ("x",)) for _ in range(2))
    assert first == again
    assert first == {"x"}
    assert not ports.runs.get(run_id).is_complete
    assert ports.runs.end_leaves(run_id, ("x", "y")) == {"x", "y"}
    assert ports.runs.get(run_id).is_complete
    assert ports.runs.get(run_id).state is RunState.RUNNING


def test_run_when_leaves_end_with_results_then_the_item_has_each(ports, run_id):
    """A leaf that is run again leaves what it returned last; results of others stay."""
    ports.runs.begin(_run(run_id), LEAVES)
    ports.runs.end_leaves(run_id, ("x",), {"x": '"old"'})
    ports.runs.end_leaves(run_id, ("y",), {"y": "[1]"})
    assert ports.runs.end_leaves(run_id, ("x",), {"x": '"new"'}) == {"x", "y"}
    assert ports.runs.get(run_id).results == {"x": '"new"', "y": "[1]"}


def _is_listed(ports, run_id):
    return run_id in {item.run.run_id for item in ports.runs.listed().items}


DEADLINE_S = 1_700_003_600.5
CHANGES = {
    "succeed": lambda runs, run_id: runs.succeed(run_id, 1_700_000_001.25),
    "fail": lambda runs, run_id: runs.fail(run_id, 1_700_000_001.25, "n", "Oh: é"),
    "expire": lambda runs, run_id: runs.expire(run_id, DEADLINE_S),
    "expire late": lambda runs, run_id: runs.expire(run_id, DEADLINE_S + 7200),
    "expire too early": lambda runs, run_id: runs.expire(run_id, DEADLINE_S - 1),
    "reopen": lambda runs, run_id: runs.reopen(run_id, 1_700_007_200.5),
    "cancel": lambda runs, run_id: runs.cancel(run_id, 1_700_000_001.25),
    "halt": lambda runs, run_id: runs.halt(run_id, 1_700_000_001.25),
    "notify": lambda runs, run_id: runs.notified(run_id, runs.get(run_id).ended_at or 1.0),
    "notify late": lambda runs, run_id: runs.notified(run_id, 1_700_000_000.5),
    "close": lambda runs, run_id: runs.close(run_id),
}
ENDS = {
    (): ("RUNNING", True),
    ("close",): ("RUNNING", True),
    ("reopen",): ("RUNNING", True),
    ("succeed",): ("SUCCEEDED", False),
    ("succeed", "fail"): ("SUCCEEDED", False),
    ("succeed", "expire"): ("SUCCEEDED", False),
    ("succeed", "reopen"): ("SUCCEEDED", False),
    ("fail",): ("FAILED", True),
    ("fail", "close"): ("FAILED", True),
    ("fail", "notify"): ("FAILED", True),
    ("fail", "notify", "close"): ("FAILED", False),
    ("fail", "notify late", "close"): ("FAILED", True),
    ("fail", "notify", "reopen", "notify", "close"): ("RUNNING", True),
    ("fail", "notify", "reopen", "expire late", "close"): ("EXPIRED", True),
    ("fail", "reopen", "notify", "expire late", "close"): ("EXPIRED", True),
    ("fail", "notify", "reopen", "expire late", "notify", "close"): ("EXPIRED", False),
    ("fail", "succeed"): ("SUCCEEDED", False),
    ("fail", "notify", "close", "succeed"): ("SUCCEEDED", False),
    ("fail", "expire"): ("FAILED", True),
    ("fail", "notify", "close", "reopen"): ("RUNNING", True),
    ("fail", "reopen", "expire"): ("RUNNING", True),
    ("fail", "reopen", "close"): ("RUNNING", True),
    ("fail", "reopen", "succeed"): ("SUCCEEDED", False),
    ("notify", "close"): ("RUNNING", True),
    ("succeed", "notify", "close"): ("SUCCEEDED", False),
    ("expire",): ("EXPIRED", True),
    ("expire", "close"): ("EXPIRED", True),
    ("expire", "notify", "close"): ("EXPIRED", False),
    ("expire too early",): ("RUNNING", True),
    ("expire", "fail"): ("EXPIRED", True),
    ("expire", "succeed"): ("EXPIRED", True),
    ("expire", "notify", "close", "fail"): ("EXPIRED", False),
    ("expire", "notify", "close", "succeed"): ("EXPIRED", False),
    ("expire", "notify", "close", "reopen"): ("RUNNING", True),
    ("expire", "reopen"): ("RUNNING", True),
    ("expire", "reopen", "succeed"): ("SUCCEEDED", False),
    ("halt",): ("EXPIRED", True),
    ("halt", "expire"): ("EXPIRED", True),
    ("halt", "fail", "succeed"): ("EXPIRED", True),
    ("halt", "close", "reopen"): ("RUNNING", True),
    ("halt", "notify", "close"): ("EXPIRED", False),
    ("cancel", "notify", "close"): ("CANCELLED", False),
    ("succeed", "halt"): ("SUCCEEDED", False),
    ("cancel",): ("CANCELLED", True),
    ("cancel", "close"): ("CANCELLED", False),
    ("cancel", "succeed"): ("CANCELLED", True),
    ("cancel", "fail", "expire", "reopen"): ("CANCELLED", True),
    ("succeed", "cancel"): ("SUCCEEDED", False),
    ("fail", "cancel"): ("FAILED", True),
    ("fail", "reopen", "cancel"): ("CANCELLED", True),
}
"""Every way through the states of a run, and whether it is then on the sweeper's list."""


@pytest.mark.parametrize("changes", ENDS, ids=" ".join)
def test_run_when_its_state_changes_then_only_what_the_condition_allows_happens(ports, run_id, changes):
    """A state that was left is not come back to by chance."""
    ports.runs.begin(_run(run_id), LEAVES)
    for change in changes:
        CHANGES[change](ports.runs, run_id)
    assert (ports.runs.get(run_id).state, _is_listed(ports, run_id)) == ENDS[changes]


def test_run_when_it_has_failed_then_the_first_failure_stands(ports, run_id):
    """The run item names the node and what it said."""
    ports.runs.begin(_run(run_id), LEAVES)
    ports.runs.fail(run_id, 1_700_000_001.25, "n", "Oh: é")
    ports.runs.fail(run_id, 1_700_000_002.5, "m", "later")
    item = ports.runs.get(run_id)
    assert (item.failed_node, item.error, item.seconds) == ("n", "Oh: é", pytest.approx(1.126544))


def test_run_when_reopened_then_it_has_a_new_deadline_and_has_not_ended(ports, run_id):
    """A redrive gives it as much time as a start does."""
    ports.runs.begin(_run(run_id), LEAVES)
    ports.runs.fail(run_id, 1_700_000_001.25, "n", "so")
    ports.runs.reopen(run_id, 1_700_007_200.5)
    item = ports.runs.get(run_id)
    assert (item.run.deadline, item.seconds, item.leaves) == (1_700_007_200.5, None, LEAVES)
    (listed,) = (item for item in ports.runs.listed().items if item.run.run_id == run_id)
    assert listed == item


def test_run_when_it_is_reopened_with_another_map_then_that_counts_and_only_then(ports, run_id):
    """It is brought home; an open one keeps the map that it began with."""
    ports.runs.begin(_run(run_id, {"a": "us-west-2", "b": "ca-central-1"}), LEAVES)
    ports.runs.reopen(run_id, 1_700_007_200.5, {})
    assert ports.runs.get(run_id).run.regions == {"a": "us-west-2", "b": "ca-central-1"}
    ports.runs.halt(run_id, 1_700_000_001.25)
    ports.runs.reopen(run_id, 1_700_007_200.5, {"b": "ca-central-1"})
    assert ports.runs.get(run_id).run.regions == {"b": "ca-central-1"}


def _parked(run_id, node="n", attempt=0, message="m", reason="é"):
    return Parked(run_id, node, attempt, message, reason)


def test_parking_when_messages_are_parked_then_they_are_the_run_s_by_node(ports, run_id):
    """Runs do not see each other's, not even one whose name is made to look like another's key."""
    there = [_parked(run_id, node) for node in ("a", "b")]
    for parked in [*reversed(there), _parked(run_id + "#", "c"), _parked(f"parked#{run_id}", "d")]:
        ports.parking.park(parked)
    ports.claims.claim(HOME, "parked", run_id, "me", 0)
    ports.claims.claim(HOME, run_id, "x", "me", 0)
    assert list(ports.parking.parked(run_id)) == there
    assert ports.parking.parked(run_id + "?") == ()


@pytest.mark.parametrize(("first", "second", "kept"), [(0, 0, "1"), (1, 0, "1"), (0, 1, "2"), (2, 10, "2")])
def test_parking_when_a_node_has_a_message_then_that_of_the_latest_attempt_stays(ports, run_id, first, second, kept):
    """An earlier one, sent again, would be refused: its attempt has been taken over."""
    ports.parking.park(_parked(run_id, attempt=first, message="1"))
    ports.parking.park(_parked(run_id, attempt=second, message="2"))
    assert [parked.message for parked in ports.parking.parked(run_id)] == [kept]


def test_parking_when_a_message_was_sent_again_then_it_is_forgotten_but_not_one_that_came_since(ports, run_id):
    """The redrive that failed in the meantime is not lost with the message that it came from."""
    ports.parking.park(_parked(run_id, attempt=0))
    ports.parking.park(_parked(run_id, attempt=1))
    ports.parking.unpark(_parked(run_id, attempt=0))
    assert [parked.attempt for parked in ports.parking.parked(run_id)] == [1]
    ports.parking.unpark(_parked(run_id, attempt=1))
    ports.parking.unpark(_parked(run_id, attempt=1))
    assert ports.parking.parked(run_id) == ()


def _received(ports, region):
    found = []
    while events := ports.failures.receive(region, FUNCTION):
        found += events
    return found


def test_failures_when_events_lie_there_then_each_is_received_until_it_is_deleted(cloud, ports, run_id):
    """What one sweep has in hand is hidden from others; what it deleted is gone."""
    cloud.give_up(AWAY, f"{run_id}-1", "ValueError")
    cloud.give_up(AWAY, f"{run_id}-2", None)
    events = _received(ports, AWAY)
    assert {(event.message, event.error_type, event.region) for event in events} == {
        (f"{run_id}-1", "ValueError", AWAY),
        (f"{run_id}-2", None, AWAY),
    }
    assert _received(ports, AWAY) == []
    assert _received(ports, HOME) == []
    ports.failures.delete(events[0])
    cloud.show(AWAY, events[1:])
    (again,) = _received(ports, AWAY)
    assert (again.message, again.error_type, again.error) == (events[1].message, events[1].error_type, events[1].error)
    ports.failures.delete(again)


def test_failures_when_the_region_has_no_such_queue_then_there_are_none(ports):
    """A function that is not placed in a region has no queue there; the others' are looked into."""
    assert ports.failures.receive(AWAY, "placed-elsewhere") == ()


def test_failures_when_an_event_is_set_aside_then_it_stays_out_of_sight(cloud, ports):
    """It can be received again when it is shown; nothing is lost."""
    cloud.give_up(AWAY, "aside", None)
    (event,) = _received(ports, AWAY)
    ports.failures.set_aside(event)
    assert ports.failures.receive(AWAY, FUNCTION) == ()
    cloud.show(AWAY, [event])
    (again,) = _received(ports, AWAY)
    ports.failures.delete(again)


@pytest.mark.parametrize("text", ['"é🦌"', "", "x" * 1_000_000], ids=["letters", "empty", "large"])
def test_payload_when_put_then_it_can_be_got_from_any_region(cloud, run_id, text):
    """The pointer says where it rests, how large it is, and what it must be; ids may hold any characters."""
    pointer = cloud.ports(HOME).payloads.put(AWAY, f"{run_id} ?é/n:x_0:1/n:x#0/abc", text)
    assert (pointer.region, pointer.size_bytes) == (AWAY, len(text.encode()))
    assert cloud.ports(HOME).payloads.get(pointer) == text


def test_payload_when_it_is_another_than_was_sent_then_it_is_refused(cloud, ports, run_id):
    """The digest is checked."""
    pointer = ports.payloads.put(HOME, run_id, "sent")
    cloud.damage(pointer)
    with pytest.raises(InvalidEnvelopeError, match=run_id):
        ports.payloads.get(pointer)


def test_payload_when_it_has_another_size_than_the_pointer_says_then_it_is_refused(ports, run_id):
    """A client says it, and records and placements go by it."""
    pointer = ports.payloads.put(HOME, run_id, "sent")
    for size_bytes in (0, 5 * 1024**4):
        with pytest.raises(InvalidEnvelopeError, match="not the one that was sent"):
            ports.payloads.get(replace(pointer, size_bytes=size_bytes))


def test_payload_when_it_is_gone_then_it_is_refused(ports, run_id):
    """A bucket forgets what is older than any run; a pointer may be anybody's, too."""
    pointer = ports.payloads.put(HOME, run_id, "sent")
    with pytest.raises(InvalidEnvelopeError, match="is gone"):
        ports.payloads.get(replace(pointer, key=f"{run_id}/other"))


def test_payload_when_the_pointer_names_another_bucket_then_it_is_refused(ports, run_id):
    """A function may read more than payloads, and whoever sends it a pointer may not."""
    pointer = ports.payloads.put(HOME, run_id, "sent")
    for changes in ({"bucket": f"{pointer.bucket}-of-mine"}, {"region": AWAY}):
        with pytest.raises(InvalidEnvelopeError, match="no payloads of this workflow"):
            ports.payloads.get(replace(pointer, **changes))


def test_payload_when_the_region_has_no_bucket_then_it_is_unreachable(ports, run_id):
    """Nothing rests in a region that was not deployed."""
    with pytest.raises(UnreachableError, match=DOWN):
        ports.payloads.put(DOWN, run_id, "x")


@pytest.mark.local_cloud
def test_bus_when_nobody_answers_then_the_region_is_unreachable(aws_cloud, monkeypatch):
    """A refused connection is a region that can't be reached."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(UnreachableError, match=AWAY):
        aws_cloud.ports(HOME).bus.publish(AWAY, FUNCTION, "x")


def test_clients_when_threads_ask_at_once_then_one_client_a_region_is_made(monkeypatch):
    """Sends run on threads, and a boto3 session may not be shared by them while it makes a client."""
    busy, most = [], []
    making = threading.Lock()

    class Session:
        def client(self, service, region_name, **_):
            busy.append(1)
            most.append(len(busy))
            threading.Event().wait(0.01)
            with making:
                busy.pop()
            return service, region_name, object()

    monkeypatch.setattr(boto3, "Session", Session)
    clients = Clients()
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda i: clients.sns(REGIONS[i % 2]), range(16)))
    assert len(set(made)) == 2
    assert max(most) == 1


REFUSED = (RefusedError, ClientError, ArithmeticError)
"""What says that AWS does not take something: an ArithmeticError where we see it before it is sent."""


@pytest.mark.parametrize(
    ("run_id", "node", "reason"),
    [("r", "n", "x" * 410_000), ("x" * 2049, "n", "y"), ("r", "x" * 1025, "y")],
    ids=["item", "partition key", "sort key"],
)
def test_parking_when_an_item_is_more_than_a_table_keeps_then_it_is_refused(ports, run_id, node, reason):
    """DynamoDB's limits, which an error's text or a made-up name would exceed."""
    with pytest.raises(REFUSED):
        ports.parking.park(Parked(run_id, node, 0, "{}", reason))


@pytest.mark.parametrize("run_id", ["x" * 2049, ""], ids=["long", "empty"])
def test_run_when_its_name_is_no_key_then_it_does_not_begin(ports, run_id):
    """Whoever takes a name from outside must check it before."""
    with pytest.raises(REFUSED):
        ports.runs.begin(_run(run_id), frozenset("z"))


@pytest.mark.parametrize("number", [float("inf"), 1e126])
def test_run_when_a_number_is_out_of_range_then_it_does_not_begin(ports, run_id, number):
    """DynamoDB's numbers end, and there is no infinite one."""
    with pytest.raises(REFUSED):
        ports.runs.begin(replace(_run(run_id), deadline=number), frozenset("z"))


def test_bus_when_a_message_is_larger_than_a_topic_takes_then_it_is_refused(ports):
    """SNS's limit."""
    with pytest.raises(REFUSED):
        ports.bus.publish(HOME, FUNCTION, "x" * (256 * 1024 + 1))


@pytest.mark.parametrize("text", ["", "\ud800", "\x00", "\x1f", "\ufffe", "\uffff"])
def test_bus_in_memory_when_a_message_is_none_for_aws_then_it_is_refused(text):
    """None that SNS takes, or that SQS would take if it can't be delivered; the emulator takes all of them."""
    with pytest.raises(RefusedError):
        InMemoryCloud().bus.publish(HOME, FUNCTION, text)


def test_tables_and_buckets_in_memory_when_a_text_is_none_for_aws_then_it_is_refused():
    """Half a character, a key longer than S3's: the emulator fails of the one, and takes the other."""
    ports = InMemoryCloud().ports(HOME)
    with pytest.raises(RefusedError):
        ports.parking.park(Parked("r", "n", 0, "{}", "\ud800"))
    with pytest.raises(RefusedError):
        ports.runs.begin(_run("\ud800"), frozenset("z"))
    with pytest.raises(RefusedError):
        ports.payloads.put(HOME, "x" * 1025, "1")


DAMAGE = {
    "state": {"S": "DONE"},
    "regions": {"S": '["us-west-2"]'},
    "deadline": {"S": "soon"},
    "leaves": {"S": "z"},
    "started_at": None,
    "stays_home": {"S": "no"},
}


@pytest.mark.local_cloud
@pytest.mark.parametrize("attribute", sorted(DAMAGE))
def test_run_item_when_somebody_else_has_written_it_then_it_is_counted_and_the_others_are_read(
    aws_cloud, run_id, attribute
):
    """Every function of a workflow may write its run table."""
    runs = aws_cloud.ports(HOME).runs
    before = runs.listed()
    runs.begin(_run(run_id), frozenset("z"))
    runs.begin(_run(run_id + "-good"), frozenset("z"))
    table, value = aws_cloud.names.run_table, DAMAGE[attribute]
    damage = {"Action": "DELETE"} if value is None else {"Value": value, "Action": "PUT"}
    boto3.client("dynamodb", region_name=HOME).update_item(
        TableName=table, Key={"run_id": {"S": run_id}}, AttributeUpdates={attribute: damage}
    )
    listed = runs.listed()
    assert listed.broken - before.broken == 1
    assert run_id + "-good" in {item.run.run_id for item in listed.items}
    with pytest.raises(InvalidRunItemError, match=run_id):
        runs.get(run_id)


@pytest.mark.local_cloud
def test_list_when_many_runs_are_open_then_they_are_spread_over_its_keys_and_all_are_found(aws_cloud, run_id):
    """DynamoDB writes 1,000 units a second to a key: one key for all would be a limit on starts."""
    runs, table = aws_cloud.ports(HOME).runs, aws_cloud.names.run_table
    begun = {f"{run_id}-{number}" for number in range(40)}
    for each in begun:
        runs.begin(_run(each), LEAVES)
    items = boto3.client("dynamodb", region_name=HOME).scan(TableName=table, IndexName=OPEN_INDEX)["Items"]
    keys = [item[OPEN_INDEX]["S"] for item in items if item["run_id"]["S"] in begun]
    assert max(map(keys.count, keys)) < len(begun) / 4
    assert begun <= {item.run.run_id for item in runs.listed().items}


@pytest.mark.local_cloud
def test_list_when_a_run_began_with_an_earlier_version_then_it_is_found_and_taken_off(aws_cloud, run_id):
    """Runs are open while a workflow is deployed again: whatever their key in the index is, they are on the list."""
    ports, table = aws_cloud.ports(HOME), aws_cloud.names.run_table
    ports.runs.begin(_run(run_id), LEAVES)
    earlier = {OPEN_INDEX: {"Value": {"S": "1"}, "Action": "PUT"}}
    boto3.client("dynamodb", region_name=HOME).update_item(
        TableName=table, Key={"run_id": {"S": run_id}}, AttributeUpdates=earlier
    )
    assert _is_listed(ports, run_id)
    ports.runs.succeed(run_id, 1_700_000_001.25)
    assert not _is_listed(ports, run_id)


class LostAnswer:
    """Sends a client's next UpdateItem, and loses its answer."""

    def __init__(self, client):
        self._left = 1
        client.meta.events.register("before-send.dynamodb.UpdateItem", self._send)

    def _send(self, request, **_):
        if self._left:
            self._left -= 1
            URLLib3Session().send(request)
            raise ConnectionClosedError(endpoint_url=request.url)


@pytest.mark.local_cloud
@pytest.mark.parametrize("others_attempt", [None, 0])
def test_claim_when_its_answer_is_lost_then_the_clients_retry_counts_no_try(aws_cloud, run_id, others_attempt):
    """The third try of a node whose code raises ends the run: two would have."""
    clients = Clients()
    claims = DynamoClaims(clients, aws_cloud.names.sync_table)
    if others_attempt is not None:
        assert claims.claim(HOME, run_id, "n", "other", others_attempt) == 1
    LostAnswer(clients.dynamodb(HOME))
    assert claims.claim(HOME, run_id, "n", "mine", 1) == 1
    assert claims.claim(HOME, run_id, "n", "other", 1) is None
    assert claims.claim(HOME, run_id, "n", "mine", 1) == 2


@pytest.mark.local_cloud
def test_claim_when_an_earlier_version_made_it_then_its_owners_retry_goes_on(aws_cloud, run_id):
    """Its item has no mark of a call."""
    claims = DynamoClaims(Clients(), aws_cloud.names.sync_table)
    claims.claim(HOME, run_id, "n", "mine", 0)
    boto3.client("dynamodb", region_name=HOME).update_item(
        TableName=aws_cloud.names.sync_table,
        Key=claim_key(run_id, "n"),
        AttributeUpdates={"call": {"Action": "DELETE"}},
    )
    assert claims.claim(HOME, run_id, "n", "mine", 0) == 2
