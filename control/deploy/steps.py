"""A step of a plan: what is done to one thing, where, and why. Deploying, migrating and removing plan in these.

A plan is made by reading only, is shown or carried out, and is never changed in between.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Action(StrEnum):
    """What a step does; the last five do nothing to the thing, and say so."""

    CREATE = "create"
    UPDATE = "update"
    MOVE = "move"
    ADOPT = "adopt"
    DELETE = "delete"
    COLLECT = "collect"
    RETIRE = "retire"
    KEEP = "keep"
    WAIT = "wait"
    SKIP = "skip"
    ABANDON = "abandon"


class Thing(StrEnum):
    """What a step is about."""

    STACK = "stack"
    TABLE = "table"
    BUCKET = "bucket"
    FUNCTION = "function"
    NODE = "node"
    PLACEMENT = "placement"
    LOGS = "logs"
    RUNS = "runs"
    RECORDS = "records"
    REGION = "region"


@dataclass(frozen=True, slots=True)
class Step:
    """A step. A node moves from `from_region` to `region` during `hours` (UTC); other things have neither."""

    action: Action
    thing: Thing
    name: str
    region: str
    why: str = ""
    workflow: str = ""
    from_region: str | None = None
    hours: tuple[int, ...] = ()

    @property
    def text(self) -> str:
        """It in a few words: `delete stack Workflow-example in us-east-1`."""
        return f"{self.action} {self.thing} {self.name} in {self.region}"

    def to_json(self) -> dict[str, Any]:
        """The step as a JSON object with every field."""
        return asdict(self)
