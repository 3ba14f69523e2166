"""The operator's clients: settings that are the user's, and credentials that are not there."""

import io
import socket

import boto3
import pytest
from botocore.awsrequest import AWSResponse

from caribou.collectors.clients import logs_of
from caribou.control.aws import Aws, aws_errors_as
from caribou.control.stacks.deployed import find_stack
from caribou.model.errors import InvalidInputError


@pytest.fixture
def settings(monkeypatch, tmp_path):
    """Sets variables of AWS's, in an environment that has no others and no files."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return monkeypatch.setenv


@pytest.mark.parametrize(("name", "value"), [("AWS_PROFILE", "nosuch"), ("AWS_ENDPOINT_URL", "notaurl")])
def test_clients_when_a_setting_can_t_be_used_then_one_message_names_it(settings, name, value):
    """A mistake of the user's, and no traceback of a library's."""
    settings(name, value)
    with pytest.raises(InvalidInputError, match=rf"can't be used.*{value}.*look at AWS_PROFILE"), Aws() as aws:
        aws.ssm("us-east-1")


@pytest.mark.parametrize("call", [lambda aws: aws.account("us-east-1"), lambda aws: find_stack(aws, "s", "us-east-1")])
def test_clients_when_there_are_no_credentials_then_the_message_is_the_same_and_names_both_ways(settings, call):
    """What a newcomer meets first."""
    del settings
    with Aws() as aws, pytest.raises(InvalidInputError, match=r"caribou local up.*local env.*AWS_PROFILE"):
        call(aws)


def test_errors_when_a_client_of_another_kind_finds_no_credentials_then_the_message_is_that_one(settings):
    """The control plane's tables have clients of their own."""
    del settings
    with pytest.raises(InvalidInputError, match=r"AWS credentials: there are none"), aws_errors_as("Collecting"):
        boto3.Session().client("ssm", "us-west-2").get_parameter(Name="/x")


def test_clients_when_the_local_cloud_has_ended_then_the_message_says_so_whoever_asks(settings):
    """A shell still points at it, and no region is to blame."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens there
        port = taken.getsockname()[1]
        for name, value in cloud_at(port).items():
            settings(name, value)
        ended = rf"no local cloud listens.*127.0.0.1:{port}.*caribou local up"
        with Aws() as aws, pytest.raises(InvalidInputError, match=ended):
            find_stack(aws, "s", "us-east-1")
        with pytest.raises(InvalidInputError, match=ended), aws_errors_as("Collecting"):
            boto3.Session().client("ssm", "us-west-2").get_parameter(Name="/x")


@pytest.mark.parametrize("made", [lambda: Aws().logs("us-east-1"), lambda: logs_of("us-east-1")])
def test_logs_when_they_are_throttled_then_the_call_waits_its_turn(settings, monkeypatch, made):
    """A region takes as few as five of these calls a second, and a run's functions are read side by side."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        settings(name, "test")
    waits = []
    monkeypatch.setattr("botocore.endpoint.time.sleep", waits.append)
    answers = [(400, b'{"__type": "ThrottlingException"}')] * 6 + [(200, b'{"events": []}')]
    client = made()
    client.meta.events.register("before-send", lambda request, **_: answer(request.url, *answers.pop(0)))
    assert client.filter_log_events(logGroupName="g")["events"] == []
    assert len(waits) == 6
    assert sum(waits) < 30


def test_logs_when_they_are_throttled_for_ever_then_it_is_an_error(settings, monkeypatch):
    """Somebody waits for it."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        settings(name, "test")
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    with Aws() as aws:
        client = aws.logs("us-east-1")
        throttled = b'{"__type": "ThrottlingException"}'
        client.meta.events.register("before-send", lambda request, **_: answer(request.url, 400, throttled))
        with pytest.raises(client.exceptions.ClientError, match="ThrottlingException"):
            client.filter_log_events(logGroupName="g")


def answer(url, status, body):
    """What a service answers, as botocore has it from the network."""
    raw = io.BytesIO(body)
    raw.stream = lambda **_: iter([body])
    return AWSResponse(url, status, {}, raw)


def cloud_at(port):
    """What a shell has of a local cloud."""
    return {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "000000000000",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_MAX_ATTEMPTS": "1",
    }
