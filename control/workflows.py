"""The workflows that the loop looks after: those of the project, and those that are registered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from caribou.model.errors import CaribouError
from caribou.model.project.workflow import Workflow, read_workflow
from caribou.model.registration import Registration

MAX_TIMEOUT_S = 900
"""Lambda's longest timeout: what a workflow counts with whose manifest is not at hand."""


@dataclass(frozen=True, slots=True)
class KnownWorkflow:
    """A workflow, by what the project says (`workflow`) and by what is registered; at least one of them is there.

    Unless it is `broken`: then this is why the project's folder of it can't be read, and nothing else may be known.
    """

    name: str
    workflow: Workflow | None
    registration: Registration | None
    broken: CaribouError | None = None

    @property
    def home_region(self) -> str:
        """The home region: the registered one, since that is where it was deployed; empty if nothing says it."""
        if self.registration is not None:
            return self.registration.home_region
        return "" if self.workflow is None else self.workflow.manifest.home_region

    @property
    def regions(self) -> tuple[str, ...]:
        """Every region that it may run in, by the project or by the registration, home among them."""
        ours = () if self.workflow is None else self.workflow.regions
        registered = () if self.registration is None else self.registration.regions
        return tuple(sorted({*ours, *registered, self.home_region} - {""}))

    @property
    def longest_timeout_s(self) -> float:
        """The longest timeout of its functions."""
        if self.workflow is None:
            return MAX_TIMEOUT_S
        return max(settings.timeout_s for settings in self.workflow.manifest.functions.values())


def known_workflows(
    workflows: Iterable[Workflow],
    registrations: Iterable[Registration],
    broken: Mapping[str, CaribouError] | None = None,
) -> tuple[KnownWorkflow, ...]:
    """All workflows by name, each with what is known of it. `broken` is why folders of the project can't be read."""
    ours, unread = {workflow.name: workflow for workflow in workflows}, broken or {}
    registered = {registration.workflow: registration for registration in registrations}
    names: Sequence[str] = sorted({*ours, *registered, *unread})
    return tuple(KnownWorkflow(name, ours.get(name), registered.get(name), unread.get(name)) for name in names)


def read_each(folders: Iterable[Path], stage: str) -> tuple[list[Workflow], dict[str, CaribouError]]:
    """The workflows in some folders, as they are at a stage, and by its name why one of them can't be read.

    That does not keep the others.
    """
    found: list[Workflow] = []
    broken: dict[str, CaribouError] = {}
    for folder in folders:
        try:
            found.append(read_workflow(folder, stage))
        except CaribouError as error:
            broken[folder.name] = error
    return found, broken
