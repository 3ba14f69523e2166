"""What user code exchanges with services outside, by endpoint."""

import io
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
import botocore.session
import pytest
from botocore import handlers
from botocore.config import Config

from caribou.runtime.clients import Clients
from caribou.runtime.external import MOST_ENDPOINTS, OTHERS, Endpoint, Exchange, ExternalCalls, exchanged

SIZE = 3_000_000
BUCKET = "photos"


@pytest.fixture
def calls(monkeypatch):
    """A meter of all sessions that are made from now on."""
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    monkeypatch.setattr(handlers, "BUILTIN_HANDLERS", list(handlers.BUILTIN_HANDLERS))
    return ExternalCalls.of_all_sessions()


class _S3(BaseHTTPRequestHandler):
    """An S3 that answers what the test wants, after the delay that it wants."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self._answer(self.server.body)

    def do_PUT(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(b"")

    def _answer(self, body):
        time.sleep(self.server.delay_s)
        self.server.all_here.wait()
        self.send_response(next(self.server.statuses))
        self.send_header("Content-Length", str(len(body)))
        self.send_header("x-amz-bucket-region", self.server.region)
        self.end_headers()
        self.wfile.write(body[:1])
        time.sleep(self.server.delay_s if body else 0)
        self.wfile.write(body[1:])

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def server():
    """An S3 on loopback; `delay_s` before the head of an answer, and again before the rest of its body."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _S3)
    server.region, server.delay_s, server.body = "eu-west-1", 0.0, b"x" * 1000
    server.statuses, server.all_here = iter(lambda: 200, None), threading.Barrier(1)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def s3_of(server, monkeypatch):
    """Makes an S3 client of a session that speaks to the server."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")

    def client(session, **config):
        return session.client(
            "s3",
            region_name="us-east-1",
            endpoint_url=f"http://127.0.0.1:{server.server_port}",
            config=Config(
                s3={"addressing_style": "path"},
                request_checksum_calculation="when_required",
                retries={"mode": "standard", "total_max_attempts": 2},
                **config,
            ),
        )

    return client


def _put(client, size=500):
    client.put_object(Bucket=BUCKET, Key="a", Body=b"y" * size)


def _read(client, bucket="external-bytes"):
    return client.get_object(Bucket=bucket, Key="a")["Body"].read()


def _only(calls):
    ((endpoint, exchange),) = calls.totals().items()
    return endpoint, exchange


def test_exchange_when_an_object_is_put_and_read_then_region_calls_and_bytes_each_way_are_known(calls, s3_of):
    """The bucket's own region, which S3 says, not the client's."""
    client = s3_of(boto3.Session())
    _put(client)
    client.get_object(Bucket=BUCKET, Key="a")["Body"].read()
    endpoint, exchange = _only(calls)
    assert endpoint == Endpoint("s3", "eu-west-1", "127.0.0.1")
    assert exchange[:4] == (2, 2, 500, 1000)


def test_exchange_when_the_service_is_slow_then_its_seconds_count_those_of_reading_a_body_too(calls, s3_of, server):
    """User code reads the body after the call has returned."""
    client, server.delay_s = s3_of(boto3.Session()), 0.2
    client.get_object(Bucket=BUCKET, Key="a")["Body"].read()
    _, exchange = _only(calls)
    assert exchange.seconds >= 0.4
    assert exchange.busy_s == pytest.approx(exchange.seconds)


def test_exchange_when_a_connection_is_new_or_kept_then_its_round_trips_say_so(calls, s3_of):
    """Two handshakes, and one to be answered: the second call has the first one's connection."""
    client = s3_of(boto3.Session())
    trips = []
    for _ in range(2):
        _read(client)
        trips.append(_only(calls)[1].round_trips)
    assert trips == [3, 3 + 1]


def test_exchange_when_it_asks_before_its_body_then_that_is_a_round_trip(calls, s3_of):
    """S3's uploads do."""
    client = s3_of(boto3.Session())
    _read(client)
    _put(client)
    assert _only(calls)[1].round_trips == 3 + 2


def test_exchange_when_a_try_fails_then_the_call_has_two_attempts(calls, s3_of, server):
    """And the bytes of both were sent."""
    server.statuses = iter([503, 200])
    _put(s3_of(boto3.Session()))
    _, exchange = _only(calls)
    assert (exchange.calls, exchange.attempts, exchange.bytes_out) == (1, 2, 1000)


def test_exchange_when_no_try_succeeds_then_the_call_counts_all_the_same(calls, s3_of, server):
    """It took time, and its bytes travelled."""
    server.statuses = iter([503, 503])
    client = s3_of(boto3.Session())
    with pytest.raises(client.exceptions.ClientError):
        _put(client)
    _, exchange = _only(calls)
    assert (exchange.calls, exchange.attempts) == (1, 2)


@pytest.mark.parametrize("session", [boto3, boto3.Session, botocore.session.Session])
def test_exchange_when_another_session_makes_it_then_it_counts(calls, s3_of, session):
    """boto3's default one, one that user code makes, and botocore's."""
    if session is botocore.session.Session:
        session = type("Session", (), {"client": lambda _, *a, **k: botocore.session.Session().create_client(*a, **k)})
    _put(s3_of(session if session is boto3 else session()))
    assert _only(calls)[1].calls == 1


