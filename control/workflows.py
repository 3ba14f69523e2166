"""The workflows that the loop looks after: those of the project, and those that are registered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from caribou.model.project.workflow import Workflow
from caribou.model.registration import Registration

MAX_TIMEOUT_S = 900
"""Lambda's longest timeout: what a workflow counts with whose manifest is not at hand."""


@dataclass(frozen=True, slots=True)
class KnownWorkflow:
    """A workflow, by what the project says (`workflow`) and by what is registered; at least one of them is there."""

    name: str
    workflow: Workflow | None
    registration: Registration | None

    @property
    def home_region(self) -> str:
        """The home region: the registered one, since that is where it was deployed."""
        if self.registration is not None:
            return self.registration.home_region
        assert self.workflow is not None, "a known workflow comes from a project or a registration"
        return self.workflow.manifest.home_region

    @property
    def regions(self) -> tuple[str, ...]:
        """Every region that it may run in, by the project or by the registration, home among them."""
        ours = () if self.workflow is None else self.workflow.regions
        registered = () if self.registration is None else self.registration.regions
        return tuple(sorted({*ours, *registered, self.home_region}))

    @property
    def longest_timeout_s(self) -> float:
        """The longest timeout of its functions."""
        if self.workflow is None:
            return MAX_TIMEOUT_S
        return max(settings.timeout_s for settings in self.workflow.manifest.functions.values())


def known_workflows(workflows: Iterable[Workflow], registrations: Iterable[Registration]) -> tuple[KnownWorkflow, ...]:
    """All workflows by name, each with what is known of it."""
    ours = {workflow.name: workflow for workflow in workflows}
    registered = {registration.workflow: registration for registration in registrations}
    names: Sequence[str] = sorted({*ours, *registered})
    return tuple(KnownWorkflow(name, ours.get(name), registered.get(name)) for name in names)
