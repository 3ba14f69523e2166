"""What topics and queues bring, of any shape: a message, a payload, or one clear error; nothing of it ends a sweep."""

import json

from builders import graph_of
from hostile import LINES, fuzzed, hostile_json, hostile_text
from hypothesis import given
from hypothesis import strategies as st

from caribou.cli.samples import json_value
from caribou.model.errors import CaribouError, InvalidEnvelopeError, InvalidInputError, InvalidPayloadError
from caribou.model.placement import Placement
from caribou.model.run import payload as payloads
from caribou.model.run.envelope import Envelope, Pointer, Run, Start, parse_message, pointer_to_json
from caribou.model.run.item import FailedEvent, RunState
from caribou.model.run.publication import POINTER_ATTRIBUTE, RUN_ID_ATTRIBUTE, start_key
from caribou.model.run_settings import RunSettings
from caribou.runtime.aws import failed_event
from caribou.runtime.event import json_or_text, message_of, unpack
from caribou.runtime.node import NodeRunner
from caribou.runtime.settings import Settings
from caribou.runtime.sweeping import Sweeper
from caribou.runtime.testing.memory import InMemoryCloud

LONGEST_ERROR = 2_000
HOME, WEST, NOW = "us-east-1", "us-west-2", 1_700_000_000.0
GRAPH = graph_of({"a": "b c", "b": "s", "c": "s"}, sync="s")
SETTINGS = Settings(GRAPH, "a", HOME, HOME, "test", RunSettings())
NAMES = SETTINGS.names
OWN, PUBLIC = NAMES.topic("a"), NAMES.start_topic
POINTER = Pointer(HOME, "caribou-bucket", start_key("0" * 64), "0" * 64, 300_000)
RUN = Run("run-1", "0.0.1", GRAPH.digest, "digest", {"b": WEST}, NOW, NOW + 3600)
ENVELOPE = Envelope(RUN, "b", "a#0", "inputs", 1, NOW, None, POINTER, 1)
START = Start("run-1", '{"x":1}', POINTER)
PAYLOAD = {"a": [1, {"$bytes": "AAAA"}, {"$float": "nan"}], "$$b": "é"}
topics = st.sampled_from([OWN, PUBLIC])
messages = st.sampled_from([ENVELOPE, START]).flatmap(lambda message: hostile_json(json.loads(message.to_text())))


def published_to(topic, message):
    """A notification of a topic, with the attributes that clients may give it."""
    place = json.dumps(pointer_to_json(POINTER))
    said = {RUN_ID_ATTRIBUTE: "run-1", POINTER_ATTRIBUTE: place} if topic == PUBLIC else {}
    return {
        "TopicArn": f"arn:aws:sns:{HOME}:000000000000:{topic}",
        "MessageId": "m-1",
        "Message": message,
        "MessageAttributes": {name: {"Type": "String", "Value": value} for name, value in said.items()},
    }


def notification(message, topic=OWN):
    """An event with a message of a topic."""
    return {"Records": [{"EventSource": "aws:sns", "Sns": published_to(topic, message)}]}


def given_up(message, topic=OWN):
    """The on-failure record of an event that Lambda gave up."""
    return {
        "version": "1.0",
        "requestContext": {"requestId": "r-1", "condition": "RetriesExhausted", "approximateInvokeCount": 3},
        "requestPayload": notification(message, topic),
        "responseContext": {"statusCode": 200, "functionError": "Unhandled"},
        "responsePayload": {"errorType": "ValueError", "errorMessage": "é"},
    }


def undelivered(message, topic=OWN):
    """What SNS puts into the dead-letter queue of a subscription."""
    return {"Type": "Notification", **published_to(topic, message)}


@st.composite
def bodies(draw):
    """Bodies in a failure queue: damaged around the message, or inside it."""
    wrap, topic = draw(st.sampled_from([given_up, undelivered])), draw(topics)
    if draw(st.booleans()):
        return json.dumps(wrap(draw(messages), topic))
    return draw(hostile_json(wrap(draw(st.sampled_from([ENVELOPE, START])).to_text(), topic)))


def world():
    """A cloud in memory with one run, open."""
    cloud = InMemoryCloud(NOW + 1)
    cloud.runs.begin(RUN, frozenset(GRAPH.leaves))
    return cloud


