"""The control plane: its parts' names, and what it knows of a workflow, one SSM parameter in the control region.

Functions import neither.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from caribou.model.errors import InvalidInputError
from caribou.model.graph import Graph
from caribou.model.manifest import Manifest
from caribou.model.names import DEFAULT_STAGE, TABLE_GENERATION, WorkflowNames
from caribou.model.regions import KNOWN_REGIONS

REGISTRATION_SCHEMA = "caribou.registration/1"
COLLECTORS = ("carbon", "provider", "performance", "workflow")
_NAME = re.compile(r"[\w.+-]{1,128}", re.ASCII)
_LONGEST_RETENTION_DAYS = 3653
"""Ten years, which is CloudWatch's longest."""


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

    @property
    def lock_table(self) -> str:
        """Table of the locks of workflows: partition key `workflow`."""
        return f"caribou-{self.stage}-locks-{TABLE_GENERATION}"

    @property
    def alarm(self) -> str:
        """Name of the alarm that notifies somebody. No workflow is called `collector`, so none has the same."""
        return f"caribou-{self.stage}-collector"

    @property
    def lasting_tables(self) -> tuple[str, ...]:
        """The tables that outlive the control plane's stack."""
        return self.fact_table, self.record_table

    @property
    def log_groups(self) -> tuple[str, ...]:
        """Names of the collectors' log groups."""
        return tuple(f"/aws/lambda/{self.collector(collector)}" for collector in COLLECTORS)

    @property
    def log_database(self) -> str:
        """Database of exported logs, for Athena: letters, digits and underscores."""
        return f"caribou_{self.stage}".replace("-", "_")

    @property
    def log_workgroup(self) -> str:
        """Athena's workgroup of queries on exported logs, which says where their answers are kept."""
        return f"caribou-{self.stage}"

    def log_bucket(self, account: str, region: str) -> str:
        """Bucket of exported logs, and of the answers to queries on them."""
        return f"caribou-{self.stage}-logs-{account}-{region}"

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
        schema = ascii(data.get("schema", REGISTRATION_SCHEMA))
        wrong = next((f"{name} = {data[name]!a}"[:80] for name, fits in _FITS.items() if not fits(data[name])), None)
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise _no_registration(where, f"{error!a}"[:80]) from error
    if schema != ascii(REGISTRATION_SCHEMA):
        raise InvalidInputError(
            "is a registration of another schema",
            where=where,
            found=schema[:80],
            fix=f"deploy the workflow again with this version, which writes {REGISTRATION_SCHEMA}",
        )
    if wrong:
        raise _no_registration(where, wrong)
    return Registration(
        workflow=data["workflow"],
        version=data["version"],
        home_region=data["home_region"],
        regions=tuple(data["regions"]),
        functions=tuple(data["functions"]),
        log_retention_days=data["log_retention_days"],
    )


def _no_registration(where: str, found: str) -> InvalidInputError:
    return InvalidInputError("is not a registration", where=where, found=found, fix="deploy the workflow again")


def _is_name(value: object) -> bool:
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def _is_names(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_name, value))


def _is_days(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _LONGEST_RETENTION_DAYS


_FITS: Mapping[str, Callable[[object], bool]] = {
    "workflow": _is_name,
    "version": _is_name,
    "home_region": _is_name,
    "regions": _is_names,
    "functions": _is_names,
    "log_retention_days": _is_days,
}
"""The fields of a registration, and what each may be."""