def test_exchange_when_our_own_client_makes_it_then_it_does_not_count(calls, server, monkeypatch):
    """What the runtime moves is no external data of user code's."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    _put(Clients.deployed("us-east-1").s3("us-east-1"))
    assert calls.totals() == {}


def test_exchange_when_calls_run_side_by_side_then_busy_seconds_are_those_in_which_one_went_on(calls, s3_of, server):
    """Four calls that are all answered once all have come."""
    client, server.all_here = s3_of(boto3.Session()), threading.Barrier(4)
    threads = [threading.Thread(target=_put, args=(client,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    _, exchange = _only(calls)
    assert exchange.calls == 4
    assert 0 < exchange.busy_s < exchange.seconds


def test_busy_seconds_when_stretches_overlap_then_each_moment_counts_once():
    """However they lie, in the order of their ends."""
    clock = iter([1.0, 3.0, 4.0, 4.0, 9.0])
    calls, endpoint = ExternalCalls(lambda: next(clock)), Endpoint("s3", None, "")
    for begun_s in (0.0, 2.0, 0.5, 3.5, 8.0):
        calls._add(endpoint, begun_s, Exchange())
    exchange = calls.totals()[endpoint]
    assert exchange.busy_s == 5.0  # 0 to 4, 8 to 9
    assert exchange.seconds == 1.0 + 1.0 + 3.5 + 0.5 + 1.0


def test_record_when_there_are_many_endpoints_then_the_largest_stand_alone_and_the_rest_together():
    """A record stays small whatever user code asks."""
    after = {Endpoint("s3", "us-east-1", f"b{i}"): Exchange(1, 1, i, 0, 1.0, 1.0) for i in range(MOST_ENDPOINTS + 3)}
    *alone, rest = exchanged({}, after)
    assert [row.host for row in alone] == [f"b{i}" for i in reversed(range(3, MOST_ENDPOINTS + 3))]
    assert (rest.service, rest.region, rest.calls, rest.bytes_out) == (OTHERS.service, None, 3, 0 + 1 + 2)


def test_exchange_when_a_process_calls_ever_new_hosts_then_they_are_added_up_from_some_number_on():
    """The meter lives as long as the process."""
    calls = ExternalCalls(lambda: 0.0)
    for i in range(1000):
        calls._add(Endpoint("s3", "us-east-1", f"b{i}"), 0.0, Exchange(calls=1))
    assert len(calls.totals()) <= 201
    assert calls.totals()[OTHERS].calls == 800


def test_record_when_nothing_was_exchanged_since_then_it_has_no_endpoint():
    """The meter is the process's, the record an execution's."""
    before = {Endpoint("s3", "us-east-1", "b"): Exchange(1, 1, 10, 20, 1.0, 1.0)}
    after = {Endpoint("s3", "us-east-1", "b"): Exchange(2, 3, 15, 20, 1.5, 1.5)}
    assert exchanged(before, before) == ()
    (row,) = exchanged(before, after)
    assert (row.calls, row.attempts, row.bytes_out, row.bytes_in, row.seconds) == (1, 2, 5, 0, 0.5)


@pytest.fixture
def cloud_s3(calls, local_cloud, monkeypatch):
    """User code's S3 on the local cloud, with a bucket in it."""
    del calls
    for name, value in local_cloud.env().items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3", region_name="us-east-1")
    client.create_bucket(Bucket="external-bytes")
    return client


def _moved(calls, call):
    """Bytes both ways that one call moved."""
    before = calls.totals()
    call()
    return sum(row.bytes_in + row.bytes_out for row in exchanged(before, calls.totals()))


@pytest.mark.local_cloud
def test_bytes_when_an_object_is_put_and_got_then_both_ways_count(calls, cloud_s3):
    """Uploads with a checksum at their end give the body's size in another header."""
    put = _moved(calls, lambda: cloud_s3.put_object(Bucket="external-bytes", Key="a", Body=b"x" * SIZE))
    got = _moved(calls, lambda: _read(cloud_s3))
    assert SIZE <= put < SIZE + 2000
    assert SIZE <= got < SIZE + 2000


@pytest.mark.local_cloud
def test_bytes_when_an_object_is_transferred_in_parts_then_each_part_counts_once(calls, cloud_s3):
    """Uploads in parts, and downloads, which ask for the size first: a HEAD says that of a body that does not come."""
    part = boto3.s3.transfer.TransferConfig(multipart_threshold=1, multipart_chunksize=5 * 1024 * 1024)
    size = 12 * 1024 * 1024
    body = io.BytesIO(b"x" * size)
    put = _moved(calls, lambda: cloud_s3.upload_fileobj(body, "external-bytes", "large", Config=part))
    got = _moved(calls, lambda: cloud_s3.download_fileobj("external-bytes", "large", io.BytesIO(), Config=part))
    assert size <= put < size + 20_000
    assert size <= got < size + 20_000
