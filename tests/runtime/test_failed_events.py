"""What lies in a failure queue, in every form that Lambda, SNS and the local cloud write."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caribou.model.names import WorkflowNames
from caribou.model.run.envelope import Start
from caribou.model.run.payload import encode
from caribou.model.run.publication import RUN_ID_ATTRIBUTE
from caribou.runtime.aws import failed_event

HOME, NAMES = "us-east-1", WorkflowNames("flow")
TOPIC = NAMES.topic("a")


def _sns(topic=TOPIC, message='{"x": 1}'):
    arn = f"arn:aws:sns:us-east-1:000000000000:{topic}"
    return {"Records": [{"EventSource": "aws:sns", "Sns": {"TopicArn": arn, "MessageId": "m-1", "Message": message}}]}


def _record(payload, condition="RetriesExhausted", **more):
    context = {"requestId": "r-1", "condition": condition, "approximateInvokeCount": 3}
    return {"version": "1.0", "requestContext": context, "requestPayload": payload, **more}


def _read(body):
    message = {"Body": body if isinstance(body, str) else json.dumps(body), "ReceiptHandle": "h-1"}
    event = failed_event(HOME, "a", NAMES, message)
    assert (event.region, event.function, event.handle) == (HOME, "a", "h-1")
    return event


@pytest.mark.parametrize(
    ("more", "error_type", "error"),
    [
        (
            {
                "responseContext": {"functionError": "Unhandled"},
                "responsePayload": {"errorType": "E", "errorMessage": "é"},
            },
            "E",
            "é",
        ),
        (
            {"responseContext": {"functionError": "Unhandled"}, "responsePayload": {"errorMessage": "timed out"}},
            "Unhandled",
            "timed out",
        ),
        ({"responseContext": {"functionError": "Unhandled"}, "responsePayload": None}, "Unhandled", "RetriesExhausted"),
        ({}, None, "RetriesExhausted"),
        ({"responseContext": None, "responsePayload": None}, None, "RetriesExhausted"),
    ],
    ids=["raised", "timed out", "killed", "never started", "nulls"],
)
def test_event_when_lambda_gave_it_up_then_message_and_error_are_read(more, error_type, error):
    """A process that was killed has no type of its own; a function that never started has none at all."""
    event = _read(_record(_sns(), **more))
    assert (event.message, event.message_id) == ('{"x": 1}', "m-1")
    assert (event.error_type, event.error) == (error_type, error)


def test_event_when_its_function_was_gone_then_the_notification_is_read():
    """The dead-letter queue of a subscription has what SNS would have delivered."""
    event = _read({"Type": "Notification", "MessageId": "m-1", "TopicArn": "arn", "Message": '{"x": 1}'})
    assert (event.message, event.message_id, event.error_type) == ('{"x": 1}', "m-1", None)


@pytest.mark.parametrize(
    "payload",
    [
        *({"detail": 1}, _sns(topic="the-users-own"), {"Records": [{"s3": {}}]}, "text", None),
        json.loads(Start("another", "1").to_text()),
    ],
)
def test_event_when_it_came_past_the_topic_then_it_is_its_own_message_named_by_its_request(payload):
    """An event of another source that could not be handed to the topic is a start too, under the same name."""
    event = _read(_record(payload))
    assert (event.message, event.message_id) == (Start("r-1", encode(payload), message_id="r-1").to_text(), "r-1")


@pytest.mark.parametrize(
    "body",
    [
        *("", "{", "null", "[]", "1", "{}", '{"requestPayload": {}}', '{"Message": "x"}', '"text"'),
        *("[" * 100_000, '{"Message": 1, "MessageId": "m"}', '{"Message": "x", "MessageId": []}'),
        '{"requestPayload": 1, "requestContext": {"requestId": 5}}',
        '{"requestPayload": 1, "requestContext": {"requestId": "r", "condition": {}}}',
        '{"requestPayload": 1, "requestContext": {"requestId": "r", "condition": "c"}, "responsePayload": [1]}',
        '{"requestPayload": 1, "requestContext": {"requestId": "r"}, "responsePayload": {"errorType": {}}}',
    ],
)
def test_event_when_it_is_anything_else_then_it_is_kept_as_it_is_without_a_name(body):
    """What nobody can read is left for a person, and stops nobody."""
    event = _read(body)
    assert (event.message, event.message_id, event.error_type) == (body, "", None)


def test_event_when_its_error_is_long_or_no_unicode_then_it_is_cut_and_can_be_kept():
    """User code says what it likes: a parked message has 400 KB for it and for itself."""
    said = {"errorType": "E" * 9000, "errorMessage": "caf\udce9" + "x" * 450_000}
    event = _read(_record(_sns(), responsePayload=said))
    assert (len(event.error_type), len(event.error)) == (200, 2000)
    assert event.error.startswith("caf\\udce9x")


def _published(text='{"schema": "caribou.start/1", "run_id": "victim"}', **attributes):
    """A notification of the start topic, as Lambda's events and a dead letter have it."""
    said = {name: {"Type": "String", "Value": value} for name, value in attributes.items()}
    arn = f"arn:aws:sns:us-east-1:000000000000:{NAMES.start_topic}"
    return {"TopicArn": arn, "MessageId": "m-1", "Message": text, "MessageAttributes": said}


@pytest.mark.parametrize(
    "body",
    [_record({"Records": [{"EventSource": "aws:sns", "Sns": _published()}]}), {"Type": "Notification", **_published()}],
    ids=["given up", "not delivered"],
)
def test_event_when_a_client_published_it_then_it_is_a_payload_whatever_it_looks_like(body):
    """The sweeper reads it as the function did: what a publisher writes is no message on this way either."""
    event = _read(body)
    content = {"schema": "caribou.start/1", "run_id": "victim"}
    assert json.loads(event.message) == Start("m-1", encode(content), message_id="m-1").to_json()
    assert event.message_id == "m-1"


def test_event_when_its_attributes_are_none_of_ours_then_it_is_left_as_it_is():
    """A name that no run can have: a person sees it, and no sweep ends."""
    event = _read({"Type": "Notification", **_published(**{RUN_ID_ATTRIBUTE: "no name"})})
    assert (event.message_id, event.error) == ("", "not readable")


_ANYTHING = st.sampled_from([None, 0, 1e300, float("inf"), True, "", "x", "\ud800", [], [[]], {}, {"Records": [{}]}])


@given(st.data())
def test_event_when_any_part_of_it_is_anything_then_it_is_read(data):
    """Whatever lies in a failure queue is an event; the sweeper must be able to leave it there."""
    record = _record(_sns(), responsePayload={"errorType": "E", "errorMessage": "so"})
    places = [
        record,
        record["requestContext"],
        record["responsePayload"],
        record["requestPayload"]["Records"][0]["Sns"],
    ]
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.sampled_from(places))
        place[data.draw(st.sampled_from(sorted(place)))] = data.draw(_ANYTHING)
    event = _read(record)
    assert isinstance(event.message, str)
    assert isinstance(event.message_id, str)
