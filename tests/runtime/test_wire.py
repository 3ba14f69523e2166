"""What the runtime's own clients make of what comes over the wire, call by call and class by class."""

import json

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError, ReadTimeoutError
from botocore.retries.standard import ThrottledRetryableChecker, TransientRetryableChecker
from builders import graph_of
from refusals import ANSWERS, MISTAKES, SERVICE_OF, Refusal, answer, is_users

from caribou.model.errors import UnreachableError
from caribou.model.names import WorkflowNames
from caribou.model.run.envelope import Pointer, Run, StoredPayload
from caribou.model.run.item import FailedEvent, Parked, RunItem, RunState
from caribou.model.run_settings import RunSettings
from caribou.runtime.aws import aws_ports
from caribou.runtime.clients import Clients
from caribou.runtime.settings import Settings

HOME, AWAY = "us-east-1", "us-west-2"
ONCE = Config(retries={"mode": "standard", "total_max_attempts": 1})
XML = {
    "sns": "<ErrorResponse><Error><Type>Sender</Type><Code>{}</Code><Message>m</Message></Error></ErrorResponse>",
    "s3": "<Error><Code>{}</Code><Message>m</Message></Error>",
}


class Raw:
    """The body of an answer."""

    def __init__(self, body):
        self._body = body

    def stream(self, *_args, **_kwargs):
        """All of it at once."""
        yield self._body

    def read(self, *_args, **_kwargs):
        """All of it, once."""
        body, self._body = self._body, b""
        return body


class Wire:
    """A session with nothing behind it: each call gets `reply` (state, body, the length that is said), or raises it."""

    def __init__(self):
        self.reply = 200, b""
        self.session = boto3.Session(aws_access_key_id="1", aws_secret_access_key="2", region_name=HOME)
        self.session.events.register("before-send", self._answer)

    def refuses(self, service, code, status):
        """Answer as a service does that refuses a call."""
        if service in XML:
            self.reply = status, XML[service].format(code).encode()
        else:
            self.reply = status, json.dumps({"__type": f"com.amazonaws.{service}#{code}", "message": "m"}).encode()

    def _answer(self, request, **_):
        if isinstance(self.reply, Exception):
            raise self.reply
        status, body, *said = self.reply
        length = said[0] if said else len(body)
        return AWSResponse(request.url, status, {"content-length": str(length)}, Raw(body))


ACCOUNT = "123456789012"
NAMES = WorkflowNames(graph_of({"a": "b"}).workflow, "test")


@pytest.fixture(scope="module")
def wire():
    """One for all, since clients take long to make."""
    return Wire()


@pytest.fixture(scope="module")
def made(wire):
    """The clients of a function, on that wire."""
    return Clients(wire.session, ONCE, home_region=HOME)


@pytest.fixture
def ports(made):
    """The ports of a function; no region is known to be silent."""
    made.ask_all_again()
    graph = graph_of({"a": "b"})
    settings = Settings(graph, "a", HOME, AWAY, "test", RunSettings(0.0, 1000, 3600, deduplicate=True))
    return aws_ports(settings, partition="aws", account=ACCOUNT, clients=made)


RUN = Run("run", "0.0.1", "graph", "placement", {}, 0.0, 1.0)
FAILED = RunItem(RUN, frozenset("b"), RunState.FAILED, ended_at=2.0, failed_node="b", error="E: e")
PARKED = Parked("run", "b", 0, "{}", "reason")
CALLS = {
    "bus.publish": lambda ports, region: ports.bus.publish(region, "b", "text"),
    "claims.claim": lambda ports, region: ports.claims.claim(region, "run", "b", "owner", 0),
    "claims.claimed": lambda ports, region: ports.claims.claimed(region, "run", "b"),
    "claims.stop": lambda ports, region: ports.claims.stop(region, "run", "b"),
    "syncs.put_payload": lambda ports, region: ports.syncs.put_payload(region, "run", "b", "a#0", StoredPayload("1")),
    "syncs.report": lambda ports, region: ports.syncs.report(region, "run", "b", "a#0", taken=True),
    "syncs.read": lambda ports, region: ports.syncs.read(region, "run", "b"),
    "payloads.put": lambda ports, region: ports.payloads.put(region, "key", "text"),
    "payloads.get": lambda ports, region: ports.payloads.get(
        Pointer(region, NAMES.payload_bucket(ACCOUNT, region), "key", "0" * 64, 1)
    ),
    "failures.receive": lambda ports, region: ports.failures.receive(region, "b"),
    "failures.set_aside": lambda ports, region: ports.failures.set_aside(_event(region)),
    "failures.delete": lambda ports, region: ports.failures.delete(_event(region)),
}
HOME_CALLS = {
    "runs.begin": lambda ports: ports.runs.begin(RUN, frozenset({"b"})),
    "runs.end_leaves": lambda ports: ports.runs.end_leaves("run", ("b",)),
    "runs.succeed": lambda ports: ports.runs.succeed("run", 1.0),
    "runs.fail": lambda ports: ports.runs.fail("run", 1.0, "b", "error"),
    "runs.expire": lambda ports: ports.runs.expire("run", 1.0),
    "runs.reopen": lambda ports: ports.runs.reopen("run", 1.0),
    "runs.halt": lambda ports: ports.runs.halt("run", 1.5),
    "runs.cancel": lambda ports: ports.runs.cancel("run", 1.5),
    "runs.close": lambda ports: ports.runs.close("run"),
    "runs.get": lambda ports: ports.runs.get("run"),
    "runs.listed": lambda ports: ports.runs.listed(),
    "runs.notified": lambda ports: ports.runs.notified("run", 1.0),
    "notifier.notify": lambda ports: ports.notifier.notify((FAILED,)),
    "parking.park": lambda ports: ports.parking.park(PARKED),
    "parking.parked": lambda ports: ports.parking.parked("run"),
    "parking.unpark": lambda ports: ports.parking.unpark(PARKED),
}
NOTHING_THERE = {("claims.claimed", "ResourceNotFoundException"), ("claims.stop", "ResourceNotFoundException")}
"""What is an answer: a region that is retired has no claims."""
EVERY = [(call, region) for call in CALLS for region in (AWAY, HOME)] + [(call, HOME) for call in HOME_CALLS]


