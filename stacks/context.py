"""What the app is asked for: the context keys that are ours, checked."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from constructs import Construct

from caribou.collectors.bodies import KINDS, Kind
from caribou.collectors.sources.registry import DEFAULT_SOURCE, source_key, source_of
from caribou.model.errors import InvalidInputError
from caribou.model.names import STAGE_KEY
from caribou.model.project.settings import AskedStage, ProjectSettings, settings_of
from caribou.model.template_contract import STAGE_VARIABLE

PLACEMENT, WORKFLOW = "placement", "workflow"
_WHERE = "context key "


@dataclass(frozen=True, slots=True)
class Context:
    """What was asked for.

    A placement (`home`, or a file) and a workflow, or None; what counts at the stage; and for each kind of facts the
    name of its source.
    """

    placement: str | None
    workflow: str | None
    settings: ProjectSettings
    sources: Mapping[Kind, str]


def read_context(scope: Construct) -> Context:
    """The context of a construct, such as the app.

    Raises InvalidInputError for a key of ours that does not exist, or for a wrong value.
    """
    given = scope.node.get_all_context()
    settings = settings_of(given, _WHERE, _asked_stage(given))
    sources = {kind: _source(kind, given) for kind in KINDS}
    return Context(_text(given, PLACEMENT), _text(given, WORKFLOW), settings, sources)


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


def _source(kind: Kind, given: Mapping[str, object]) -> str:
    key = source_key(kind)
    name = _text(given, key) or DEFAULT_SOURCE
    source_of(kind, name, f"{_WHERE}{key}")
    return name


def _text(given: Mapping[str, object], key: str) -> str | None:
    value = given.get(key)
    if value is not None and not isinstance(value, str):
        raise InvalidInputError("is not a text", where=f"{_WHERE}{key}", found=value, fix="write a text")
    return value
