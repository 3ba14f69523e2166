"""Which events are messages of the function's own topic."""

import json

import pytest

from caribou.model.errors import InvalidEnvelopeError, InvalidPayloadError
from caribou.model.names import WorkflowNames
from caribou.model.run.envelope import Envelope, Pointer, Run, Start
from caribou.model.run.payload import encode
from caribou.model.run.publication import POINTER_ATTRIBUTE, RUN_ID_ATTRIBUTE, attributes_of, start_key
from caribou.runtime.event import json_or_text, message_of, unpack

NAMES = WorkflowNames("flow")
TOPIC, START_TOPIC = NAMES.topic("a"), NAMES.start_topic


def _event(message="{}", topic=TOPIC, records=1):
    arn = f"arn:aws:sns:us-east-1:000000000000:{topic}"
    return {"Records": [{"Sns": {"TopicArn": arn, "MessageId": "m-1", "Message": message}}] * records}


def test_event_when_it_comes_from_the_own_topic_then_the_message_is_its_content():
    """The message's id names the delivery, so that a message that comes twice starts one run."""
    delivery = unpack(_event(json.dumps({"x": 1})), names=NAMES, function="a", request_id="r-1")
    assert (delivery.content, delivery.id, delivery.request_id) == ({"x": 1}, "m-1", "r-1")
    assert delivery.from_topic


def test_event_when_the_message_is_no_json_then_it_is_text():
    """A message that someone typed is a payload too."""
    assert unpack(_event("hello"), names=NAMES, function="a", request_id="r-1").content == "hello"


@pytest.mark.parametrize(
    "event",
    [
        _event(topic="another-topic"),
        _event(records=2),
        {"Records": []},
        {"Records": "text"},
        {"Records": [1]},
        {"Records": [{"Sns": "text"}]},
        {"Records": [{"eventSource": "aws:s3"}]},
        {"schema": "mine/1"},
        [1, 2],
        "text",
        None,
    ],
)
def test_event_when_it_is_anything_else_then_it_is_the_content_itself(event):
    """Events of other sources are payloads as they are, named by the request."""
    delivery = unpack(event, names=NAMES, function="a", request_id="r-1")
    assert (delivery.content, delivery.id, delivery.from_topic) == (event, "r-1", False)


def test_event_when_it_is_polled_then_its_records_name_it_in_every_retry():
    """A poller invokes anew where Lambda would retry: the same records are the same run, others another one."""
    queue = {"Records": [{"messageId": "m-1", "body": "x"}, {"messageId": "m-2", "body": "y"}]}
    stream = {"Records": [{"eventID": "shard:1", "kinesis": {}}]}
    ids = [
        unpack(event, names=NAMES, function="a", request_id=f"r-{i}").id
        for i, event in enumerate([queue, queue, stream, stream])
    ]
    assert ids[0] == ids[1] != ids[2] == ids[3]
    assert all(len(name) == 32 for name in ids)


OURS = [
    Start("victim", "1", attempt=3),
    Envelope(Run("victim", "0.0.1", "g", "p", {}, 1.0, 2.0), "a", None, "i", 0, 1.5, "1"),
]


@pytest.mark.parametrize("message", OURS, ids=["start", "envelope"])
def test_event_when_it_comes_through_the_start_topic_then_it_is_a_payload_whatever_it_looks_like(message):
    """Who may publish decides what a run works on, and not what a run is: the message names the run."""
    delivery = unpack(_event(message.to_text(), START_TOPIC), names=NAMES, function="a", request_id="r-1")
    start = message_of(delivery.content, delivery.id)
    assert start == Start("m-1", encode(json.loads(message.to_text())), message_id="m-1")
    assert delivery.from_topic


def _published(message, **attributes):
    event = _event(message, START_TOPIC)
    event["Records"][0]["Sns"]["MessageAttributes"] = attributes
    delivery = unpack(event, names=NAMES, function="a", request_id="r-1")
    return message_of(delivery.content, delivery.id)


def test_publication_when_an_attribute_names_the_run_then_it_has_that_name_and_the_message_s_id():
    """The name is the client's; that by which two starts of one name differ is not."""
    said = {RUN_ID_ATTRIBUTE: {"Type": "String", "Value": "order-17"}, "others": {"Type": "Number", "Value": "1"}}
    assert _published("hello", **said) == Start("order-17", '"hello"', message_id="m-1")


