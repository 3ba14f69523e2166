"""What the control plane knows of a deployed workflow: its registration, an SSM parameter in the control region."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import boto3

from caribou.model.errors import InvalidInputError
from caribou.model.names import WorkflowNames, registrations_path

REGISTRATION_SCHEMA = "caribou.registration/1"


@dataclass(frozen=True, slots=True)
class Registration:
    """A deployed workflow: where its functions may be, and how long its logs and records are kept."""

    workflow: str
    version: str
    home_region: str
    regions: tuple[str, ...]
    functions: tuple[str, ...]
    log_retention_days: int

    def log_groups(self, stage: str) -> tuple[str, ...]:
        """Names of its functions' log groups, the same in every region."""
        names = WorkflowNames(self.workflow, stage)
        return tuple(names.log_group(function) for function in self.functions)

    def to_json(self) -> dict[str, Any]:
        """The registration as the JSON object that stands in the parameter."""
        return {
            "schema": REGISTRATION_SCHEMA,
            "workflow": self.workflow,
            "version": self.version,
            "home_region": self.home_region,
            "regions": list(self.regions),
            "functions": list(self.functions),
            "log_retention_days": self.log_retention_days,
        }


class Registry(Protocol):
    """The registrations of a stage."""

    def values(self) -> Mapping[str, str]:
        """Parameter name to its value, JSON text."""


@dataclass(frozen=True, slots=True)
class InMemoryRegistry:
    """Registrations in memory."""

    parameters: dict[str, str] = field(default_factory=dict)

    def values(self) -> Mapping[str, str]:
        """Parameter name to its value."""
        return self.parameters


class SsmRegistry:
    """Registrations in the control region's Parameter Store."""

    def __init__(self, stage: str, region: str) -> None:
        self._path = registrations_path(stage)
        self._client = boto3.client("ssm", region_name=region)

    def values(self) -> Mapping[str, str]:
        """Parameter name to its value, read page by page."""
        pages = self._client.get_paginator("get_parameters_by_path").paginate(Path=self._path, Recursive=True)
        return {parameter["Name"]: parameter["Value"] for page in pages for parameter in page["Parameters"]}


def parse_registration(text: str, where: str) -> Registration:
    """The registration in a parameter's value; fields of later versions are passed over. Raises InvalidInputError."""
    try:
        data = json.loads(text)
        registration = Registration(
            workflow=data["workflow"],
            version=data["version"],
            home_region=data["home_region"],
            regions=tuple(data["regions"]),
            functions=tuple(data["functions"]),
            log_retention_days=int(data["log_retention_days"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInputError(
            "is not a registration", where=where, found=repr(error), fix="deploy the workflow again"
        ) from error
    if data.get("schema", REGISTRATION_SCHEMA) != REGISTRATION_SCHEMA:
        raise InvalidInputError(
            "is a registration of another schema",
            where=where,
            found=data["schema"],
            fix=f"deploy the workflow again with this version, which writes {REGISTRATION_SCHEMA}",
        )
    return registration


def registered(registry: Registry) -> tuple[list[Registration], list[str]]:
    """All registrations by workflow name, and what is wrong with the parameters that are none."""
    found: list[Registration] = []
    wrong: list[str] = []
    for name, value in sorted(registry.values().items()):
        try:
            found.append(parse_registration(value, name))
        except InvalidInputError as error:
            wrong.append(str(error))
    return found, wrong


def registration_of(registry: Registry, workflow: str) -> Registration:
    """The registration of a workflow. Raises InvalidInputError if it has none, or a broken one."""
    by_name = {name.rsplit("/", 1)[-1]: (name, value) for name, value in registry.values().items()}
    if workflow not in by_name:
        raise InvalidInputError(
            "is not registered with the control plane",
            where=workflow,
            found=f"registered: {', '.join(sorted(by_name)) or 'none'}",
            fix=f"deploy it: `cdk deploy Workflow-{workflow}`",
        )
    name, value = by_name[workflow]
    return parse_registration(value, name)
