"""A workflow's sample inputs, `workflows/<name>/samples/` (see docs/samples.md): placeholders, and objects in S3."""

from __future__ import annotations

import json
import mimetypes
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

from caribou.model.errors import InvalidInputError
from caribou.model.schema.workflow import Workflow

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SAMPLES = "samples"


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
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise InvalidInputError(
                "can't be read", where=str(path), found=error.strerror, fix="name a file"
            ) from error
        return json_value(self.filled(text), where=str(path))

    def filled(self, text: str) -> str:
        """A text with `${account}` and `${home_region}` filled."""
        home = self.workflow.manifest.home_region
        return text.replace("${account}", self.account).replace("${home_region}", home)

    def upload(self) -> list[tuple[str, str]]:
        """Put what the samples' `objects.json` names into S3 at home, and make the buckets that are missing.

        Returns each file with the address that it has in S3.
        """
        listing = self.folder / "objects.json"
        if not listing.is_file():
            return []
        uploaded = []
        home = self.workflow.manifest.home_region
        s3 = boto3.client("s3", region_name=home)
        present = {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}
        for entry in self.read(listing):
            if entry["bucket"] not in present:
                _make_bucket(s3, entry["bucket"], home)
                present.add(entry["bucket"])
            content_type = mimetypes.guess_type(entry["file"])[0] or "application/octet-stream"
            content = (self.folder / entry["file"]).read_bytes()
            s3.put_object(Bucket=entry["bucket"], Key=entry["key"], Body=content, ContentType=content_type)
            uploaded.append((entry["file"], f"s3://{entry['bucket']}/{entry['key']}"))
        return uploaded


def _make_bucket(s3: S3Client, bucket: str, region: str) -> None:
    if region == "us-east-1":  # the one region that may not be named
        s3.create_bucket(Bucket=bucket)
    else:
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": region})  # type: ignore[typeddict-item]


def read_text(path: Path) -> str:
    """The text in a file. Raises InvalidInputError."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError("can't be read", where=str(path), found=error, fix="name a file of JSON") from error


def json_value(text: str, where: str) -> Any:  # noqa: ANN401 - any JSON value
    """The JSON value in a text. Raises InvalidInputError."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise InvalidInputError(
            "is not JSON", where=where, found=f"{text[:60]!r} ({error})", fix="mend the text"
        ) from error
