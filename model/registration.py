"""The control plane: its parts' names, and what it knows of a workflow, one SSM parameter in the control region.

Functions import neither.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from caribou.model.errors import InvalidInputError
from caribou.model.graph import Graph
from caribou.model.manifest import Manifest
from caribou.model.names import DEFAULT_STAGE, TABLE_GENERATION, WorkflowNames
from caribou.model.regions import KNOWN_REGIONS

REGISTRATION_SCHEMA = "caribou.registration/1"


@dataclass(frozen=True, slots=True)
class ControlNames:
    """The fixed names of the control plane at one stage."""

    stage: str = DEFAULT_STAGE

    @property
    def fact_table(self) -> str:
        """Table of collected facts: partition key `kind` (carbon, provider, performance), sort key `region`."""
        return f"caribou-{self.stage}-facts-{TABLE_GENERATION}"

    @property
    def record_table(self) -> str:
        """Table of run records and log cursors: partition key `workflow`, sort key `id`."""
        return f"caribou-{self.stage}-records-{TABLE_GENERATION}"

    def placement_bucket(self, account: str, region: str) -> str:
        """Bucket of solved placements: `<workflow>/solved.json`."""
        return f"caribou-{self.stage}-placements-{account}-{region}"

    def collector(self, collector: str) -> str:
        """Name of a collector's Lambda function."""
        return f"caribou-{self.stage}-collector-{collector}"


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

    @classmethod
    def of(cls, graph: Graph, manifest: Manifest) -> Registration:
        """The registration of a workflow as it is now."""
        return cls(
            workflow=graph.workflow,
            version=graph.version,
            home_region=manifest.home_region,
            regions=manifest.allowed_regions(KNOWN_REGIONS),
            functions=tuple(function.name for function in graph.functions),
            log_retention_days=manifest.log_retention_days,
        )

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
