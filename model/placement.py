"""The placement: node to region for every hour (UTC), with an expiry. The content of `solved.json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from caribou.model.canonical import digest_of
from caribou.model.errors import InvalidPlacementError
from caribou.model.graph import Graph

PLACEMENT_SCHEMA = "caribou.placement/1"
HOURS_A_DAY = 24
ALL_HOURS = tuple(range(HOURS_A_DAY))
_DIGITS_SHOWN = 12


class PlanStatus(StrEnum):
    """How good the solver knows a plan to be, on the drawn runs.

    Optimal: nothing better exists. Feasible: it meets the hard limits. Infeasible: nothing that does was found.
    """

    OPTIMAL = "optimal"
    FEASIBLE = "feasible"
    INFEASIBLE = "infeasible"


@dataclass(frozen=True, slots=True)
class Plan:
    """Which region each node runs in, during some hours of the day (UTC).

    `report` is what the solver says of the plan (status, objective, metrics, constraints, …), as in the file.
    """

    hours: tuple[int, ...]
    regions: Mapping[str, str]
    report: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Placement:
    """Plans for all 24 hours of a workflow's day; `expires_at` is None for home, which never expires.

    `origin` is the rest of the file: solved_at, problem_sha256, solver.
    """

    workflow: str
    workflow_version: str
    home_region: str
    plans: tuple[Plan, ...]
    expires_at: datetime | None = None
    origin: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def at_home(cls, graph: Graph, home_region: str) -> Placement:
        """Every node at home, at every hour."""
        plan = Plan(hours=ALL_HOURS, regions={node.name: home_region for node in graph.nodes})
        return cls(graph.workflow, graph.version, home_region, plans=(plan,))

    def regions_at(self, hour: int) -> Mapping[str, str]:
        """Node to region at an hour from 0 to 23, UTC."""
        return next(plan.regions for plan in self.plans if hour in plan.hours)

    @property
    def regions(self) -> frozenset[str]:
        """Every region that a node is placed in, at any hour."""
        return frozenset(region for plan in self.plans for region in plan.regions.values())

    @property
    def summary(self) -> str:
        """It in a few words, for messages: the start of its digest, and its regions."""
        return f"placement {self.digest[:_DIGITS_SHOWN]} ({', '.join(sorted(self.regions))})"

    def is_expired(self, now: datetime) -> bool:
        """Whether its expiry has passed at `now` (an aware datetime)."""
        return self.expires_at is not None and now >= self.expires_at

    @property
    def digest(self) -> str:
        """SHA-256 of workflow, version, home, hours and regions, without times: equal moves have equal digests."""
        hours = {str(hour): dict(self.regions_at(hour)) for hour in ALL_HOURS}
        return digest_of(
            {
                "workflow": self.workflow,
                "workflow_version": self.workflow_version,
                "home_region": self.home_region,
                "hours": hours,
            }
        )

    def to_json(self) -> dict[str, Any]:
        """The placement as the JSON object of `solved.json`."""
        return {
            "schema": PLACEMENT_SCHEMA,
            "workflow": self.workflow,
            "workflow_version": self.workflow_version,
            "home_region": self.home_region,
            "expires_at": self.expires_at.isoformat().replace("+00:00", "Z") if self.expires_at else None,
            **self.origin,
            "plans": [{"hours": list(plan.hours), "regions": dict(plan.regions), **plan.report} for plan in self.plans],
        }

    @classmethod
    def from_json(cls, data: Any, where: str = "placement") -> Placement:  # noqa: ANN401 - it comes out of a file
        """The placement in a JSON object, checked as far as it can be without a workflow; see `check_against`.

        Raises InvalidPlacementError. Standard library only: the runtime reads it at a cold start.
        """
        return _parsed(data, where)

    def check_against(self, graph: Graph, home_region: str, where: str = "placement") -> None:
        """Raise InvalidPlacementError unless it is for this workflow, version, home and exactly these nodes.

        What it is to be solved for has to be deployed and run first, which is possible at home alone.
        """
        home = f"deploy it at home: `caribou deploy {graph.workflow} --placement home`; once it has run, solve again"
        for what, mine, theirs in (
            ("is for another workflow", self.workflow, graph.workflow),
            ("is for another version of the workflow", self.workflow_version, graph.version),
            ("has another home region", self.home_region, home_region),
        ):
            if mine != theirs:
                raise InvalidPlacementError(what, where=where, found=f"{mine}, expected {theirs}", fix=home)
        names = {node.name for node in graph.nodes}
        for plan in self.plans:
            if unknown := sorted(set(plan.regions) - names):
                raise InvalidPlacementError(
                    "names a node that the workflow does not have",
                    where=where,
                    found=unknown[0],
                    fix=f"use the workflow's nodes: {', '.join(sorted(names))}",
                )
            if missing := sorted(names - set(plan.regions)):
                raise InvalidPlacementError(
                    f"has no region for a node at hour {plan.hours[0]}",
                    where=where,
                    found=missing[0],
                    fix="give every node a region in every plan",
                )


def _parsed(data: Any, where: str) -> Placement:  # noqa: ANN401
    if not isinstance(data, dict) or data.get("schema") != PLACEMENT_SCHEMA:
        found = data.get("schema") if isinstance(data, dict) else type(data).__name__
        raise InvalidPlacementError(
            "is not a placement that this version reads", where=where, found=found, fix=f"use schema {PLACEMENT_SCHEMA}"
        )
    for key in ("workflow", "workflow_version", "home_region"):
        if not _is_text(data.get(key)):
            raise InvalidPlacementError(f"has no text at {key}", where=where, found=data.get(key), fix=f"add {key}")
    plans = tuple(_parsed_plan(plan, f"{where}: plans[{i}]") for i, plan in enumerate(_list_at(data, "plans", where)))
    covered = sorted(hour for plan in plans for hour in plan.hours)
    if covered != list(ALL_HOURS):
        raise InvalidPlacementError(
            "does not have every hour from 0 to 23 in exactly one plan",
            where=where,
            found=covered,
            fix="give each hour one plan",
        )
    known = {"schema", "workflow", "workflow_version", "home_region", "expires_at", "plans"}
    return Placement(
        workflow=data["workflow"],
        workflow_version=data["workflow_version"],
        home_region=data["home_region"],
        plans=plans,
        expires_at=_parsed_time(data.get("expires_at"), f"{where}: expires_at"),
        origin={key: value for key, value in data.items() if key not in known},
    )


def _parsed_plan(data: Any, where: str) -> Plan:  # noqa: ANN401
    if not isinstance(data, dict):
        raise InvalidPlacementError("is not an object", where=where, found=data, fix="write {hours, regions}")
    hours, regions = _list_at(data, "hours", where), data.get("regions")
    if not all(isinstance(hour, int) and not isinstance(hour, bool) and hour in ALL_HOURS for hour in hours):
        raise InvalidPlacementError("has a wrong hour", where=where, found=hours, fix="use whole numbers from 0 to 23")
    if not isinstance(regions, dict) or not all(map(_is_text, (*regions, *regions.values()))):
        raise InvalidPlacementError("has no map of regions", where=where, found=regions, fix="write {node: region}")
    report = {key: value for key, value in data.items() if key not in {"hours", "regions"}}
    return Plan(hours=tuple(hours), regions=regions, report=report)


def _is_text(value: object) -> bool:
    """Whether it is a text that says something, and is Unicode: JSON can write half a character."""
    return isinstance(value, str) and value != "" and value.encode(errors="ignore").decode() == value


def _list_at(data: Mapping[str, Any], key: str, where: str) -> list[Any]:
    value = data.get(key)
    if not isinstance(value, list) or not value:
        raise InvalidPlacementError(f"has no list at {key}", where=where, found=value, fix=f"add {key}")
    return value


def _parsed_time(value: Any, where: str) -> datetime | None:  # noqa: ANN401
    if value is None:
        return None
    try:
        time = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        time = None
    if time is None or time.tzinfo is None:
        raise InvalidPlacementError("is not a UTC time", where=where, found=value, fix="write 2026-01-31T00:00:00Z")
    return time.astimezone(UTC)
