"""What the ports promise: checked against the forms in memory, and those on AWS on the local cloud."""

import json
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest

from caribou.model.envelope import Pointer, Run, StoredPayload
from caribou.model.errors import InvalidEnvelopeError
from caribou.runtime.aws import Clients, aws_ports
from caribou.runtime.memory import InMemoryCloud
from caribou.runtime.ports import SyncState, UnreachableError
from caribou.runtime.settings import Settings

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

    def state(self, run_id):
        """State, failing node and error of a run."""
        item = self._cloud.runs.items[run_id]
        return item.state, item.failed_node, item.error

    def damage(self, pointer):
        """Replace what is at the pointer."""
        self._cloud.payloads.objects[pointer.bucket, pointer.key] = "damaged"


class AwsCloud:
    """The forms on AWS, with the resources that a deployment would make, in two of three regions."""

    def __init__(self, graph, account):
        self._graph, self._account = graph, account
        self._names = self._settings(HOME).names
        self._queues = {region: self._make(region) for region in REGIONS}
        _table(HOME, self._names.run_table, "run_id")

    def ports(self, region):
        """The ports of a function in a region."""
        return aws_ports(self._settings(region), partition="aws", account=self._account)

    def published(self):
        """Region and text of the messages so far."""
        return [(region, text) for region in REGIONS for text in self._received(region)]

    def state(self, run_id):
        """State, failing node and error of a run."""
        table = boto3.client("dynamodb", region_name=HOME)
        item = table.get_item(TableName=self._names.run_table, Key={"run_id": {"S": run_id}})["Item"]
        return tuple(item.get(name, {}).get("S") for name in ("state", "failed_node", "error"))

    def damage(self, pointer):
        """Replace what is at the pointer."""
        s3 = boto3.client("s3", region_name=pointer.region)
        s3.put_object(Bucket=pointer.bucket, Key=pointer.key, Body=b"damaged")

    def _settings(self, region):
        return Settings(self._graph, FUNCTION, HOME, region, "contract", 0.1, 256 * 1024, 3600)

    def _make(self, region):
        _table(region, self._names.sync_table, "id", "part")
        boto3.client("s3", region_name=region).create_bucket(
            Bucket=self._names.payload_bucket(self._account, region),
            **({} if region == HOME else {"CreateBucketConfiguration": {"LocationConstraint": region}}),
        )
        sns, sqs = boto3.client("sns", region_name=region), boto3.client("sqs", region_name=region)
        topic = sns.create_topic(Name=self._names.topic(FUNCTION))["TopicArn"]
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


def _table(region, name, key, range_key=None):
    keys = {key: "HASH"} | ({range_key: "RANGE"} if range_key else {})
    boto3.client("dynamodb", region_name=region).create_table(
        TableName=name,
        KeySchema=[{"AttributeName": attribute, "KeyType": kind} for attribute, kind in keys.items()],
        AttributeDefinitions=[{"AttributeName": attribute, "AttributeType": "S"} for attribute in keys],
        BillingMode="PAY_PER_REQUEST",
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


def _run(run_id, regions=None):
    return Run(run_id, "0.0.1", "graph", "placement", regions or {}, 1_700_000_000.123456, 1_700_003_600.5)


def test_clock_when_asked_then_it_tells_seconds_since_1970(ports):
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
    assert [ports.claims.claim(run_id, "n", "me") for _ in range(3)] == [1, 2, 3]


def test_claim_when_another_owns_the_node_then_it_is_refused(ports, run_id):
    """Nodes and runs are claimed one by one."""
    assert ports.claims.claim(run_id, "n", "me") == 1
    assert ports.claims.claim(run_id, "n", "other") is None
    assert ports.claims.claim(run_id, "m", "other") == 1
    assert ports.claims.claim(run_id + "x", "n", "other") == 1
    assert ports.claims.claim(run_id, "n", "me") == 2


def test_claim_when_many_ask_at_once_then_one_gets_it(ports, run_id):
    """The condition holds under a race."""
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda i: ports.claims.claim(run_id, "n", f"owner-{i}"), range(8)))
    assert sorted(answers, key=str) == [1] + [None] * 7


def test_claim_when_the_region_differs_then_it_is_another_claim(cloud, run_id):
    """Claims are kept where the function runs."""
    assert cloud.ports(HOME).claims.claim(run_id, "n", "me") == 1
    assert cloud.ports(AWAY).claims.claim(run_id, "n", "other") == 1


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
    ports.claims.claim(run_id, "s", "me")
    inputs = ports.syncs.read(HOME, run_id, "s")
    assert dict(inputs.payloads) == payloads
    assert inputs.state.taken == set(payloads)


def test_run_when_begun_again_then_it_is_the_first(ports, run_id):
    """Times and map come back exactly as they were decided."""
    run = _run(run_id, {"b": AWAY})
    assert ports.runs.begin(run) == run
    assert ports.runs.begin(_run(run_id, {"b": DOWN})) == run


def test_run_when_begun_at_once_then_all_follow_one(ports, run_id):
    """Two deliveries of a start agree."""
    with ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(lambda i: ports.runs.begin(_run(run_id, {"b": f"region-{i}"})), range(4)))
    assert len({str(run) for run in runs}) == 1


def test_run_when_leaves_end_then_all_noted_so_far_are_told(cloud, ports, run_id):
    """Leaves are a set: one that ends twice counts once."""
    ports.runs.begin(_run(run_id))
    assert ports.runs.end_leaves(run_id, ("a", "b")) == {"a", "b"}
    assert ports.runs.end_leaves(run_id, ("b",)) == {"a", "b"}
    assert ports.runs.end_leaves(run_id, ("c",)) == {"a", "b", "c"}
    assert cloud.state(run_id) == ("RUNNING", None, None)


def test_run_when_it_has_succeeded_then_it_stays_so(cloud, ports, run_id):
    """The first end of a run stands."""
    ports.runs.begin(_run(run_id))
    ports.runs.succeed(run_id, 1.5)
    ports.runs.fail(run_id, 2.5, "n", "too late")
    assert cloud.state(run_id) == ("SUCCEEDED", None, None)


def test_run_when_it_has_failed_then_the_first_failure_stands(cloud, ports, run_id):
    """The run item names the node and what it said, even if it said nothing."""
    ports.runs.begin(_run(run_id))
    ports.runs.fail(run_id, 1.5, "n", "Oh: é")
    ports.runs.fail(run_id, 2.5, "m", "later")
    ports.runs.succeed(run_id, 3.5)
    assert cloud.state(run_id) == ("FAILED", "n", "Oh: é")


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
