"""Where things are deployed: the stage, and the region of the control plane."""

from __future__ import annotations

from dataclasses import dataclass

from caribou.model.names import WorkflowNames

QUALIFIER_KEY, DEFAULT_QUALIFIER = "@aws-cdk/core:bootstrapQualifier", "hnb659fds"
"""The context key of `cdk.json` that chooses a bootstrap stack, and the CDK's own choice."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where things are deployed: at a stage, with the control plane in a region.

    `qualifier` is that of the CDK's bootstrap stacks. `project_id` is what the project's stacks are stamped with; None
    if it has no id.
    """

    stage: str
    control_region: str
    qualifier: str = DEFAULT_QUALIFIER
    project_id: str | None = None

    def names(self, workflow: str) -> WorkflowNames:
        """The fixed names of a workflow's resources."""
        return WorkflowNames(workflow, self.stage)
