"""What a project's `cdk.json` says to Caribou: its context keys, and the stage that is worked on with its environment.

The command line and synth read the same keys, each out of the context that it has.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from caribou.model.errors import InvalidInputError
from caribou.model.log_reader import LOG_READER_KEY, LogReading
from caribou.model.names import (
    ALARM_TOPIC_KEY,
    COLLECT_AT_KEY,
    CONTROL_REGION_KEY,
    DEFAULT_CONTROL_REGION,
    DEFAULT_STAGE,
    MARGINAL_SOURCE_KEY,
    PROJECT_ID_KEY,
    SOURCE_KEYS_KEY,
    SOURCE_SIGNALS_KEY,
    SOURCE_URLS_KEY,
    SOURCE_ZONES_KEY,
    STAGE_KEY,
    STAGES_KEY,
    checked_stage,
)
from caribou.model.regions import KNOWN_REGIONS, why_unknown
from caribou.model.schema.nearest import near, nearest

PREFIX = "caribou:"
SOURCE_KEYS = (
    *("caribou:carbon_source", MARGINAL_SOURCE_KEY, "caribou:provider_source", "caribou:performance_source"),
    *(SOURCE_URLS_KEY, SOURCE_KEYS_KEY, SOURCE_ZONES_KEY, SOURCE_SIGNALS_KEY),
)
CONTEXT_KEYS = (
    *(STAGE_KEY, STAGES_KEY, CONTROL_REGION_KEY, PROJECT_ID_KEY, ALARM_TOPIC_KEY),
    *(*SOURCE_KEYS, COLLECT_AT_KEY, LOG_READER_KEY),
)
"""Every context key of ours that begins with `caribou:`."""
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ACCOUNT = re.compile(r"[0-9]{12}")
_ENVIRONMENT = ("account", "profile", "control_region")


@dataclass(frozen=True, slots=True)
class Environment:
    """Where a stage is deployed: an account, a profile of `~/.aws`, a control region; None where nothing is said."""

    account: str | None = None
    profile: str | None = None
    control_region: str | None = None


@dataclass(frozen=True, slots=True)
class AskedStage:
    """A stage that is asked for, and by what, such as `--stage`."""

    name: str
    where: str


@dataclass(frozen=True, slots=True)
class ProjectSettings:
    """What counts at a stage. `account` is the only one it may be deployed to, `project_id` whose its stacks are."""

    stage: str = DEFAULT_STAGE
    control_region: str = DEFAULT_CONTROL_REGION
    account: str | None = None
    profile: str | None = None
    project_id: str | None = None
    log_reader: LogReading = LogReading.FILTER


def settings_of(context: Mapping[str, object], where: str, asked: AskedStage | None = None) -> ProjectSettings:
    """What a context says, at the stage that is asked for, else at its own, else at the default one.

    `where` stands in front of a key in messages. Raises InvalidInputError for a key of ours that does not exist, a
    wrong value, and a stage that is not among those that the context lists.
    """
    refuse_unknown_keys(context, where)
    stages = _stages(context, where)
    if asked is None:
        asked = AskedStage(_text(context, STAGE_KEY, where) or DEFAULT_STAGE, f"{where}{STAGE_KEY}")
    stage = checked_stage(asked.name, asked.where)
    if stages and stage not in stages:
        fix = f'{suggestion(stage, stages)}. Choose by --stage or {STAGE_KEY}, or add "{stage}": {{}} to {STAGES_KEY}'
        raise InvalidInputError("there is no such stage", where=asked.where, found=stage, fix=fix)
    there = stages.get(stage, Environment())
    chosen = _text(context, CONTROL_REGION_KEY, where) or DEFAULT_CONTROL_REGION
    region = there.control_region or checked_control_region(chosen, f"{where}{CONTROL_REGION_KEY}")
    project_id, log_reader = _project_id(context, where), _log_reader(context, where)
    return ProjectSettings(stage, region, there.account, there.profile, project_id, log_reader)


def checked_control_region(region: str, where: str) -> str:
    """The region, if it is one that we know."""
    if region in KNOWN_REGIONS:
        return region
    what = why_unknown(region) or "is not a region that Caribou knows"
    raise InvalidInputError(what, where=where, found=region, fix=near(region, KNOWN_REGIONS))


def _log_reader(context: Mapping[str, object], where: str) -> LogReading:
    name = _text(context, LOG_READER_KEY, where) or LogReading.FILTER
    try:
        return LogReading(name)
    except ValueError as error:
        raise InvalidInputError(
            "is no reader of logs", where=f"{where}{LOG_READER_KEY}", found=name, fix=suggestion(name, LogReading)
        ) from error


def refuse_unknown_keys(context: Iterable[str], where: str) -> None:
    """Raise InvalidInputError for a key that begins as ours do, and is none of them."""
    for key in context:
        if key.startswith(PREFIX) and key not in CONTEXT_KEYS:
            raise InvalidInputError("is unknown to Caribou", where=f"{where}{key}", fix=suggestion(key, CONTEXT_KEYS))


def suggestion(word: str, known: Iterable[str]) -> str:
    """A remedy for a word that is not known."""
    names = {name.removeprefix(PREFIX): name for name in sorted(known)}
    matches = nearest(word.removeprefix(PREFIX), names)
    everything = ", ".join(names.values())
    return f"did you mean {names[matches[0]]}? Known: {everything}" if matches else f"use one of {everything}"


def _stages(context: Mapping[str, object], where: str) -> dict[str, Environment]:
    place = f"{where}{STAGES_KEY}"
    listed = _mapping(context.get(STAGES_KEY, {}), place)
    return {checked_stage(stage, place): _environment(value, f"{place}.{stage}") for stage, value in listed.items()}


def _environment(value: object, place: str) -> Environment:
    given = _mapping(value, place)
    for key in given:
        if key not in _ENVIRONMENT:
            raise InvalidInputError("is not a known key", where=f"{place}.{key}", fix=suggestion(key, _ENVIRONMENT))
    texts = {key: _text(given, key, f"{place}.") for key in _ENVIRONMENT}
    if texts["account"] is not None and not _ACCOUNT.fullmatch(texts["account"]):
        raise InvalidInputError(
            "is no account of AWS", where=f"{place}.account", found=texts["account"], fix="write its 12 digits"
        )
    if texts["control_region"] is not None:
        checked_control_region(texts["control_region"], f"{place}.control_region")
    return Environment(**texts)


def _project_id(context: Mapping[str, object], where: str) -> str | None:
    found = _text(context, PROJECT_ID_KEY, where)
    if found is not None and not _ID.fullmatch(found):
        raise InvalidInputError(
            "is no id for a project",
            where=f"{where}{PROJECT_ID_KEY}",
            found=found,
            fix="use at most 64 letters, digits, hyphens, dots and underscores, beginning with a letter or a digit",
        )
    return found


def _mapping(value: object, where: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise InvalidInputError("is not a mapping", where=where, found=value, fix="write keys and values in braces")
    return value


def _text(context: Mapping[str, object], key: str, where: str) -> str | None:
    value = context.get(key)
    if value is not None and (not isinstance(value, str) or not value):
        raise InvalidInputError("is not a text", where=f"{where}{key}", found=repr(value), fix="write a text in quotes")
    return value
