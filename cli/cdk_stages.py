"""Stacks of an app in a `cdk.Stage`, which the CDK CLI selects by their paths alone: `Prod/Workflow-shop`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from caribou.model.errors import InvalidInputError

_MANIFEST = "manifest.json"


def paths_in_stages(assembly: Path, names: Mapping[str, str]) -> dict[str, str]:
    """The paths of those stacks that an app has in Stages, and not at its top; empty if it was not synthesised.

    `names` are construct ids at the top, each with the stack's name in CloudFormation, by which it is looked for.
    Raises InvalidInputError for a stack that several Stages have.
    """
    if not (assembly / _MANIFEST).is_file():
        return {}
    stacks = list(_stacks(assembly))
    paths = {}
    for construct_id, name in names.items():
        found = sorted({path for path, stack in stacks if stack == name})
        if construct_id in found or not found:
            continue
        paths[construct_id] = _only(found, name)
    return paths


def _only(paths: list[str], name: str) -> str:
    if len(paths) > 1:
        raise InvalidInputError(
            f"several Stages of the app have the stack {name}",
            where="the app in cdk.json",
            found=", ".join(paths),
            fix=f"deploy one with the CDK: `cdk deploy {paths[0]}`; or give each Stage a stage of Caribou's, see "
            "docs/existing-cdk-app.md",
        )
    return paths[0]


def _stacks(assembly: Path) -> Iterator[tuple[str, str]]:
    """Path and name of each stack in an assembly and those nested in it."""
    for artifact in _artifacts(assembly):
        properties = artifact.get("properties", {})
        if artifact["type"] == "aws:cloudformation:stack":
            yield artifact["displayName"], properties.get("stackName", artifact["displayName"])
        elif artifact["type"] == "cdk:cloud-assembly":
            yield from _stacks(assembly / properties["directoryName"])


def _artifacts(assembly: Path) -> Iterable[dict[str, Any]]:
    manifest: dict[str, Any] = json.loads((assembly / _MANIFEST).read_text(encoding="utf-8"))
    artifacts: dict[str, dict[str, Any]] = manifest["artifacts"]
    return artifacts.values()
