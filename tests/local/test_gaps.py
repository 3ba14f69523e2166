"""What SNS, EventBridge and Lambda do on AWS and MiniStack does only with `local/gaps.py` and `local/log_ends.py`."""

import contextlib
import io
import json
import os
import signal
import uuid
import zipfile
from pathlib import Path

import pytest
from waiting import eventually

pytestmark = pytest.mark.local_cloud

# Notes each attempt's request id in the queue that it is given, then does as the message says.
HANDLER = """
import json, os, time, boto3
sqs = boto3.client("sqs")
def handler(event, context):
    order = event if "Records" not in event else json.loads(event["Records"][0]["Sns"]["Message"])
    sqs.send_message(QueueUrl=os.environ["ATTEMPTS"], MessageBody=context.aws_request_id)
    time.sleep(order.get("sleep", 0))
    if order.get("fail"):
        raise RuntimeError("as ordered")
"""


class Place:
    """A region of the local cloud with a function, the queue in which it notes its attempts, and one for failures."""

    def __init__(self, cloud, region, source=HANDLER, timeout_s=900):
        self.cloud, self.region = cloud, region
        self.name = f"gaps-{uuid.uuid4().hex[:8]}"
        self.attempts, self.failures = self.queue("attempts"), self.queue("failures")
        self.function = self.create_function(source, timeout_s)

    def queue(self, name):
        """The URL of a new queue."""
        sqs = self.cloud.client("sqs", self.region)
        return sqs.create_queue(QueueName=f"{self.name}-{name}")["QueueUrl"]

    def arn(self, queue):
        """The ARN of a queue."""
        sqs = self.cloud.client("sqs", self.region)
        return sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]

    def create_function(self, source, timeout_s):
        """The ARN of the new function, which reports to `failures`."""
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr("app.py", source)
        functions = self.cloud.client("lambda", self.region)
        arn = functions.create_function(
            FunctionName=self.name, Runtime="python3.13", Handler="app.handler", Timeout=timeout_s,
            Role=f"arn:aws:iam::{self.cloud.account}:role/r", Code={"ZipFile": code.getvalue()},
            Environment={"Variables": {"ATTEMPTS": self.attempts}},
        )["FunctionArn"]  # fmt: skip
        functions.put_function_event_invoke_config(
            FunctionName=self.name, DestinationConfig={"OnFailure": {"Destination": self.arn(self.failures)}}
        )
        return arn

    def messages(self, queue, count):
        """Bodies of the first `count` messages of the queue."""
        sqs, bodies = self.cloud.client("sqs", self.region), []

        def received():
            for message in sqs.receive_message(QueueUrl=queue).get("Messages", []):
                bodies.append(message["Body"])
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            return len(bodies) >= count

        eventually(received, f"{count} messages")
        return bodies

    def count(self, queue):
        """How many messages wait in the queue."""
        sqs = self.cloud.client("sqs", self.region)
        attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessages"])
        return int(attributes["Attributes"]["ApproximateNumberOfMessages"])


def topic_to(place, region, **attributes):
    """A topic in a region whose one subscriber is the function."""
    sns = place.cloud.client("sns", region)
    topic = sns.create_topic(Name=place.name)["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=place.function, Attributes=attributes)
    return topic


def publish(place, region, topic, order):
    """Send the function an order through the topic."""
    place.cloud.client("sns", region).publish(TopicArn=topic, Message=json.dumps(order))


@pytest.mark.parametrize("topic_region", ["us-west-2", "us-east-1"])
def test_a_failing_subscriber_is_tried_three_times_then_reported(local_cloud, topic_region):
    """SNS to Lambda, in one region and across two: three attempts with one request id, then the failure queue."""
    place = Place(local_cloud, "us-west-2")
    topic = topic_to(place, topic_region)

    publish(place, topic_region, topic, {"fail": True})

    failure = json.loads(place.messages(place.failures, 1)[0])
    attempts = place.messages(place.attempts, 3)
    assert len(set(attempts)) == 1
    assert place.count(place.attempts) == 0
    assert failure["requestContext"]["condition"] == "RetriesExhausted"
    assert json.loads(failure["requestPayload"]["Records"][0]["Sns"]["Message"]) == {"fail": True}


def test_a_message_to_a_function_that_is_gone_goes_to_the_subscriptions_queue(local_cloud):
    """SNS keeps what it can't deliver in the subscription's dead-letter queue."""
    place = Place(local_cloud, "us-east-1")
    dead = place.queue("dead")
    policy = {
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "sns.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": place.arn(dead),
            }
        ]
    }
    local_cloud.client("sqs").set_queue_attributes(QueueUrl=dead, Attributes={"Policy": json.dumps(policy)})
    topic = topic_to(place, "us-east-1", RedrivePolicy=json.dumps({"deadLetterTargetArn": place.arn(dead)}))
    local_cloud.client("lambda").delete_function(FunctionName=place.name)

    publish(place, "us-east-1", topic, {"n": 1})

    assert json.loads(json.loads(place.messages(dead, 1)[0])["Message"]) == {"n": 1}


def test_a_throttled_message_waits_and_loses_no_attempt(local_cloud):
    """With room for one at a time, four messages are all handled, one after the other."""
    place = Place(local_cloud, "us-east-1")
    local_cloud.client("lambda").put_function_concurrency(FunctionName=place.name, ReservedConcurrentExecutions=1)
    topic = topic_to(place, "us-east-1")

    for _ in range(4):
        publish(place, "us-east-1", topic, {"sleep": 0.3})

    assert len(set(place.messages(place.attempts, 4))) == 4
    assert place.count(place.failures) == 0


