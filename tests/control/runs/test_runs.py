"""Starting runs, and what is said when AWS does not take one."""

import hashlib

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from caribou.control.runs.runs import Runs
from caribou.model.errors import InvalidInputError, InvalidPayloadError, NotDeployedError, OperationFailedError
from caribou.model.run.envelope import Run, Start, StoredPayload
from caribou.model.run.payload import encode
from caribou.runtime.clients import Clients
from caribou.runtime.event import published as published_start
from caribou.runtime.run_items import DynamoRunStore

ACCOUNT = "111122223333"
LARGE = "x" * 300_000


class FakeAws(Clients):
    """Clients of every service at once, that note what they are given, or refuse it."""

    def __init__(self, **refusals):
        super().__init__()
        self.refusals, self.published, self.stored = refusals, [], []

    def sns(self, _region):
        """Itself."""
        return self

    s3 = dynamodb = sns

    def publish(self, **given):
        """Take a message."""
        self._refuse("publish")
        self.published.append(given)

    def put_object(self, **given):
        """Take an object."""
        self._refuse("put_object")
        self.stored.append(given)

    def get_item(self, **_given):
        """Find nothing."""
        self._refuse("get_item")
        return {}

    def _refuse(self, call):
        if call in self.refusals:
            raise self.refusals[call]


def refusal(code, status=400):
    """An answer of AWS that is no good one."""
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "PutObject")


@pytest.fixture
def runs_on(workflow):
    """`runs_on(aws)`: the workflow's runs on such clients."""
    return lambda aws: Runs(workflow.graph, workflow.manifest, "dev", ACCOUNT, aws)


def test_start_when_the_payload_is_large_then_it_goes_by_s3(runs_on):
    """An attribute of the message points at it, and the digest is its name: nobody else's can be meant."""
    aws = FakeAws()
    assert runs_on(aws).start(LARGE, "r1") == "r1"
    (stored,), (published,) = aws.stored, aws.published
    assert stored["Key"] == "!start/" + hashlib.sha256(stored["Body"]).hexdigest()
    assert stored["Body"] == f'"{LARGE}"'.encode()
    assert _received(published).pointer.key == stored["Key"]
    assert published["Message"] == "null"


def _received(published):
    """The start that the home entry makes of what was published."""
    said = {name: {"Value": one["StringValue"]} for name, one in published["MessageAttributes"].items()}
    sent = {name: published[name] for name in ("TopicArn", "Message")}
    return published_start({**sent, "MessageId": "m-1", "MessageAttributes": said})


@pytest.mark.parametrize(
    "payload",
    [
        None,
        1.5,
        "text",
        "\uffff",
        [1, (2,)],
        {"$bytes": "x"},
        {"$$": {1: None}},
        {"schema": "caribou.start/1"},
        float("inf"),
    ],
)
def test_start_when_the_payload_is_json_then_it_is_the_message_and_arrives_as_it_was(runs_on, payload):
    """What anyone could publish; the name stands beside it."""
    aws = FakeAws()
    runs_on(aws).start(payload, "r1")
    (published,) = aws.published
    assert published["TopicArn"] == f"arn:aws:sns:us-east-1:{ACCOUNT}:caribou-dev-example"
    assert _received(published) == Start("r1", encode(payload), message_id="m-1")
    assert aws.stored == []


@pytest.mark.parametrize("payload", [b"x", {"a": [bytearray(b"x")]}])
def test_start_when_the_payload_has_bytes_then_it_rests_in_the_bucket(runs_on, payload):
    """JSON has none, and a message that looks as if it had is a payload that looks so."""
    aws = FakeAws()
    runs_on(aws).start(payload, "r1")
    ((stored,), (published,)) = aws.stored, aws.published
    assert stored["Body"] == encode(payload).encode()
    assert _received(published).pointer.sha256 == hashlib.sha256(stored["Body"]).hexdigest()


@pytest.mark.parametrize("name", ["", "a b", "a#b", "é", "x" * 81, "a/b", ".", ".."])
def test_start_when_the_name_is_none_then_it_is_the_users_mistake(runs_on, name):
    """Nothing is sent."""
    aws = FakeAws()
    with pytest.raises(InvalidInputError, match="is no name for a run"):
        runs_on(aws).start(1, name)
    assert aws.published == []


