"""Counting what user code moves through its default boto3 session."""

import io
import threading

import boto3
import pytest

from caribou.runtime.external import ExternalBytes

SIZE = 3_000_000


@pytest.fixture
def counter(monkeypatch):
    """A counter of a fresh default session."""
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    return ExternalBytes.of_default_session()


@pytest.fixture
def s3(counter, local_cloud, monkeypatch):
    """User code's S3, with a bucket in it."""
    del counter
    for name, value in local_cloud.env().items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3", region_name="us-east-1")
    client.create_bucket(Bucket="external-bytes")
    return client


def _counted(counter, call):
    """What one call moved."""
    before = counter.total()
    call()
    return counter.total() - before


def _read(s3):
    return s3.get_object(Bucket="external-bytes", Key="a")["Body"].read()


class _Request:
    """A request as botocore hands it to `before-send`."""

    def __init__(self, **headers):
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def _emit(event, **arguments):
    boto3.DEFAULT_SESSION.events.emit(event, **arguments)


def test_bytes_when_a_body_is_sent_then_its_length_counts(counter):
    """Headers of any case give the size of a body."""
    _emit("before-send.s3.PutObject", request=_Request(Content_Length="7"))
    assert counter.total() == 7


def test_bytes_when_an_upload_is_chunked_then_its_decoded_length_counts(counter):
    """Uploads with a checksum at their end give the body's size in another header."""
    request = _Request(transfer_encoding="chunked", X_Amz_Decoded_Content_Length="100")
    _emit("before-send.s3.PutObject", request=request)
    assert counter.total() == 100


def test_bytes_when_a_response_comes_then_its_length_counts_but_that_of_a_head_does_not(counter):
    """A HEAD response gives the length of a body that does not come: downloads ask for it first."""
    answer = {"headers": {"content-length": "50"}}
    _emit("response-received.s3.GetObject", response_dict=answer, parsed_response={}, exception=None)
    _emit("response-received.s3.HeadObject", response_dict=answer, parsed_response={}, exception=None)
    _emit("response-received.s3.GetObject", response_dict=None, parsed_response=None, exception=OSError())
    assert counter.total() == 50


def test_bytes_when_transfers_run_on_threads_then_none_is_lost(counter):
    """Large objects travel on several threads."""
    request = _Request(content_length="1")

    def send():
        for _ in range(500):
            _emit("before-send.s3.PutObject", request=request)

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter.total() == 2000


@pytest.mark.local_cloud
def test_bytes_when_an_object_is_put_and_got_then_both_ways_count(counter, s3):
    """Both ways count, a little more than the object for what the service says around it."""
    put = _counted(counter, lambda: s3.put_object(Bucket="external-bytes", Key="a", Body=b"x" * SIZE))
    got = _counted(counter, lambda: _read(s3))
    assert SIZE <= put < SIZE + 2000
    assert SIZE <= got < SIZE + 2000


@pytest.mark.local_cloud
def test_bytes_when_an_object_is_transferred_in_parts_then_each_part_counts_once(counter, s3):
    """Uploads in parts, and downloads, which ask for the size first."""
    part = boto3.s3.transfer.TransferConfig(multipart_threshold=1, multipart_chunksize=5 * 1024 * 1024)
    size = 12 * 1024 * 1024
    body = io.BytesIO(b"x" * size)
    put = _counted(counter, lambda: s3.upload_fileobj(body, "external-bytes", "large", Config=part))
    got = _counted(counter, lambda: s3.download_fileobj("external-bytes", "large", io.BytesIO(), Config=part))
    assert size <= put < size + 20_000
    assert size <= got < size + 20_000


@pytest.mark.local_cloud
def test_bytes_when_another_session_moves_them_then_they_do_not_count(counter, s3):
    """The runtime's own traffic isn't user code's."""
    s3.put_object(Bucket="external-bytes", Key="a", Body=b"x" * SIZE)
    other = boto3.Session().client("s3", region_name="us-east-1")
    assert _counted(counter, lambda: _read(other)) == 0