def test_a_function_that_is_switched_off_reports_at_once(local_cloud):
    """Reserved concurrency 0 sends events to the failure queue, as on AWS, instead of waiting for hours."""
    place = Place(local_cloud, "us-east-1")
    local_cloud.client("lambda").put_function_concurrency(FunctionName=place.name, ReservedConcurrentExecutions=0)
    topic = topic_to(place, "us-east-1")

    publish(place, "us-east-1", topic, {})

    record = json.loads(place.messages(place.failures, 1)[0])
    assert "responsePayload" not in record
    assert "responseContext" not in record
    assert place.count(place.attempts) == 0


def test_a_failing_target_of_a_rule_is_tried_three_times(local_cloud):
    """EventBridge to Lambda is asynchronous too."""
    place = Place(local_cloud, "us-east-1")
    events = local_cloud.client("events")
    events.put_rule(Name=place.name, EventPattern=json.dumps({"source": [place.name]}))
    target = {"Id": "1", "Arn": place.function, "Input": json.dumps({"fail": True})}
    events.put_targets(Rule=place.name, Targets=[target])

    events.put_events(Entries=[{"Source": place.name, "DetailType": "t", "Detail": "{}"}])

    assert len(place.messages(place.failures, 1)) == 1
    assert len(set(place.messages(place.attempts, 3))) == 1


@pytest.mark.parametrize("kind", ["Event", "RequestResponse"])
def test_the_request_id_of_the_response_is_the_handlers(local_cloud, kind):
    """Whoever invokes a function directly knows the id that its handler sees."""
    place = Place(local_cloud, "us-east-1")

    response = local_cloud.client("lambda").invoke(FunctionName=place.name, InvocationType=kind, Payload=b"{}")

    assert place.messages(place.attempts, 1) == [response["ResponseMetadata"]["RequestId"]]


DYING = """
import os, signal, time
class OutOfPaper(Exception):
    pass
def handler(event, context):
    if event["how"] == "raise":
        raise OutOfPaper("tray 2")
    if event["how"] == "sleep":
        time.sleep(60)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(
    ("how", "timeout_s", "kind", "said"),
    [
        ("raise", 900, "OutOfPaper", "tray 2"),
        ("kill", 900, "Runtime.ExitError", "Runtime exited with error: signal: killed"),
        ("sleep", 1, "Sandbox.Timedout", "Task timed out after 1.00 seconds"),
    ],
)
def test_an_event_given_up_is_reported_with_the_error_that_lambda_gives(local_cloud, how, timeout_s, kind, said):
    """In the record, what user code raised differs from a process that died and from one that took too long."""
    place = Place(local_cloud, "us-east-1", source=DYING, timeout_s=timeout_s)

    local_cloud.client("lambda").invoke(
        FunctionName=place.name, InvocationType="Event", Payload=json.dumps({"how": how}).encode()
    )

    record = json.loads(place.messages(place.failures, 1)[0])
    assert record["responsePayload"]["errorType"] == kind
    assert said in record["responsePayload"]["errorMessage"]
    assert record["responseContext"]["functionError"] == "Unhandled"
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 3
    assert record["requestPayload"] == {"how": how}


def test_a_process_killed_from_outside_is_retried_with_the_same_request(local_cloud):
    """What a function was doing when its process was killed is done again, under one request id."""
    place = Place(local_cloud, "us-east-1")
    local_cloud.client("lambda").invoke(FunctionName=place.name, InvocationType="Event", Payload=b'{"sleep": 900}')
    first = place.messages(place.attempts, 1)

    kill(place.name)
    assert place.messages(place.attempts, 1) == first
    kill(place.name)
    assert place.messages(place.attempts, 1) == first
    kill(place.name)
    assert len(place.messages(place.failures, 1)) == 1
    assert place.count(place.attempts) == 0


def kill(function):
    """Kill the processes that run a function."""
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"ministack-lambda-{function}-" in (folder / "cmdline").read_text():
                os.kill(int(folder.name), signal.SIGKILL)


PRINTS = """
import os, sys
def handler(event, context):
    print("first of", event["n"])
    sys.stderr.write(f"last of {event['n']}")
    if event["how"] == "closes":
        os.closerange(3, 256)
    if event["how"] == "raises":
        raise RuntimeError("as ordered")
    if event["how"] == "dies":
        sys.stderr.flush()
        os._exit(1)
"""


def test_log_when_functions_print_and_end_in_any_way_then_each_line_is_there_once_and_no_mark(local_cloud):
    """In the order in which they ran."""
    place = Place(local_cloud, "us-east-1", source=PRINTS)
    for number, how in enumerate(["returns", "closes", "returns", "raises", "returns", "dies", "returns"]):
        payload = json.dumps({"n": number, "how": how}).encode()
        local_cloud.client("lambda").invoke(FunctionName=place.name, Payload=payload)
    wanted = [f"{part} of {number}" for number in range(7) for part in ("first", "last")]
    group = f"/aws/lambda/{place.name}"

    def logged():
        pages = local_cloud.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group)
        messages = [event["message"] for page in pages for event in page["events"]]
        return [line for message in messages for line in message.splitlines() if " of " in line]

    eventually(lambda: len(logged()) >= len(wanted), "all lines")
    assert sorted(logged()) == sorted(wanted)
