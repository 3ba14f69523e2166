"""Which events are messages of the function's own topic."""

import json

import pytest

from caribou.runtime.event import unpack

TOPIC = "caribou-dev-flow-a"


def _event(message="{}", topic=TOPIC, records=1):
    arn = f"arn:aws:sns:us-east-1:000000000000:{topic}"
    return {"Records": [{"Sns": {"TopicArn": arn, "MessageId": "m-1", "Message": message}}] * records}


def test_event_when_it_comes_from_the_own_topic_then_the_message_is_its_content():
    """The message's id names the delivery, so that a message that comes twice starts one run."""
    delivery = unpack(_event(json.dumps({"x": 1})), topic=TOPIC, request_id="r-1")
    assert (delivery.content, delivery.id, delivery.request_id) == ({"x": 1}, "m-1", "r-1")


def test_event_when_the_message_is_no_json_then_it_is_text():
    """A message that someone typed is a payload too."""
    assert unpack(_event("hello"), topic=TOPIC, request_id="r-1").content == "hello"


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
    delivery = unpack(event, topic=TOPIC, request_id="r-1")
    assert (delivery.content, delivery.id) == (event, "r-1")
