"""Names that must not fall together, or grow too long, whatever a workflow's placement is today."""

from __future__ import annotations

from collections.abc import Iterable

from caribou.model.errors import InvalidInputError
from caribou.model.names import MAX_FUNCTION_NAME, WorkflowNames, stack_name, workflow_stack_id
from caribou.model.project.workflow import Workflow
from caribou.model.regions import KNOWN_REGIONS
from caribou.model.template_contract import REGISTRATION_PART


def refuse_equal_names(workflows: Iterable[str]) -> None:
    """Raise InvalidInputError if two workflows could ever come to have a stack, or a bucket, of the same name.

    Underscores become hyphens in stacks, and capitals small letters in buckets.
    """
    owners: dict[str, str] = {}
    for workflow in workflows:
        for part in (None, REGISTRATION_PART, *KNOWN_REGIONS):
            name = stack_name(workflow_stack_id(workflow, part))
            other = owners.setdefault(name.lower(), workflow)
            if other != workflow:
                raise InvalidInputError(
                    "two workflows would have a stack of the same name",
                    where=name,
                    found=f"{other} and {workflow}",
                    fix="rename one of them",
                )


def refuse_long_names(workflow: Workflow, stage: str) -> None:
    """Raise InvalidInputError if the stage makes a function's name too long for Lambda."""
    names = [WorkflowNames(workflow.name, stage).function(function.name) for function in workflow.graph.functions]
    longest = max(names, key=len)
    if len(longest) > MAX_FUNCTION_NAME:
        raise InvalidInputError(
            f"the Lambda function's name is longer than {MAX_FUNCTION_NAME} characters",
            where=str(workflow.folder),
            found=longest,
            fix=f"shorten the stage's, the workflow's or the function's name by {len(longest) - MAX_FUNCTION_NAME}",
        )
