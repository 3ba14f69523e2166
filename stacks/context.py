"""What the app is asked for: the context keys that are ours, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aws_cdk import App

from caribou.collectors.bodies import KINDS, Kind
from caribou.collectors.sources.registry import DEFAULT_SOURCE, source_key, source_of
from caribou.model.errors import InvalidInputError
from caribou.model.names import (
    CONTROL_REGION_KEY,
    DEFAULT_CONTROL_REGION,
    DEFAULT_STAGE,
    STAGE_KEY,
    checked_control_region,
    checked_stage,
)

PLACEMENT, WORKFLOW, ACCOUNT = "placement", "workflow", "account"
_KEYS = (PLACEMENT, WORKFLOW, ACCOUNT, STAGE_KEY, CONTROL_REGION_KEY, *(source_key(kind) for kind in KINDS))


@dataclass(frozen=True, slots=True)
class Context:
    """What was asked for.

    A placement (`home`, or a file) and a workflow, or None; the stage and the control region; and for each kind of
    facts the name of its source. `account` stands in the name of the control plane's bucket if it is given, so that
    CloudFormation can adopt one that is there; else CloudFormation puts its own there, which is the same.
    """

    placement: str | None
    workflow: str | None
    stage: str
    control_region: str
    sources: Mapping[Kind, str]
    account: str | None = None


def read_context(app: App) -> Context:
    """The app's context. Raises InvalidInputError for a key of ours that does not exist, or for a wrong value."""
    given = _texts(app.node.get_all_context())
    stage = checked_stage(given.get(STAGE_KEY, DEFAULT_STAGE), f"context key {STAGE_KEY}")
    chosen = given.get(CONTROL_REGION_KEY, DEFAULT_CONTROL_REGION)
    region = checked_control_region(chosen, f"context key {CONTROL_REGION_KEY}")
    sources = {kind: _source(kind, given) for kind in KINDS}
    return Context(given.get(PLACEMENT), given.get(WORKFLOW), stage, region, sources, given.get(ACCOUNT))


def _source(kind: Kind, given: Mapping[str, str]) -> str:
    key = source_key(kind)
    name = given.get(key, DEFAULT_SOURCE)
    source_of(kind, name, f"context key {key}")
    return name


def _texts(everything: Mapping[str, object]) -> Mapping[str, str]:
    for key, value in everything.items():
        if key.startswith("caribou:") and key not in _KEYS:
            raise InvalidInputError("is no context key", where=key, fix=f"use one of {', '.join(sorted(_KEYS))}")
        if key in _KEYS and not isinstance(value, str):
            raise InvalidInputError("is not a text", where=f"context key {key}", found=value, fix="write a text")
    return {key: str(value) for key, value in everything.items() if key in _KEYS}