def test_publication_when_its_payload_rests_in_the_store_then_the_start_points_there():
    """The place follows from the content's digest."""
    digest = "0" * 64
    pointer = Pointer("us-east-1", "payloads", start_key(digest), digest, 300_000)
    said = {name: {"Type": "String", "Value": text} for name, text in attributes_of("mine", pointer).items()}
    assert _published("null", **said) == Start("mine", None, pointer, message_id="m-1")


@pytest.mark.parametrize("key", ["victim/a/start/0123456789abcdef", start_key("1" * 64), "!start/"])
def test_publication_when_it_points_anywhere_else_then_it_is_refused(key):
    """A publisher must not have a function read what he could not."""
    pointer = Pointer("us-east-1", "payloads", key, "0" * 64, 1)
    said = {name: {"Type": "String", "Value": text} for name, text in attributes_of("mine", pointer).items()}
    with pytest.raises(InvalidEnvelopeError, match=r"caribou\.payload"):
        _published("null", **said)


@pytest.mark.parametrize("region", ["eu-west-1", "no-such-1", "000000000000"])
def test_publication_when_it_points_into_another_region_than_home_s_then_it_is_refused(region):
    """It might not answer, and the run would be sent again until its deadline."""
    pointer = Pointer(region, "payloads", start_key("0" * 64), "0" * 64, 1)
    said = {name: {"Type": "String", "Value": text} for name, text in attributes_of("mine", pointer).items()}
    with pytest.raises(InvalidEnvelopeError, match=rf"caribou\.payload.*in {region}"):
        _published("null", **said)


@pytest.mark.parametrize("name", [".", ".."])
def test_publication_when_it_names_a_run_as_a_path_goes_then_it_is_refused(name):
    """The name stands in keys of S3, which takes no such ones."""
    with pytest.raises(InvalidEnvelopeError, match=r"caribou\.run_id"):
        _published("1", **{RUN_ID_ATTRIBUTE: {"Type": "String", "Value": name}})
    assert _published("1", **{RUN_ID_ATTRIBUTE: {"Type": "String", "Value": "..."}}).run_id == "..."


@pytest.mark.parametrize("name", [RUN_ID_ATTRIBUTE, POINTER_ATTRIBUTE])
@pytest.mark.parametrize(
    "attribute",
    [{"Type": "Binary"}, {"Type": "String", "Value": 1}, "x", *({"Value": v} for v in ("", "[", "{}", "a b"))],
)
def test_publication_when_an_attribute_is_damaged_then_it_is_refused(name, attribute):
    """One clear error, whatever somebody has put there."""
    with pytest.raises(InvalidEnvelopeError, match=name):
        _published("1", **{name: attribute})


def test_message_when_it_is_none_of_ours_then_it_is_the_payload_of_a_start_that_the_delivery_names():
    """The sweeper reads a failed event as the function did, so that it is the same run."""
    assert message_of({"x": 1}, "m-1") == Start("m-1", '{"x":1}', message_id="m-1")
    assert message_of(json_or_text("hello"), "m-1") == Start("m-1", '"hello"', message_id="m-1")
    assert message_of(json.loads(Start("mine", "1").to_text()), "m-1") == Start("mine", "1")
    assert message_of(json.loads(Start(None, "1").to_text()), "m-1") == Start("m-1", "1")


def test_message_when_it_is_nested_too_deeply_then_one_error_says_so():
    """Python's reader would run out of stack."""
    with pytest.raises(InvalidPayloadError, match="nested"):
        json_or_text("[" * 100_000)


@pytest.mark.parametrize(
    "changes", [{"Message": 1}, {"MessageId": ""}, {"MessageId": []}, {"MessageId": "x" * 300}, {"TopicArn": {}}]
)
def test_event_when_it_only_looks_like_the_topic_s_then_it_is_the_content_itself(changes):
    """Whoever invokes a function may write what he likes into the event."""
    event = {"Records": [{"Sns": {"TopicArn": f"arn:aws:sns:r:a:{TOPIC}", "MessageId": "m", "Message": "1"} | changes}]}
    assert unpack(event, names=NAMES, function="a", request_id="r-1").content == event


def test_event_when_a_polled_record_has_no_text_for_a_name_then_the_request_names_it():
    """Half a character is a text all the same."""
    assert unpack({"Records": [{"messageId": [1]}]}, names=NAMES, function="a", request_id="r-1").id == "r-1"
    assert len(unpack({"Records": [{"messageId": "\ud800"}]}, names=NAMES, function="a", request_id="r-1").id) == 32
