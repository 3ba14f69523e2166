"""Functions' calls take the round trips that TCP takes between regions."""

import io
import json
import time
import zipfile

import pytest
from click.testing import CliRunner
from waiting import eventually

from caribou.cli.local import local, measured_distances
from caribou.local import LocalCloud, distances
from caribou.model.errors import InvalidInputError
from caribou.model.regions import KNOWN_REGIONS

TRIP_S = 0.6
"""Of a round trip between regions: long beside what a call takes else."""
HERE, FAR = "us-west-2", "us-east-1"
BODY_BYTES = 2 * distances.INITIAL_WINDOW_BYTES
"""With what the call adds to it, as much as TCP sends in two bursts."""
TABLE = {a: {b: 0.0 if a == b else TRIP_S for b in KNOWN_REGIONS} for a in KNOWN_REGIONS}

CALLER = """
import json, os, time, boto3

def handler(order, context):
    if "Records" in order:
        age = time.time() - float(order["Records"][0]["Sns"]["Message"])
        boto3.client("sqs").send_message(QueueUrl=os.environ["AGES"], MessageBody=str(age))
        return
    sqs = boto3.client("sqs", region_name=order["region"])
    took = []
    for body in order["bodies"]:
        began = time.monotonic()
        sqs.send_message(QueueUrl=order["queue"], MessageBody="x" * body)
        took.append(time.monotonic() - began)
    return took
"""


@pytest.mark.parametrize(
    ("is_first", "asks_before_body", "trips"), [(False, False, 0.5), (True, False, 2.5), (False, True, 1.5)]
)
def test_request_when_it_is_made_then_it_takes_the_round_trips_of_tcp(is_first, asks_before_body, trips):
    """Two handshakes of a new connection, one for the question before a body, half of one to get there."""
    assert distances.Call(is_first, asks_before_body).round_trips == trips


@pytest.mark.parametrize(("size", "rounds"), [(0, 0), (14_600, 0), (14_601, 1), (43_801, 2), (1_000_000, 6)])
def test_body_when_it_is_large_then_it_takes_a_round_trip_for_each_doubling(size, rounds):
    """Ten segments at once, then twenty, then forty."""
    assert distances.further_rounds(0, size) == rounds


def test_body_when_it_comes_in_pieces_then_its_round_trips_are_those_of_the_whole():
    """A body of 43 KB takes one round trip more than a small one, however it is cut."""
    pieces = [10_000, 10_000, 23_000]
    sent = [sum(pieces[:i]) for i in range(3)]
    assert sum(map(distances.further_rounds, sent, pieces)) == distances.further_rounds(0, 43_000) == 1


@pytest.fixture(scope="module")
def far_cloud(tmp_path_factory):
    """A local cloud whose regions are apart."""
    with LocalCloud.start(tmp_path_factory.mktemp("far"), regions=(), distances=TABLE) as cloud:
        yield cloud


@pytest.mark.local_cloud
def test_call_when_it_leaves_the_region_then_it_takes_three_round_trips_and_then_one(far_cloud):
    """A new connection takes its handshakes first; a body of two bursts takes one more; calls at home take none.

    On a busy machine a call takes longer: one that does not shows that no trip more belongs to it.
    """
    function = Function(far_cloud, "caller")

    def whole_trips():
        new, open_, large = (seconds / TRIP_S for seconds in function.call(FAR, [1, 1, BODY_BYTES]))
        assert (new >= 3, open_ >= 1, large >= 2) == (True, True, True)
        return [int(trips) for trips in (new, open_, large, max(function.call(HERE, [1, 1])) / TRIP_S)]

    eventually(lambda: whole_trips() == [3, 1, 2, 0], "calls that take no trip too many")


@pytest.mark.local_cloud
def test_message_when_its_topic_is_in_another_region_then_it_is_half_a_round_trip_old(far_cloud):
    """SNS delivers to a function of another region over the same distance."""
    function, sns = Function(far_cloud, "subscriber"), far_cloud.client("sns", FAR)
    topic = sns.create_topic(Name="far-topic")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=function.arn)

    sns.publish(TopicArn=topic, Message=str(time.time()))

    assert eventually(function.age_of_message, "the message") >= TRIP_S / 2


@pytest.mark.local_cloud
def test_call_when_it_is_of_a_tool_then_it_takes_no_time(far_cloud):
    """Clients outside functions are in no region."""
    assert far_cloud.client("sqs", FAR).meta.endpoint_url == far_cloud.endpoint
    assert far_cloud.distances
    assert LocalCloud.attach(far_cloud.state).distances


def test_distances_when_a_region_has_none_then_the_start_is_refused(tmp_path):
    """Nothing is put in the place of a distance that is not known."""
    table = {**TABLE, HERE: {HERE: 0.0}}
    with pytest.raises(InvalidInputError, match="us-west-2: has no distance to us-east-1"):
        LocalCloud.start(tmp_path / "state", distances=table)
    assert not (tmp_path / "state").exists()


def test_distances_of_the_command_line_when_made_then_they_are_the_packaged_medians_of_all_regions():
    """The table that `up --distances` gives to the cloud."""
    table = measured_distances()
    assert {(a, b) for a in table for b in table[a]} >= {(a, b) for a in KNOWN_REGIONS for b in KNOWN_REGIONS}
    assert table["us-east-1"]["us-west-2"] == 0.064269


@pytest.mark.local_cloud
def test_up_when_the_cloud_is_up_without_distances_then_it_asks_to_end_it_first(local_cloud):
    """Distances are not put into a cloud that runs."""
    done = CliRunner().invoke(local, ["up", "--distances", "--state", str(local_cloud.state)])
    assert isinstance(done.exception, InvalidInputError)
    assert f"caribou local down --state {local_cloud.state}" in str(done.exception)


class Function:
    """A function in HERE that calls SQS, and a queue in each of the two regions."""

    def __init__(self, cloud, name):
        self._name, self._cloud = name, cloud
        self._queues = {r: cloud.client("sqs", r).create_queue(QueueName=name)["QueueUrl"] for r in (HERE, FAR)}
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr("app.py", CALLER)
        self.arn = cloud.client("lambda", HERE).create_function(
            FunctionName=name, Runtime="python3.13", Handler="app.handler", Timeout=60,
            Role=f"arn:aws:iam::{cloud.account}:role/r", Code={"ZipFile": code.getvalue()},
            Environment={"Variables": {"AGES": self._queues[HERE]}},
        )["FunctionArn"]  # fmt: skip

    def call(self, region, bodies):
        """Let it send messages of these sizes to a region's queue; how long each took."""
        order = {"region": region, "queue": self._queues[region], "bodies": bodies}
        answer = self._cloud.client("lambda", HERE).invoke(FunctionName=self._name, Payload=json.dumps(order))
        return json.loads(answer["Payload"].read())

    def age_of_message(self):
        """How old the message was that it got, if it did."""
        found = self._cloud.client("sqs", HERE).receive_message(QueueUrl=self._queues[HERE]).get("Messages", [])
        return float(found[0]["Body"]) if found else None
