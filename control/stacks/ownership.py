"""Which stacks are ours, and whose. Pure.

A stack of ours has the name that its workflow, role and region give it, and says so in its output. One that an earlier
version has made lacks that, and has either our tags or none of them: a user's tags replace a stack's own. All of this
can be on any stack, so before one is deleted, its template must also be what our stacks' are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from caribou.model.names import CONTROL_PLANE_STACK_ID, stack_name, workflow_stack_id
from caribou.model.template_contract import (
    PROJECT,
    REGISTRATION_PART,
    Output,
    StackRole,
    Tag,
    placement_data,
    stack_mark,
)


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a stack is: a workflow (empty for the control plane), and in which role."""

    workflow: str
    role: StackRole


def owner_of(answer: Mapping[str, Any], stage: str, region: str, known: Iterable[str] = ()) -> Owner | None:
    """The owner of a stack in an answer of DescribeStacks, by its name and its output, else its tags; None if not ours.

    One with neither is that of a `known` workflow whose stack here would have its name.
    """
    candidates = _candidates(outputs_in(answer), tags_in(answer), stage, known)
    return next((owner for owner in candidates if _name(owner, stage, region) == answer["StackName"]), None)


def outputs_in(answer: Mapping[str, Any]) -> dict[str, str]:
    """The outputs of a stack; one that is still being made has none."""
    return {output["OutputKey"]: output.get("OutputValue", "") for output in answer.get("Outputs", ())}


def tags_in(answer: Mapping[str, Any]) -> dict[str, str]:
    """The tags of a stack."""
    return {tag["Key"]: tag["Value"] for tag in answer.get("Tags", ())}


def _candidates(
    outputs: Mapping[str, str], tags: Mapping[str, str], stage: str, known: Iterable[str]
) -> Iterator[Owner]:
    """Whose a stack may be, if its name says the same."""
    if (mark := outputs.get(Output.STACK)) is not None:
        workflows = mark.split("/")[1:-1]
        for role in StackRole:
            if mark == stack_mark(stage, role, *workflows[:1]):
                yield Owner("".join(workflows), role)
    elif not any(tag in tags for tag in Tag):
        for workflow in known:
            yield from (Owner(workflow, role) for role in StackRole if role is not StackRole.CONTROL)
    elif tags.get(Tag.PROJECT) == PROJECT and tags.get(Tag.STAGE) == stage:
        yield from (Owner(tags.get(Tag.WORKFLOW, ""), role) for role in StackRole if role == tags.get(Tag.ROLE))


def _name(owner: Owner, stage: str, region: str) -> str:
    """What the owner's stack in a region is called."""
    match owner.role:
        case StackRole.CONTROL:
            return stack_name(CONTROL_PLANE_STACK_ID, stage)
        case StackRole.HOME:
            return stack_name(workflow_stack_id(owner.workflow), stage)
        case StackRole.REGISTRATION:
            return stack_name(workflow_stack_id(owner.workflow, REGISTRATION_PART), stage)
        case StackRole.REGION:
            return stack_name(workflow_stack_id(owner.workflow, region), stage)


def is_our_template(template: Mapping[str, Any], workflow: str, role: str) -> bool:
    """Whether a template is what ours of this role are: it says so, or carries what the tools read there."""
    said = _part(_part(template, "Outputs"), Output.STACK).get("Value")
    if isinstance(said, str):
        return said.split("/")[1:] == [part for part in (workflow, role) if part]  # the control plane has no workflow
    if role == StackRole.HOME:
        placement = placement_data(template)
        return isinstance(placement, dict) and placement.get("workflow") == workflow
    if role == StackRole.REGION:
        return Output.HOME_REGION in _part(template, "Outputs")
    if role == StackRole.REGISTRATION:
        resources = _part(template, "Resources").values()
        names = [_part(r, "Properties").get("Name") for r in resources if isinstance(r, dict)]
        return any(str(name).endswith(f"/workflows/{workflow}") for name in names)
    if role == StackRole.CONTROL:
        return Output.PLACEMENT_BUCKET in _part(template, "Outputs")
    return False


def _part(template: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = template.get(key)
    return found if isinstance(found, dict) else {}
