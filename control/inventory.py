"""What there is: the workflows of the project, of the registry and of CloudFormation, with placements and stacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from caribou.control.aws import Aws
from caribou.control.runs.run_table import open_runs
from caribou.control.runs.unrecorded import RecordCheck, Unrecorded
from caribou.control.stacks.deployed import (
    DeployedStack,
    DeployedWorkflow,
    deployed_workflow,
    find_stacks,
)
from caribou.control.stacks.whereabouts import whereabouts
from caribou.control.target import Target
from caribou.control.workflows import KnownWorkflow
from caribou.model.errors import CaribouError
from caribou.model.template_contract import StackRole

LOOKED_AT_RECORDS, LOOKED_AT_RUN_ITEMS = 1_000, 2_000
"""How much is looked at for a workflow in a list: a MB of each table, which is a fraction of a second."""
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Entry:
    """A workflow. `deployed` is None if it is not, or says why in `trouble`; `regions` are its stacks outside home.

    `broken` is why the project's folder of it can't be read, `unseen` are regions that it may be in and that could not
    be searched, each with AWS's error code. `unrecorded` is what of its newest runs left no record; None if that is not
    known, as for a workflow that is not in the project.
    """

    name: str
    version: str
    home_region: str
    in_project: bool
    registered: bool
    deployed: DeployedWorkflow | None
    regions: tuple[DeployedStack, ...] = ()
    open_runs: int = 0
    trouble: str | None = None
    broken: str | None = None
    unseen: Mapping[str, str] = field(default_factory=dict)
    unrecorded: Unrecorded | None = None

    @property
    def project_id(self) -> str | None:
        """The id of the project that has deployed it; None if it is not deployed, or that project has none."""
        return None if self.deployed is None else self.deployed.home.project_id

    @property
    def idle_regions(self) -> tuple[str, ...]:
        """The regions whose stacks the deployed placement does not use: they wait to be retired."""
        used = frozenset[str]() if self.deployed is None else self.deployed.placement.regions
        return tuple(stack.region for stack in self.regions if stack.region not in used)

    def to_json(self) -> dict[str, Any]:
        """The entry as a JSON object; `placement` is null if nothing is deployed."""
        return {
            "workflow": self.name,
            "version": self.version,
            "home_region": self.home_region,
            "in_project": self.in_project,
            "project": self.project_id,
            "registered": self.registered,
            "placement": None if self.deployed is None else _placement(self.deployed),
            "region_stacks": [stack.region for stack in self.regions],
            "waiting_to_be_retired": list(self.idle_regions),
            "open_runs": self.open_runs,
            "unrecorded": None if self.unrecorded is None else asdict(self.unrecorded),
            "updated_at": None if self.deployed is None else self.deployed.home.changed_at.isoformat(),
            "trouble": self.trouble,
            "broken": self.broken,
            "unseen_regions": dict(self.unseen),
            "status": None if self.deployed is None else self.deployed.home.status,
        }


def inventory(
    aws: Aws, workflows: Sequence[KnownWorkflow], target: Target, now_s: float, check: RecordCheck | None = None
) -> tuple[Entry, ...]:
    """An entry a workflow, also one that only has stacks left; with `check`, what of its runs left no record."""
    known = {workflow.name: workflow for workflow in workflows}
    where = whereabouts(aws, target, (region for one in workflows for region in one.regions))
    found = find_stacks(aws, target.stage, known, where.regions)
    entries: list[Entry] = []
    for name in sorted({*known, *found.workflows}):
        home = next((stack for stack in found.of(name, StackRole.HOME) if stack.is_there), None)
        deployed, trouble = _deployed(aws, home)
        entry = _entry(name, known.get(name), deployed, found.of(name, StackRole.REGION))
        unseen = found.unseen({*where.of(name), *(known[name].regions if name in known else ())})
        entry = replace(entry, trouble=trouble, unseen=unseen)
        entries.append(entry if home is None else _with_runs(entry, aws, target, home.region, now_s))
    if check is None:
        return tuple(entries)
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        return tuple(threads.map(lambda entry: _with_unrecorded(entry, known.get(entry.name), target, check), entries))


def _with_unrecorded(entry: Entry, known: KnownWorkflow | None, target: Target, check: RecordCheck) -> Entry:
    """The entry with what left no record; that this can't be read is said, and hides nothing."""
    if entry.deployed is None or known is None or known.workflow is None:
        return entry
    try:
        found = check.of(known.workflow.graph, target.names(entry.name), entry.home_region)
    except CaribouError as error:
        return _troubled(entry, f"{entry.name}: not known whether runs lack records: {error}")
    return replace(entry, unrecorded=found)


def _deployed(aws: Aws, home: DeployedStack | None) -> tuple[DeployedWorkflow | None, str | None]:
    """What is deployed, or why that can't be read: one broken stack must not hide the others."""
    if home is None:
        return None, None
    try:
        return deployed_workflow(aws, home), None
    except CaribouError as error:
        return None, str(error)


def _with_runs(entry: Entry, aws: Aws, target: Target, region: str, now_s: float) -> Entry:
    """The entry with the number of its open runs; a table that can't be read must not hide the others either."""
    try:
        return replace(entry, open_runs=open_runs(aws, target.names(entry.name), region, now_s))
    except CaribouError as error:
        return _troubled(entry, str(error))


def _troubled(entry: Entry, trouble: str) -> Entry:
    return replace(entry, trouble=f"{entry.trouble}. {trouble}" if entry.trouble else trouble)


def _entry(
    name: str, known: KnownWorkflow | None, deployed: DeployedWorkflow | None, regions: tuple[DeployedStack, ...]
) -> Entry:
    workflow, broken = (None, None) if known is None else (known.workflow, known.broken)
    return Entry(
        name=name,
        version=_version(workflow.graph.version if workflow else None, deployed),
        home_region=_home_region(known, deployed),
        in_project=workflow is not None or broken is not None,
        registered=known is not None and known.registration is not None,
        deployed=deployed,
        regions=regions,
        broken=None if broken is None else str(broken),
    )


def _home_region(known: KnownWorkflow | None, deployed: DeployedWorkflow | None) -> str:
    """Where home is deployed, else where it would be."""
    if deployed is not None:
        return deployed.home.region
    return "" if known is None else known.home_region


def _version(ours: str | None, deployed: DeployedWorkflow | None) -> str:
    """The deployed version, else the project's."""
    return (deployed.placement.workflow_version if deployed else ours) or ""


def _placement(deployed: DeployedWorkflow) -> dict[str, Any]:
    placement = deployed.placement
    return {
        "digest": placement.digest,
        "regions": sorted(placement.regions),
        "expires_at": placement.expires_at.isoformat() if placement.expires_at else None,
    }
