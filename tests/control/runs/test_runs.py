"""Starting runs, and what is said when AWS does not take one."""

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from caribou.control.runs.runs import Runs
from caribou.model.errors import InvalidPayloadError, OperationFailedError
from caribou.runtime.clients import Clients

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
    """The message points at it."""
    aws = FakeAws()
    assert runs_on(aws).start(LARGE, "r1") == "r1"
    (stored,), (published,) = aws.stored, aws.published
    assert stored["Key"] == "r1/start"
    assert stored["Body"] == f'"{LARGE}"'.encode()
    assert len(published["Message"]) < 1000
    assert "r1/start" in published["Message"]


@pytest.mark.parametrize(
    "error",
    [
        refusal("SlowDown", 503),
        refusal("InternalError", 500),
        refusal("NoSuchBucket", 404),
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


@pytest.mark.parametrize("error", [refusal("NotFound", 404), EndpointConnectionError(endpoint_url="http://nowhere")])
def test_start_when_sns_does_not_take_it_then_it_is_a_failure(runs_on, error):
    """The message says the way to go on."""
    with pytest.raises(OperationFailedError, match="To deploy it: caribou deploy example"):
        runs_on(FakeAws(publish=error)).start({})


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
