"""What the app is asked for: the context keys that are ours, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aws_cdk import App

from caribou.collectors.bodies import KINDS, Kind
from caribou.collectors.sources.registry import DEFAULT_SOURCE, source_key, source_of
from caribou.model.errors import InvalidInputError
from caribou.model.health.alarm_topic import ALARM_TOPIC_KEY, topics_by_region
from caribou.model.names import (
    CONTROL_REGION_KEY,
    DEFAULT_CONTROL_REGION,
    DEFAULT_STAGE,
    STAGE_KEY,
    checked_control_region,
    checked_stage,
)

PLACEMENT, WORKFLOW = "placement", "workflow"
_KEYS = (PLACEMENT, WORKFLOW, STAGE_KEY, CONTROL_REGION_KEY, ALARM_TOPIC_KEY, *(source_key(kind) for kind in KINDS))


@dataclass(frozen=True, slots=True)
class Context:
    """What was asked for.

    A placement (`home`, or a file) and a workflow, or None; the stage and the control region; for each kind of
    facts the name of its source; and region to the topic that its alarms go to.
    """

    placement: str | None
    workflow: str | None
    stage: str
    control_region: str
    sources: Mapping[Kind, str]
    alarm_topics: Mapping[str, str]


def read_context(app: App) -> Context:
    """The app's context. Raises InvalidInputError for a key of ours that does not exist, or for a wrong value."""
    given = _texts(app.node.get_all_context())
    stage = checked_stage(given.get(STAGE_KEY, DEFAULT_STAGE), f"context key {STAGE_KEY}")
    chosen = given.get(CONTROL_REGION_KEY, DEFAULT_CONTROL_REGION)
    region = checked_control_region(chosen, f"context key {CONTROL_REGION_KEY}")
    sources = {kind: _source(kind, given) for kind in KINDS}
    named = given.get(ALARM_TOPIC_KEY)
    topics = {} if named is None else topics_by_region(named, f"context key {ALARM_TOPIC_KEY}")
    return Context(given.get(PLACEMENT), given.get(WORKFLOW), stage, region, sources, topics)


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
