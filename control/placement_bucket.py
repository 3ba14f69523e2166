"""The placement bucket of the control plane: a workflow's placement that waits, the one applied last, its history."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from caribou.control.aws import Aws, aws_errors_as, error_code
from caribou.control.target import Target
from caribou.model.errors import OperationFailedError
from caribou.model.registration import ControlNames

SOLVED, APPLIED = "solved.json", "applied.json"


APPLIED_SCHEMA = "caribou.applied/1"


_MISSING = frozenset({"NoSuchKey", "NoSuchBucket", "404"})

_LOOK_AT = "the credentials, and s3:ListBucket on the bucket: without it, what is missing is AccessDenied as well"


@dataclass(frozen=True, slots=True)
class Pending:
    """What the bucket says of a workflow: the text of its solved placement, and the digest of the one applied last."""

    text: str
    applied_sha256: str | None = None

    @property
    def sha256(self) -> str:
        """The digest of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()


class PlacementBox:
    """The placement bucket of the control plane."""

    def __init__(self, aws: Aws, target: Target) -> None:
        self._client = aws.s3(target.control_region)
        self._account = aws.account(target.control_region)
        self.bucket = ControlNames(target.stage).placement_bucket(self._account, target.control_region)

    def pending(self, workflow: str) -> Pending | None:
        """What waits for a workflow; None if nothing does, or if there is no control plane."""
        text = self.text_at(f"{workflow}/{SOLVED}")
        if text is None:
            return None
        applied = self.text_at(f"{workflow}/{APPLIED}")
        return Pending(text, None if applied is None else _applied_sha256(applied))

    def put(self, workflow: str, text: str) -> None:
        """Put a solved placement, in place of the one that waits."""
        self.put_text(f"{workflow}/{SOLVED}", text)

    def note_applied(self, workflow: str, pending: Pending, digest: str, now: datetime) -> None:
        """Remember which one was applied."""
        said = {"schema": APPLIED_SCHEMA, "sha256": pending.sha256, "digest": digest, "applied_at": now.isoformat()}
        self.put_text(f"{workflow}/{APPLIED}", json.dumps(said, sort_keys=True))

    def put_text(self, key: str, text: str) -> None:
        """Write an object of JSON. Raises OperationFailedError."""
        with aws_errors_as(f"Writing s3://{self.bucket}/{key}", f"whether {self.bucket} is there: the control plane's"):
            self._client.put_object(
                Bucket=self.bucket,
                Key=key,
                Body=text.encode(),
                ContentType="application/json",
                ExpectedBucketOwner=self._account,
            )

    def keys(self, prefix: str) -> list[str]:
        """The keys that begin so, in their order; none if there is no control plane. Raises OperationFailedError."""
        found: list[str] = []
        with aws_errors_as(f"Listing s3://{self.bucket}/{prefix}", _LOOK_AT):
            try:
                pages = self._client.get_paginator("list_objects_v2").paginate(
                    Bucket=self.bucket, Prefix=prefix, ExpectedBucketOwner=self._account
                )
                for page in pages:
                    found += [one["Key"] for one in page.get("Contents", ())]
            except ClientError as error:
                if error_code(error) not in _MISSING:
                    raise
        return found

    def text_at(self, key: str) -> str | None:
        """What an object has; None if there is none. Raises OperationFailedError."""
        with aws_errors_as(f"Reading s3://{self.bucket}/{key}", _LOOK_AT):
            try:
                answer = self._client.get_object(Bucket=self.bucket, Key=key, ExpectedBucketOwner=self._account)
            except ClientError as error:
                if error_code(error) in _MISSING:
                    return None
                raise
            with answer["Body"] as body:
                content: bytes = body.read()
        try:
            return content.decode()
        except UnicodeDecodeError as error:
            raise OperationFailedError(f"s3://{self.bucket}/{key} is not UTF-8. Delete it, and solve again") from error


def _applied_sha256(text: str) -> str | None:
    """The digest in `applied.json`; one that can't be read says nothing."""
    try:
        data: Any = json.loads(text)
    except (ValueError, RecursionError):
        return None
    value = data.get("sha256") if isinstance(data, dict) else None
    return value if isinstance(value, str) else None
