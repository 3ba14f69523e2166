"""Composite alarms in CloudFormation's templates, which MiniStack 1.5.33 makes when its API is asked, and else not.

Runs on MiniStack's own Python, where there is no `caribou`: standard library only.
"""

# ruff: noqa: ANN401, SLF001 - this module handles MiniStack's modules and calls their private functions

from __future__ import annotations

import json
from importlib import import_module
from typing import Any

_TYPE = "AWS::CloudWatch::CompositeAlarm"
_NAMES = ("_put_composite_alarm", "_delete_alarms", "_composite_alarms")


def make_composite_alarms() -> None:
    """Let stacks have them. Raises RuntimeError if this MiniStack lacks a name relied on, or has them itself."""
    provisioners: Any = import_module("ministack.services.cloudformation.provisioners")
    cloudwatch: Any = import_module("ministack.services.cloudwatch")
    missing = [name for name in _NAMES if not hasattr(cloudwatch, name)]
    if missing or _TYPE in getattr(provisioners, "_RESOURCE_HANDLERS", {_TYPE}):
        raise RuntimeError(f"ministack: {', '.join(missing) or _TYPE}: local/composite_alarms.py needs another one")

    def put(properties: dict[str, Any]) -> tuple[str, dict[str, str]]:
        _check(cloudwatch._put_composite_alarm({}, properties, is_cbor=False, is_json=True))
        name = properties["AlarmName"]
        return name, {"Arn": cloudwatch._composite_alarms[name]["AlarmArn"]}

    def create(_logical_id: str, properties: dict[str, Any], _stack: str) -> tuple[str, dict[str, str]]:
        return put(properties)

    def update(_name: str, _old: Any, properties: dict[str, Any], _stack: str) -> tuple[str, dict[str, str]]:
        return put(properties)

    def delete(name: str, _properties: Any) -> None:
        _check(cloudwatch._delete_alarms({}, {"AlarmNames": [name]}, is_cbor=False, is_json=True))

    provisioners._RESOURCE_HANDLERS[_TYPE] = {"create": create, "update": update, "delete": delete}


def _check(answer: Any) -> None:
    """CloudFormation fails with what the API says."""
    status, _, body = answer
    if status >= 400:
        raise ValueError(f"{_TYPE}: {json.loads(body).get('message', body)}")
