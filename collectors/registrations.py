"""What the control plane knows of a deployed workflow: its registration, an SSM parameter in the control region."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from caribou.collectors.clients import parameters_of
from caribou.model.errors import InvalidInputError
from caribou.model.names import registrations_path
from caribou.model.registration import Registration, parse_registration

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient


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

    def __init__(self, stage: str, region: str, client: SSMClient | None = None) -> None:
        self._path = registrations_path(stage)
        self._client = parameters_of(region) if client is None else client

    def values(self) -> Mapping[str, str]:
        """Parameter name to its value, read page by page."""
        pages = self._client.get_paginator("get_parameters_by_path").paginate(Path=self._path, Recursive=True)
        return {parameter["Name"]: parameter["Value"] for page in pages for parameter in page["Parameters"]}


def registered(registry: Registry) -> tuple[list[Registration], list[str]]:
    """All registrations by workflow name, and what is wrong with the parameters that are none."""
    found: list[Registration] = []
    wrong: list[str] = []
    for name, value in sorted(registry.values().items()):
        try:
            found.append(_parsed(name, value))
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
            fix=f"deploy it: `caribou deploy {workflow}`",
        )
    name, value = by_name[workflow]
    return _parsed(name, value)


def _parsed(name: str, value: str) -> Registration:
    """The registration in a parameter, which is that of the workflow that the parameter is called after."""
    registration = parse_registration(value, name)
    if registration.workflow != name.rsplit("/", 1)[-1]:
        raise InvalidInputError(
            "is the registration of another workflow",
            where=name,
            found=registration.workflow,
            fix="deploy the workflow that it is called after again, or delete the parameter",
        )
    return registration