@pytest.mark.parametrize(
    "error",
    [
        refusal("SlowDown", 503),
        refusal("InternalError", 500),
        refusal("AccessDenied", 403),
        EndpointConnectionError(endpoint_url="http://nowhere"),
    ],
)
def test_start_when_s3_does_not_take_a_large_payload_then_it_is_a_failure_and_nothing_is_sent(runs_on, error):
    """Throttled, down, gone or forbidden; a small payload needs no S3."""
    aws = FakeAws(put_object=error)
    with pytest.raises(OperationFailedError, match="example does not answer in us-east-1") as raised:
        runs_on(aws).start(LARGE)
    assert str(error) in str(raised.value)
    assert aws.published == []
    runs_on(aws).start("small")
    assert len(aws.published) == 1


@pytest.mark.parametrize(
    ("failing", "payload"),
    [({"publish": refusal("NotFound", 404)}, "small"), ({"put_object": refusal("NoSuchBucket", 404)}, LARGE)],
)
def test_start_when_topic_or_bucket_is_not_there_then_the_message_says_how_to_deploy(runs_on, failing, payload):
    """Home has answered."""
    with pytest.raises(NotDeployedError, match=r"is not deployed in us-east-1.*To deploy it: caribou deploy example"):
        runs_on(FakeAws(**failing)).start(payload)


def test_start_when_home_does_not_answer_then_nobody_is_advised_to_deploy(runs_on):
    """Whether it is deployed is not known."""
    silent = FakeAws(publish=EndpointConnectionError(endpoint_url="http://nowhere"))
    with pytest.raises(OperationFailedError, match="example does not answer in us-east-1") as raised:
        runs_on(silent).start({})
    assert "deploy" not in str(raised.value)


def test_start_when_the_payload_can_not_travel_then_it_is_the_users_mistake(runs_on):
    """Nothing is sent."""
    aws = FakeAws()
    with pytest.raises(InvalidPayloadError):
        runs_on(aws).start({"a": object()})
    assert aws.published == []


def test_state_when_aws_does_not_answer_then_it_is_a_failure(runs_on):
    """A run that has not begun is none."""
    runs = runs_on(FakeAws(get_item=refusal("AccessDenied", 403)))
    with pytest.raises(OperationFailedError, match="AccessDenied"):
        runs.state("r1")
    assert runs_on(FakeAws()).state("r1") is None


class Table(FakeAws):
    """A run table that keeps the last item put into it."""

    item = None

    def put_item(self, Item, **_):  # noqa: N803 - boto3's
        """Keep it."""
        self.item = Item

    def get_item(self, **_given):
        """Give it back."""
        return {} if self.item is None else {"Item": self.item}

    class exceptions:  # noqa: N801 - boto3's
        """None of them comes."""

        ConditionalCheckFailedException = KeyError


def begun(aws, payload):
    """A run of that payload has begun."""
    run = Run("r1", "0.0.1", "g", "p", {}, 1.7e9, 1.8e9)
    DynamoRunStore(aws, "t", "us-east-1").begin(run, frozenset({"a"}), "m-1", StoredPayload(encode(payload)))


@pytest.mark.parametrize("payload", [{"a": [1, "é"]}, LARGE, b"bytes"], ids=["small", "large", "bytes"])
def test_name_when_a_run_has_it_then_one_with_the_same_payload_is_that_run_and_another_is_refused(runs_on, payload):
    """Small payloads are kept with the run, of others the digest."""
    aws = Table()
    assert runs_on(aws).begun(payload, "r1") is None
    begun(aws, payload)
    assert runs_on(aws).begun(payload, "r1").run.run_id == "r1"
    with pytest.raises(InvalidInputError, match=r"began with another payload.*r1, RUNNING.*caribou trace r1"):
        runs_on(aws).begun([payload], "r1")
    assert aws.published == []


def test_name_when_its_run_does_not_say_what_it_began_with_then_it_is_refused(runs_on):
    """An earlier version noted no digest."""
    aws = Table()
    begun(aws, LARGE)
    del aws.item["input_digest"]
    with pytest.raises(InvalidInputError, match="does not say what it began with"):
        runs_on(aws).begun(LARGE, "r1")