@fuzzed
@given(text=messages)
def test_message_when_hostile_then_it_is_one_of_ours_that_can_be_sent_or_a_payload_or_one_error(text):
    """What is read is within the limits of all that will keep it, and is the same when it is read again."""
    try:
        found = message_of(json_or_text(text), "m-1")
    except (InvalidEnvelopeError, InvalidPayloadError) as error:
        assert len(str(error)) < LONGEST_ERROR  # noqa: PT017 - either outcome is right
        return
    assert parse_message(json.loads(found.to_text())) == found
    found.to_text().encode()


@fuzzed
@given(body=bodies(), function=st.sampled_from(["a", "b"]))
def test_event_when_hostile_then_it_is_sent_again_or_parked_or_left_and_the_sweep_goes_on(body, function):
    """A queue has one that is hostile and one that is right: the right one is dealt with, the run item stays one."""
    cloud = world()
    event = failed_event(HOME, function, NAMES, {"Body": body, "ReceiptHandle": "h-1"})
    right = FailedEvent(HOME, "a", Start("run-2", "1").to_text(), "m-2", None, "not started", "h-2")
    for one in (event, right):
        cloud.failures.put(one)
    swept = Sweeper(SETTINGS, cloud.ports(HOME)).sweep()
    assert swept.problems == ()
    assert swept.resent + swept.parked + swept.dropped + swept.left == 2
    assert any('"run-2"' in message.text for message in cloud.bus.take())
    assert cloud.runs.get("run-1").run == RUN


@fuzzed
@given(text=messages, topic=topics)
def test_function_when_its_message_is_hostile_then_it_runs_or_raises_one_error(text, topic):
    """What a function's topic brings is run, dropped, or refused with an error of ours."""
    cloud, seen = world(), []
    runner = NodeRunner(
        settings=SETTINGS,
        ports=cloud.ports(HOME),
        placement=Placement.at_home(GRAPH, HOME),
        user_function=seen.append,
        memory_mb=128,
        emit=lambda _: None,
        exchanges=dict,
    )
    try:
        runner.handle(unpack(notification(text, topic), names=NAMES, function="a", request_id="r-1"), cold_start=False)
    except CaribouError as error:
        assert len(str(error)) < LONGEST_ERROR  # noqa: PT017 - either outcome is right
    assert cloud.runs.get("run-1").run == RUN
    assert cloud.runs.get("run-1").state in RunState


@fuzzed
@given(value=topics.flatmap(lambda topic: hostile_json(notification("{}", topic))))
def test_notification_when_hostile_then_the_event_is_a_message_or_a_payload(value):
    """What came otherwise than through the own topic is content, whatever it looks like."""
    try:
        event = json.loads(value)
    except (ValueError, RecursionError):
        return
    try:
        delivery = unpack(event, names=NAMES, function="a", request_id="r-1")
    except (InvalidPayloadError, InvalidEnvelopeError):
        return
    assert delivery.from_topic or delivery.content == event or event != event  # noqa: PLR0124 - NaN
    assert 0 < len(delivery.id.encode()) <= 256


@fuzzed
@given(text=st.one_of(hostile_json(PAYLOAD), st.sampled_from(LINES)))
def test_payload_when_its_text_is_hostile_then_it_is_a_value_that_can_be_sent_on_or_one_error(text):
    """What a function receives it can send on, or one error says that it can't."""
    try:
        value = payloads.received(text)
        assert payloads.encode(payloads.decode(payloads.encode(value))) == payloads.encode(value)
    except InvalidPayloadError as error:
        assert ". To fix: " in str(error)  # noqa: PT017


@fuzzed
@given(text=st.one_of(hostile_json(PAYLOAD), hostile_text(json.dumps(PAYLOAD))))
def test_argument_when_its_text_is_hostile_then_it_is_a_payload_or_one_error(text):
    """What `caribou run -a` is given."""
    try:
        payloads.encode(json_value(text, "-a"))
    except InvalidInputError as error:
        assert ". To fix: " in str(error)  # noqa: PT017


def test_messages_when_they_are_not_changed_then_they_are_read():
    """What is fuzzed is right to begin with."""
    for message in (ENVELOPE, START):
        assert parse_message(json.loads(message.to_text())) == message
        for wrap in (given_up, undelivered):
            event = failed_event(HOME, "a", NAMES, {"Body": json.dumps(wrap(message.to_text())), "ReceiptHandle": "h"})
            assert (event.message, event.message_id) == (message.to_text(), "m-1")
    for topic in (OWN, PUBLIC):
        assert unpack(notification("1", topic), names=NAMES, function="a", request_id="r-1").from_topic
