"""Which placements of a workflow were deployed, when, and by whom: `<workflow>/history/` in the placement bucket.

Written by who deploys with our verbs, after the deployment; a plain `cdk deploy` writes nothing. It is a note, no
proof, which CloudTrail is; nothing goes by it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from caribou.control.placement_bucket import PlacementBox
from caribou.model.errors import InvalidPlacementError
from caribou.model.placement import Placement

HISTORY = "history"
DEPLOYMENT_SCHEMA = "caribou.deployment/1"
_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Deployment:
    """A placement that was deployed: when, by the ARN of the caller, and with which verb."""

    placement: Placement
    deployed_at: datetime
    by: str
    verb: str

    @property
    def key(self) -> str:
        """Where it is in the bucket: keys are in the order of time."""
        at = f"{self.deployed_at.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}"
        return f"{self.placement.workflow}/{HISTORY}/{at}-{self.placement.digest[:_DIGITS]}.json"

    def to_json(self) -> dict[str, Any]:
        """The deployment as the JSON object of the bucket."""
        return {
            "schema": DEPLOYMENT_SCHEMA,
            "deployed_at": self.deployed_at.astimezone(UTC).isoformat(),
            "by": self.by,
            "verb": self.verb,
            "digest": self.placement.digest,
            "placement": self.placement.to_json(),
        }

    @classmethod
    def from_json(cls, data: Any, where: str) -> Deployment:  # noqa: ANN401 - JSON, to be checked
        """The deployment in a JSON value. Raises InvalidPlacementError."""
        if not isinstance(data, Mapping) or data.get("schema") != DEPLOYMENT_SCHEMA:
            raise InvalidPlacementError(
                "is no note of a deployment", where=where, found=type(data).__name__, fix="delete it"
            )
        try:
            at = datetime.fromisoformat(str(data.get("deployed_at"))).astimezone(UTC)
        except (ValueError, OverflowError) as error:
            raise InvalidPlacementError("has no time", where=where, found=error, fix="delete it") from error
        return cls(
            Placement.from_json(data.get("placement"), where), at, str(data.get("by", "")), str(data.get("verb", ""))
        )


@dataclass(frozen=True, slots=True)
class History:
    """The deployments in a placement bucket."""

    box: PlacementBox

    def add(self, deployment: Deployment) -> None:
        """Note a deployment. Raises OperationFailedError."""
        self.box.put_text(deployment.key, json.dumps(deployment.to_json()))

    def newest(self, workflow: str, most: int) -> tuple[Sequence[Deployment], Sequence[str]]:
        """The newest deployments of a workflow, the newest first, and what is said of notes that can't be read."""
        found: list[Deployment] = []
        wrong: list[str] = []
        for key in sorted(self.box.keys(f"{workflow}/{HISTORY}/"), reverse=True)[:most]:
            where = f"s3://{self.box.bucket}/{key}"
            try:
                found.append(Deployment.from_json(_json(self.box.text_at(key), where), where))
            except InvalidPlacementError as error:
                wrong.append(str(error))
        return found, wrong


def _json(text: str | None, where: str) -> Any:  # noqa: ANN401 - JSON, to be checked
    try:
        return json.loads(text or "")
    except (ValueError, RecursionError) as error:
        raise InvalidPlacementError("is not JSON", where=where, found=str(error), fix="delete it") from error
