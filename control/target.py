"""Where things are deployed: the stage, and the region of the control plane."""

from __future__ import annotations

from dataclasses import dataclass

from caribou.model.names import WorkflowNames


@dataclass(frozen=True, slots=True)
class Target:
    """Where things are deployed: at a stage, with the control plane in a region."""

    stage: str
    control_region: str

    def names(self, workflow: str) -> WorkflowNames:
        """The fixed names of a workflow's resources."""
        return WorkflowNames(workflow, self.stage)
