"""Which resources of our stacks hold data or keep a name taken, and what removing, deploying again and retiring do.

A test walks all resources of all stacks: one that holds data and has no row here fails it, and so does a row whose
`outlives` is not what the template says. A new row means new work in the three modules that its columns are about:
`control/deploy/removal.py`, `control/deploy/leftovers.py`, `control/migrate/retirement.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from caribou.model.names import WorkflowNames
from caribou.model.template_contract import StackRole


class ResourceType(StrEnum):
    """The types that can hold data, by CloudFormation's names."""

    TABLE = "AWS::DynamoDB::Table"
    BUCKET = "AWS::S3::Bucket"
    QUEUE = "AWS::SQS::Queue"
    LOG_GROUP = "AWS::Logs::LogGroup"
    PARAMETER = "AWS::SSM::Parameter"


@dataclass(frozen=True, slots=True)
class Stateful:
    """The resources of a type in the stacks of a role: what they hold, and what becomes of it.

    `outlives` says that their stack retains them. `removal` is what `caribou remove` does, `again` what deploying once
    more finds, `retirement` what retiring a region does; None where that does not come to them. `parts` are their
    logical ids without CDK's hash, `*` for a function's or collector's name: a resource that is not among them is one
    that nobody has thought of, though others of its type are known.
    """

    role: StackRole
    type: ResourceType
    parts: tuple[str, ...]
    holds: str
    outlives: bool
    removal: str
    again: str | None = None
    retirement: str | None = None


_GOES = "goes with its stack"

STATEFUL: tuple[Stateful, ...] = (
    Stateful(
        StackRole.HOME,
        ResourceType.TABLE,
        ("RunsTable", "SyncsTable"),
        "run items; claims, sync state and parked messages",
        outlives=True,
        removal="stays; deleted with --delete-data",
        again="adopted",
    ),
    Stateful(
        StackRole.HOME,
        ResourceType.BUCKET,
        ("SyncsPayloads",),
        "large payloads of runs",
        outlives=True,
        removal="stays; emptied and deleted with --delete-data",
        again="deleted if empty, else deploying is refused",
    ),
    Stateful(
        StackRole.HOME,
        ResourceType.QUEUE,
        ("Function*Failures",),
        "messages that Lambda gave up, until the sweeper comes",
        outlives=False,
        removal=f"{_GOES}; open runs never end, which is said before",
    ),
    Stateful(
        StackRole.HOME,
        ResourceType.LOG_GROUP,
        ("Function*Log", "SweeperLog"),
        "logs, and with them run records until they are collected",
        outlives=False,
        removal=_GOES,
    ),
    Stateful(
        StackRole.REGION,
        ResourceType.TABLE,
        ("SyncsTable",),
        "claims and sync state",
        outlives=False,
        removal=_GOES,
        retirement="waits until no run comes to it any more",
    ),
    Stateful(
        StackRole.REGION,
        ResourceType.BUCKET,
        ("SyncsPayloads",),
        "large payloads of runs",
        outlives=False,
        removal=f"emptied, and {_GOES}",
        retirement="waits until no run, not even a redriven one, needs it; emptied",
    ),
    Stateful(
        StackRole.REGION,
        ResourceType.QUEUE,
        ("Function*Failures",),
        "messages that Lambda gave up, until the sweeper comes",
        outlives=False,
        removal=_GOES,
        retirement="waits until it is empty",
    ),
    Stateful(
        StackRole.REGION,
        ResourceType.LOG_GROUP,
        ("Function*Log",),
        "logs, and with them run records until they are collected",
        outlives=False,
        removal=_GOES,
        retirement="waits until it was read",
    ),
    Stateful(
        StackRole.REGISTRATION,
        ResourceType.PARAMETER,
        ("RegistrationParameter",),
        "what the control plane knows of the workflow",
        outlives=False,
        removal=_GOES,
    ),
    Stateful(
        StackRole.CONTROL,
        ResourceType.TABLE,
        ("Facts", "Records"),
        "facts and run records of all workflows",
        outlives=True,
        removal="stays; deleted with --delete-data",
        again="adopted",
    ),
    Stateful(
        StackRole.CONTROL,
        ResourceType.TABLE,
        ("Locks",),
        "locks, while a workflow is deployed, moved or removed",
        outlives=False,
        removal=_GOES,
    ),
    Stateful(
        StackRole.CONTROL,
        ResourceType.BUCKET,
        ("Placements",),
        "placements that wait, and those applied last, of all workflows",
        outlives=True,
        removal="stays; deleted with --delete-data",
        again="adopted",
    ),
    Stateful(
        StackRole.CONTROL,
        ResourceType.LOG_GROUP,
        ("*CollectorLog",),
        "logs of the collectors",
        outlives=False,
        removal=_GOES,
    ),
)
"""Every stateful type of every stack. The control plane's are removed by `remove --control-plane`; the records and
placements of a workflow `remove --delete-data` takes out of it."""


def home_tables(names: WorkflowNames) -> tuple[str, ...]:
    """The tables that outlive a workflow's home stack: what removal may delete, and a new deployment adopts."""
    return names.run_table, names.sync_table
