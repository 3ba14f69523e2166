"""A workflow's sample inputs, `workflows/<name>/samples/` (see docs/samples.md): placeholders, and objects in S3."""

from __future__ import annotations

import json
import mimetypes
import re
import reprlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from caribou.cli.sample_buckets import refuse_others_bucket
from caribou.control.aws import error_code
from caribou.model.errors import InvalidInputError
from caribou.model.project.workflow import Workflow
from caribou.model.schema.text_files import read_text_file

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SAMPLES = "samples"
_LISTING = "objects.json"
_MEMBERS = ("file", "bucket", "key")
_BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_KEY_BYTES = 1024


@dataclass(frozen=True, slots=True)
class SampleObject:
    """An entry of `objects.json`: a file of the samples, and where it belongs in S3. `where` names the entry."""

    where: str
    file: str
    bucket: str
    key: str


@dataclass(frozen=True, slots=True)
class Samples:
    """The samples of a workflow, seen from an account."""

    workflow: Workflow
    account: str

    @property
    def folder(self) -> Path:
        """Where they are."""
        return self.workflow.folder / SAMPLES

    def payload(self, name: str = "input.json") -> Any:  # noqa: ANN401 - any JSON value
        """The payload in a file of the samples, its placeholders filled."""
        return self.read(self.folder / name)

    def read(self, path: Path) -> Any:  # noqa: ANN401 - any JSON value
        """The JSON value in a file, its placeholders filled. Raises InvalidInputError."""
        return json_value(self.filled(read_text(path)), where=str(path))

    def filled(self, text: str) -> str:
        """A text with `${account}` and `${home_region}` filled."""
        home = self.workflow.manifest.home_region
        return text.replace("${account}", self.account).replace("${home_region}", home)

    def objects(self) -> list[SampleObject]:
        """What `objects.json` names, each with a file that can be read. Raises InvalidInputError."""
        listing = self.folder / _LISTING
        if not listing.is_file():
            return []
        entries = self.read(listing)
        if not isinstance(entries, list):
            raise InvalidInputError(
                "is no list", where=str(listing), found=reprlib.repr(entries), fix="write a list of {file, bucket, key}"
            )
        return [self._object(entry, f"{listing}: entry {i}") for i, entry in enumerate(entries, 1)]

    def upload(self, s3: S3Client) -> list[tuple[str, str]]:
        """Put what the samples' `objects.json` names into home's S3, and make the buckets that are missing.

        Returns each file with the address that it has in S3. Raises InvalidInputError before anything is put there.
        """
        objects = self.objects()
        if not objects:
            return []
        home = self.workflow.manifest.home_region
        present = {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}
        missing = {entry.bucket: entry for entry in objects if entry.bucket not in present}
        for entry in missing.values():
            if _BUCKET_NAME.fullmatch(entry.bucket) is None:
                raise _no_bucket_name(entry)
        for entry in missing.values():
            _make_bucket(s3, entry, home)
        for entry in objects:
            content_type = mimetypes.guess_type(entry.file)[0] or "application/octet-stream"
            content = (self.folder / entry.file).read_bytes()
            s3.put_object(
                Bucket=entry.bucket,
                Key=entry.key,
                Body=content,
                ContentType=content_type,
                ExpectedBucketOwner=self.account,
            )
        return [(entry.file, f"s3://{entry.bucket}/{entry.key}") for entry in objects]

    def _object(self, entry: Any, where: str) -> SampleObject:  # noqa: ANN401 - any JSON value
        if not isinstance(entry, dict):
            raise InvalidInputError(
                "is no object", where=where, found=reprlib.repr(entry), fix="write {file, bucket, key}"
            )
        for member in _MEMBERS:
            value = entry.get(member)
            if not _is_text(value):
                raise InvalidInputError(
                    f"has no text `{member}`", where=where, found=reprlib.repr(entry), fix="write one"
                )
        found = SampleObject(where, *(entry[member] for member in _MEMBERS))
        if len(found.key.encode()) > _KEY_BYTES:
            raise InvalidInputError(
                "is too long a key", where=where, found=f"{found.key[:60]}…", fix=f"use up to {_KEY_BYTES} bytes"
            )
        refuse_others_bucket(found.bucket, where, self.workflow, self.account)
        if (why := _unreadable(self.folder, found.file)) is not None:
            raise InvalidInputError(
                f"names a file that can't be read: {why}", where=where, found=found.file, fix="name one in samples/"
            )
        return found


def _unreadable(folder: Path, file: str) -> str | None:
    """Why a file of the samples can't be uploaded; None if it can. Nothing outside the folder leaves this machine."""
    try:
        path = (folder / file).resolve(strict=True)
        if not path.is_relative_to(folder.resolve()):
            return "it is outside of samples/"
        if not path.is_file():  # a pipe would be waited for, a device never ends
            return "it is no file"
        path.open("rb").close()
    except (OSError, ValueError, RuntimeError) as error:
        return error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return None


def _make_bucket(s3: S3Client, entry: SampleObject, region: str) -> None:
    try:
        if region == "us-east-1":  # the one region that may not be named
            s3.create_bucket(Bucket=entry.bucket)
        else:
            where: Any = {"LocationConstraint": region}
            s3.create_bucket(Bucket=entry.bucket, CreateBucketConfiguration=where)
    except ClientError as error:
        if error_code(error) == "InvalidBucketName":
            raise _no_bucket_name(entry) from error
        raise


def _no_bucket_name(entry: SampleObject) -> InvalidInputError:
    return InvalidInputError(
        "is no name for a bucket",
        where=entry.where,
        found=entry.bucket,
        fix="use 3 to 63 lower-case letters, digits, `-` and `.`, with a letter or digit at both ends",
    )


def _is_text(value: Any) -> bool:  # noqa: ANN401 - any JSON value
    """Whether a JSON value is a text, not empty, and Unicode: JSON can write half a character."""
    return isinstance(value, str) and value != "" and value.encode(errors="ignore").decode() == value


def argument_text(argument: str) -> str:
    """The text of a payload as it is given to a command: JSON, or @FILE with JSON in it. Raises InvalidInputError."""
    text = read_text(Path(argument[1:])) if argument.startswith("@") else argument
    json_value(text, where="-a")
    return text


def read_text(path: Path) -> str:
    """The text in a file. Raises InvalidInputError."""
    return read_text_file(path, InvalidInputError)


def json_value(text: str, where: str) -> Any:  # noqa: ANN401 - any JSON value
    """The JSON value in a text. Raises InvalidInputError."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise InvalidInputError(
            "is not JSON", where=where, found=f"{text[:60]!r} ({error})", fix="mend the text"
        ) from error
    except RecursionError as error:
        raise InvalidInputError(
            "is nested too deeply", where=where, found=repr(text[:60]), fix="nest lists and objects less deeply"
        ) from error
