"""The placement that waits to be applied: `<workflow>/solved.json` in the control plane's placement bucket.

`<workflow>/applied.json` beside it remembers which one was applied last, so that going back by hand is not undone.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from caribou.control.aws import Aws, error_code, telling
from caribou.control.deploying import Target, described
from caribou.model.errors import InvalidPlacementError, OperationFailedError
from caribou.model.names import ControlNames
from caribou.model.placement import Placement
from caribou.model.schema.placement import parse_placement
from caribou.model.schema.workflow import COMMITTED_PLACEMENT, Workflow

SOLVED, APPLIED = "solved.json", "applied.json"
APPLIED_SCHEMA = "caribou.applied/1"
_MISSING = frozenset({"NoSuchKey", "NoSuchBucket", "404"})


@dataclass(frozen=True, slots=True)
class Pending:
    """What the bucket says of a workflow: the text of its solved placement, and the digest of the one applied last."""

    text: str
    applied_sha256: str | None = None

    @property
    def sha256(self) -> str:
        """The digest of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Choice:
    """What to do with a pending placement: apply it (then it is here), or not, and why."""

    placement: Placement | None
    reason: str


def judge(pending: Pending | None, workflow: Workflow, deployed: Placement, now: datetime) -> Choice:
    """Whether the pending placement is to be applied. Pure."""
    if pending is None:
        return Choice(None, "no placement is pending")
    if pending.sha256 == pending.applied_sha256:
        return Choice(None, "the pending placement was applied before")
    where = f"{workflow.name}/{SOLVED}"
    try:
        placement = parse_placement(json.loads(pending.text), where)
        workflow.check(placement, where)
    except InvalidPlacementError as error:
        return Choice(None, f"the pending placement is of no use: {error}")
    except ValueError as error:
        return Choice(None, f"the pending placement is of no use: {where} is not JSON: {error}")
    return _compared(placement, deployed, now)


def _compared(placement: Placement, deployed: Placement, now: datetime) -> Choice:
    if placement.is_expired(now):
        return Choice(None, f"the pending placement expired at {placement.expires_at}")
    if _solved_at(placement) < _solved_at(deployed):
        return Choice(None, "the pending placement is older than the deployed one")
    if placement.digest != deployed.digest:
        return Choice(placement, f"{described(placement)} takes the place of {described(deployed)}")
    if _lasts_longer(placement, deployed):
        return Choice(placement, f"{described(placement)} is deployed, and now holds until {placement.expires_at}")
    return Choice(None, "the pending placement is deployed")


def _lasts_longer(placement: Placement, deployed: Placement) -> bool:
    if deployed.expires_at is None:
        return False
    return placement.expires_at is None or placement.expires_at > deployed.expires_at


def _solved_at(placement: Placement) -> datetime:
    """When it was solved; what was not solved, such as home, is older than everything."""
    try:
        time = datetime.fromisoformat(str(placement.origin.get("solved_at")))
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


class PlacementBox:
    """The placement bucket of the control plane."""

    def __init__(self, aws: Aws, target: Target) -> None:
        self._client = aws.s3(target.control_region)
        account = aws.account(target.control_region)
        self.bucket = ControlNames(target.stage).placement_bucket(account, target.control_region)

    def pending(self, workflow: str) -> Pending | None:
        """What waits for a workflow; None if nothing does, or if there is no control plane."""
        text = self._get(f"{workflow}/{SOLVED}")
        if text is None:
            return None
        applied = self._get(f"{workflow}/{APPLIED}")
        return Pending(text, None if applied is None else _applied_sha256(applied))

    def put(self, workflow: str, text: str) -> None:
        """Put a solved placement, in place of the one that waits."""
        self._put(f"{workflow}/{SOLVED}", text)

    def note_applied(self, workflow: str, pending: Pending, digest: str, now: datetime) -> None:
        """Remember which one was applied."""
        said = {"schema": APPLIED_SCHEMA, "sha256": pending.sha256, "digest": digest, "applied_at": now.isoformat()}
        self._put(f"{workflow}/{APPLIED}", json.dumps(said, sort_keys=True))

    def _put(self, key: str, text: str) -> None:
        with telling(f"Writing s3://{self.bucket}/{key}", f"whether {self.bucket} is there: the control plane's"):
            self._client.put_object(Bucket=self.bucket, Key=key, Body=text.encode(), ContentType="application/json")

    def _get(self, key: str) -> str | None:
        with telling(f"Reading s3://{self.bucket}/{key}"):
            try:
                body = self._client.get_object(Bucket=self.bucket, Key=key)["Body"]
            except ClientError as error:
                if error_code(error) in _MISSING:
                    return None
                raise
            with body:
                content: bytes = body.read()
        try:
            return content.decode()
        except UnicodeDecodeError as error:
            raise OperationFailedError(f"s3://{self.bucket}/{key} is not UTF-8. Delete it, and solve again") from error


def commit(workflow: Workflow, text: str) -> None:
    """Write the workflow's committed placement, in one step, so that plain deploys keep what is deployed."""
    path = workflow.folder / COMMITTED_PLACEMENT
    draft = path.with_suffix(".draft")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def _applied_sha256(text: str) -> str | None:
    """The digest in `applied.json`; one that can't be read tells of nothing."""
    try:
        data: Any = json.loads(text)
    except ValueError:
        return None
    value = data.get("sha256") if isinstance(data, dict) else None
    return value if isinstance(value, str) else None
