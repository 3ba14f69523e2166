"""What the app is asked for: the context keys that are ours, checked."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from constructs import Construct

from caribou.collectors.sources.choice import SourceChoice, read_choice
from caribou.model.errors import InvalidInputError
from caribou.model.health.alarm_topic import topics_by_region
from caribou.model.names import ALARM_TOPIC_KEY, STAGE_KEY
from caribou.model.project.collect_at import collect_at
from caribou.model.project.settings import AskedStage, ProjectSettings, settings_of
from caribou.model.schedule import Schedule
from caribou.model.template_contract import STAGE_VARIABLE

PLACEMENT, WORKFLOW, ACCOUNT = "placement", "workflow", "account"
_WHERE = "context key "


@dataclass(frozen=True, slots=True)
class Context:
    """What was asked for.

    A placement (`home`, or a file) and a workflow, or None; what counts at the stage; where facts come from, and when
    the collectors run; and region to the topic that its alarms go to. `account` is given where CloudFormation is to
    adopt the control plane's bucket: its name has to stand in the template, and has the account in it.
    """

    placement: str | None
    workflow: str | None
    settings: ProjectSettings
    sources: SourceChoice
    schedules: Mapping[str, Schedule]
    alarm_topics: Mapping[str, str]
    account: str | None = None


def read_context(scope: Construct, asked: AskedStage | None = None) -> Context:
    """The context of a construct, such as the app; at the stage that is asked for, if the app itself asks for one.

    Raises InvalidInputError for a key of ours that does not exist, or for a wrong value.
    """
    given = scope.node.get_all_context()
    settings = settings_of(given, _WHERE, asked or _asked_stage(given))
    sources = read_choice(given, _WHERE, Path.cwd())
    schedules = collect_at(given, _WHERE, live_carbon=sources.asks_a_service("carbon"))
    named = _text(given, ALARM_TOPIC_KEY)
    topics = {} if named is None else topics_by_region(named, f"{_WHERE}{ALARM_TOPIC_KEY}")
    asked_for = _text(given, PLACEMENT), _text(given, WORKFLOW)
    return Context(*asked_for, settings, sources, schedules, topics, _text(given, ACCOUNT))


def _asked_stage(given: Mapping[str, object]) -> AskedStage | None:
    """The stage of the environment, which has to be the context's, if that has one: nobody is to guess which counts."""
    variable, context = os.environ.get(STAGE_VARIABLE), given.get(STAGE_KEY)
    if not variable:
        return None
    if context not in (None, variable):
        raise InvalidInputError(
            "is another stage than the context says",
            where=STAGE_VARIABLE,
            found=f"{variable}, {STAGE_KEY}: {context}",
            fix=f"give it with the command, `-c {STAGE_KEY}={variable}`, or unset {STAGE_VARIABLE}",
        )
    return AskedStage(variable, STAGE_VARIABLE)


def _text(given: Mapping[str, object], key: str) -> str | None:
    value = given.get(key)
    if value is not None and not isinstance(value, str):
        raise InvalidInputError("is not a text", where=f"{_WHERE}{key}", found=value, fix="write a text")
    return value
