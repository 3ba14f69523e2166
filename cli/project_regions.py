"""Which regions a project is deployed to: those that `caribou local up` makes ready."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from caribou.cli.output import notify
from caribou.cli.project import context_text, control_region, stage
from caribou.control.target import DEFAULT_QUALIFIER, QUALIFIER_KEY
from caribou.model.errors import CaribouError
from caribou.model.project.folders import nearest_project
from caribou.model.project.workflow import read_workflow, workflow_folders


@dataclass(frozen=True, slots=True)
class ProjectRegions:
    """The regions of a project, each once, and the qualifier of its bootstrap stacks."""

    regions: tuple[str, ...]
    qualifier: str


def regions_of_project(here: Path, otherwise: tuple[str, ...]) -> ProjectRegions:
    """The control region, and the home and allowed regions of each workflow, of the project around a folder.

    Where there is no project, or no workflow in it, they are some others. What of a workflow can't be read is a
    warning.
    """
    root = nearest_project(here)
    if root is None:
        return ProjectRegions(otherwise, DEFAULT_QUALIFIER)
    regions = (control_region(root), *(regions_of_workflows(root) or otherwise))
    return ProjectRegions(tuple(dict.fromkeys(regions)), qualifier_of_project(here))


def qualifier_of_project(here: Path) -> str:
    """The qualifier of the bootstrap stacks of the project around a folder; the CDK's own where there is none."""
    root = nearest_project(here)
    return DEFAULT_QUALIFIER if root is None else context_text(root, QUALIFIER_KEY, DEFAULT_QUALIFIER)


def regions_of_workflows(root: Path) -> tuple[str, ...]:
    """The home and allowed regions of each workflow of a project; what can't be read is a warning."""
    return tuple(dict.fromkeys(_of_workflows(root)))


def _of_workflows(root: Path) -> Iterator[str]:
    for folder in workflow_folders(root):
        try:
            yield from read_workflow(folder, stage(root)).regions
        except CaribouError as error:
            notify(f"warning: the regions of {folder.name} are left out, since it can't be read: {error}")
