import http.client
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError
from faults import Cut, FaultProxy, Weather
from waiting import BACKSTOP_S

ONCE = Config(retries={"total_max_attempts": 1}, read_timeout=BACKSTOP_S)
IMPATIENT = ONCE.merge(Config(read_timeout=0.5))
"""For a call that never gets an answer."""


class Handler(BaseHTTPRequestHandler):
    """Answers every call of DynamoDB with no tables, and notes it."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        """Answer in chunks if the request asks for it in its body."""
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.seen.append(body)
        answer = b'{"TableNames": []}'
        self.send_response(200)
        if b"chunks" in body:
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"5\r\n" + answer[:5] + b"\r\n" + b"d\r\n" + answer[5:] + b"\r\n0\r\n\r\n")
        else:
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def server():
    """A server on loopback; `seen` has the bodies of the requests that came to it."""
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.seen = []
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def proxy(server):
    """A proxy in front of the server."""
    with FaultProxy.start(seed=1) as proxy:
        proxy.lead_to(f"http://127.0.0.1:{server.server_port}")
        yield proxy


def list_tables(proxy, region, service="dynamodb", config=ONCE):
    """A call of DynamoDB through the proxy; its client is closed."""
    session = boto3.Session(aws_access_key_id="1", aws_secret_access_key="2", region_name=region)
    client = session.client(service, endpoint_url=proxy.settings()["AWS_ENDPOINT_URL"], config=config)
    try:
        return client.list_tables()["TableNames"] if service == "dynamodb" else client.list_topics()
    finally:
        client.close()


def test_proxy_when_the_weather_is_fine_then_calls_pass_and_the_observer_gets_them(proxy, server):
    """What comes back is the server's answer; the call's region and service are read from its signature."""
    calls = []
    proxy.observe(calls.append)

    assert list_tables(proxy, "eu-west-1") == []

    assert [(call.region, call.service, call.method) for call in calls] == [("eu-west-1", "dynamodb", "POST")]
    assert calls[0].body == server.seen[0]


@pytest.mark.parametrize(
    ("cut", "error"),
    [(Cut.REFUSED, ConnectionClosedError), (Cut.SILENT, ReadTimeoutError), (Cut.UNAVAILABLE, ClientError)],
)
def test_proxy_when_a_region_is_cut_off_then_its_calls_fail_undone_and_others_pass(proxy, server, cut, error):
    """A call of the region never comes to the server."""
    proxy.weather = Weather(cut={"eu-west-1": cut})

    with pytest.raises(error):
        list_tables(proxy, "eu-west-1", config=IMPATIENT if cut is Cut.SILENT else ONCE)

    assert server.seen == []
    assert list_tables(proxy, "us-east-1") == []
    assert proxy.counts[cut.value] == 1


@pytest.mark.parametrize(("service", "code"), [("dynamodb", "ThrottlingException"), ("sns", "Throttling")])
def test_proxy_when_it_throttles_then_the_service_says_so_in_its_own_way(proxy, server, service, code):
    """boto3 reads the error code, and nothing is done."""
    proxy.weather = Weather(throttled=1.0)

    with pytest.raises(ClientError) as raised:
        list_tables(proxy, "us-east-1", service)

    assert raised.value.response["Error"]["Code"] == code
    assert server.seen == []


def test_proxy_when_a_call_is_unanswered_then_it_is_done_all_the_same(proxy, server):
    """The caller can't know: the doubtful case."""
    proxy.weather = Weather(unanswered=1.0)

    with pytest.raises(ConnectionClosedError):
        list_tables(proxy, "us-east-1")

    assert len(server.seen) == 1


def test_proxy_when_a_body_comes_in_chunks_or_after_a_question_then_it_passes_whole(proxy, server):
    """Two requests on one connection, the first with `Expect: 100-continue`, its answer in chunks."""
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=BACKSTOP_S)
    try:
        for body, headers in (("chunks", {"Expect": "100-continue"}), ("plain", {})):
            connection.request("POST", "/", body, headers)
            assert json.loads(connection.getresponse().read()) == {"TableNames": []}
    finally:
        connection.close()

    assert server.seen == [b"chunks", b"plain"]