def _event(region):
    return FailedEvent(region, "b", "{}", "m-1", None, "", "handle")


def _do(ports, call, region):
    return CALLS[call](ports, region) if call in CALLS else HOME_CALLS[call](ports)


def _service(call):
    return SERVICE_OF[call.partition(".")[0]]


@pytest.mark.parametrize(("call", "region"), EVERY)
def test_call_when_a_region_refuses_it_then_home_or_a_later_try_takes_it_or_it_is_the_users_fault(
    ports, wire, call, region
):
    """Every call of every port, with all answers of its own service: away nothing is a user's fault."""
    service, wrong = _service(call), []
    for refusal, answers in ANSWERS.items():
        for code, status in answers[service]:
            wire.refuses(service, code, status)
            if (call, code) in NOTHING_THERE:
                assert _do(ports, call, region) is None
                continue
            with pytest.raises((UnreachableError, ClientError)) as raised:
                _do(ports, call, region)
            if isinstance(raised.value, ClientError) is not is_users(refusal, region, HOME):
                wrong.append((code, status, raised.value))
    assert not wrong


@pytest.mark.parametrize(("call", "region"), EVERY)
def test_call_when_its_answer_is_none_of_the_services_then_a_region_does_not_take_it(ports, wire, call, region):
    """Of a load balancer before a service that is down, say, or no answer: no user's fault, at home neither."""
    page = b"<html><body>Bad Gateway</body></html>"
    for wire.reply in ((503, b"upstream connect error"), (502, page), (503, b""), ReadTimeoutError(endpoint_url="u")):
        with pytest.raises(UnreachableError):
            _do(ports, call, region)


@pytest.mark.parametrize(("call", "region"), EVERY)
def test_call_when_it_is_wrong_itself_then_it_is_the_users_fault_everywhere(ports, wire, call, region):
    """No other region would take it."""
    for code, status in MISTAKES[_service(call)]:
        wire.refuses(_service(call), code, status)
        with pytest.raises(ClientError):
            _do(ports, call, region)


def test_payload_when_it_breaks_off_then_a_later_try_may_have_it(ports, wire):
    """Fewer bytes came than were said."""
    wire.reply = 200, b"half", 100
    with pytest.raises(UnreachableError):
        CALLS["payloads.get"](ports, AWAY)


@pytest.mark.parametrize(
    "code",
    sorted({*ThrottledRetryableChecker._THROTTLED_ERROR_CODES, *TransientRetryableChecker._TRANSIENT_ERROR_CODES}),
)
@pytest.mark.parametrize("region", [HOME, AWAY])
def test_code_when_botocore_would_try_again_then_so_do_we(made, region, code):
    """What botocore knows to pass by is no user's fault."""
    with pytest.raises(UnreachableError), made.reaching(region):
        raise answer(code, 400)


def test_calls_when_listed_then_they_are_all_that_the_ports_have(ports):
    """A call that is added to a port is tried here too."""
    there = {
        f"{name}.{method}"
        for name in SERVICE_OF
        for method in dir(getattr(ports, name))
        if not method.startswith("_") and callable(getattr(getattr(ports, name), method))
    }
    assert there == {*CALLS, *HOME_CALLS}
    assert set(ANSWERS) | {Refusal.SILENT, Refusal.UNCONNECTED, Refusal.GARBLED} == set(Refusal)
