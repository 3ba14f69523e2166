"""Samples that are wrong: one message, before anything is put into S3."""

import json
import shutil
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from caribou.cli.main import main
from caribou.cli.samples import json_value
from caribou.control.aws import Aws
from caribou.model.errors import InvalidInputError

REPOSITORY = Path(__file__).resolve().parents[2]
GOOD = {"file": "a.txt", "bucket": "caribou-dev-texts-${account}-${home_region}", "key": "input/a.txt"}
BUCKET = "caribou-dev-texts-111122223333-us-east-1"
ODD, THERE = "caribou-dev-a..b-111122223333-us-east-1", "caribou-dev-there-111122223333-us-east-1"


class FakeS3:
    """Takes everything, but for buckets that it refuses with a code."""

    def __init__(self):
        self.done, self.refused = [], {}

    def list_buckets(self):
        """None."""
        return {"Buckets": [{"Name": THERE}]}

    def create_bucket(self, **given):
        """Make one."""
        if given["Bucket"] in self.refused:
            raise ClientError({"Error": {"Code": self.refused[given["Bucket"]]}}, "CreateBucket")
        self.done.append(("create", given["Bucket"]))

    def put_object(self, **given):
        """Put one."""
        self.done.append(("put", given["Bucket"], given["Key"], given["ContentType"]))


@pytest.fixture
def samples(tmp_path, monkeypatch):
    """The samples' folder of a workflow in a project, which is the current folder."""
    folder = REPOSITORY / "workflows" / "small_sync_example"
    copy = tmp_path / "workflows" / folder.name
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "cdk.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    (copy / "samples" / "a.txt").write_text("a")
    (tmp_path / "workflows" / "neighbour").mkdir()
    return copy / "samples"


@pytest.fixture
def s3(monkeypatch):
    """The S3 that the command sees."""
    fake = FakeS3()
    monkeypatch.setattr(Aws, "s3", lambda *_: fake)
    monkeypatch.setattr(Aws, "account", lambda *_: "111122223333")
    return fake


def caribou(*arguments):
    """Give a command in this process; its exit code."""
    try:
        main(arguments)
    except SystemExit as exit_:
        return exit_.code
    return 0


def test_upload_samples_when_the_listing_is_right_then_buckets_are_made_once_and_before_objects(samples, s3, capsys):
    """One that is there is not made."""
    entries = [GOOD, {**GOOD, "key": "b"}, {**GOOD, "bucket": THERE}]
    (samples / "objects.json").write_text(json.dumps(entries))
    assert caribou("upload_samples", "small_sync_example") == 0
    assert s3.done == [
        ("create", BUCKET),
        ("put", BUCKET, "input/a.txt", "text/plain"),
        ("put", BUCKET, "b", "text/plain"),
        ("put", THERE, "input/a.txt", "text/plain"),
    ]
    assert f"a.txt -> s3://{BUCKET}/b" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("listing", "message"),
    [
        ("{", "objects.json: is not JSON"),
        ("[" * 60_000, "objects.json: is nested too deeply"),
        (b"\xff", "objects.json:1: is not UTF-8 text"),
        (GOOD, "objects.json: is no list (found: {'bucket': "),
        (3, "objects.json: is no list (found: 3). To fix: write a list of {file, bucket, key}"),
        ([GOOD, "a.txt"], "objects.json: entry 2: is no object (found: 'a.txt')"),
        ([GOOD, {"file": "a.txt", "bucket": "b"}], "objects.json: entry 2: has no text `key`"),
        ([{**GOOD, "bucket": 3}], "entry 1: has no text `bucket`"),
        ([{**GOOD, "file": ""}], "entry 1: has no text `file`"),
        ([{**GOOD, "key": "\ud800"}], "entry 1: has no text `key`"),
        ([{**GOOD, "key": "é" * 513}], "entry 1: is too long a key"),
        ([GOOD, {**GOOD, "file": "b.txt"}], "entry 2: names a file that can't be read: No such file or directory"),
        ([GOOD, {**GOOD, "file": "."}], "entry 2: names a file that can't be read: it is no file (found: .)"),
        ([GOOD, {**GOOD, "file": "../app.py"}], "entry 2: names a file that can't be read: it is outside of samples/"),
        ([GOOD, {**GOOD, "file": "/dev/zero"}], "entry 2: names a file that can't be read: it is outside of samples/"),
        ([GOOD, {**GOOD, "file": "a\0"}], "entry 2: names a file that can't be read: embedded null byte"),
        *(
            ([GOOD, {**GOOD, "bucket": bucket}], f"entry 2: is no bucket for samples (found: {bucket})")
            for bucket in (
                *("My_Bucket", "caribou-dev-${region}", "production-data", BUCKET.replace("texts", "Texts")),
                *(BUCKET.replace("us-east-1", "us-west-2"), BUCKET.replace("1111", "2222"), f"x-{BUCKET}"),
                *(BUCKET.replace("texts", name) for name in ("placements", "small-sync-example", "neighbour")),
            )
        ),
    ],
)
def test_upload_samples_when_the_listing_is_wrong_then_is_one_message_and_nothing_is_done(
    samples, s3, capsys, listing, message
):
    """Exit code 2; entries before the wrong one are not put into S3 either."""
    text = listing if isinstance(listing, str | bytes) else json.dumps(listing)
    (samples / "objects.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    assert caribou("upload_samples", "small_sync_example") == 2
    assert message in capsys.readouterr().err
    assert s3.done == []


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("InvalidBucketName", (2, "entry 1: is no name for a bucket (found: caribou-dev-a..b-111122223333-us-east-1)")),
        ("BucketAlreadyExists", (1, "Look at whether the bucket's name is taken by another account")),
    ],
)
def test_upload_samples_when_s3_refuses_a_bucket_then_says_whose_mistake_it_is(samples, s3, capsys, code, expected):
    """Its rules for names are more than ours."""
    (samples / "objects.json").write_text(json.dumps([{**GOOD, "bucket": ODD}]))
    s3.refused[ODD] = code
    assert caribou("upload_samples", "small_sync_example") == expected[0]
    assert expected[1] in capsys.readouterr().err
    assert s3.done == []


@pytest.mark.usefixtures("samples")
@pytest.mark.parametrize(
    ("argument", "message"), [("[" * 60_000, "-a: is nested too deeply (found: '[[["), ("{", "-a: is not JSON")]
)
def test_run_when_the_payload_is_no_json_then_is_one_message(capsys, argument, message):
    """Exit code 2, before AWS is asked."""
    assert caribou("run", "small_sync_example", "-a", argument) == 2
    assert message in capsys.readouterr().err


def test_json_value_when_it_is_nested_as_people_do_then_is_read():
    """Depth alone is no mistake."""
    assert json.dumps(json_value("[" * 100 + "]" * 100, where="-a")) == "[" * 100 + "]" * 100
    with pytest.raises(InvalidInputError, match="-a: is nested too deeply"):
        json_value("[" * 60_000 + "]" * 60_000, where="-a")
