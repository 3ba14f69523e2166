"""Which stacks are ours, and whose. Pure.

Tags can be on any stack, and can be missing, so a stack of ours has the name that its workflow, role and region give
it, and either our tags or none of them. Before one is deleted, its template must also be what our stacks' are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from caribou.model.names import CONTROL_PLANE_STACK_ID, stack_name, workflow_stack_id
from caribou.model.template_contract import PROJECT, REGISTRATION_PART, Output, StackRole, Tag, placement_data


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a stack is: a workflow (empty for the control plane), and in which role."""

    workflow: str
    role: StackRole


def owner_of(name: str, tags: Mapping[str, str], stage: str, region: str, known: Iterable[str] = ()) -> Owner | None:
    """The owner of a stack at a stage, by its name and tags; None if it is not ours.

    One without any tag of ours is that of a `known` workflow whose stack here would have its name.
    """
    if not any(tag in tags for tag in Tag):
        candidates = (
            Owner(workflow, role) for workflow in known for role in StackRole if role is not StackRole.CONTROL
        )
    elif tags.get(Tag.PROJECT) == PROJECT and tags.get(Tag.STAGE) == stage:
        roles = (role for role in StackRole if role == tags.get(Tag.ROLE))
        candidates = (Owner(tags.get(Tag.WORKFLOW, ""), role) for role in roles)
    else:
        return None
    return next((owner for owner in candidates if _name(owner, stage, region) == name), None)


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
    """Whether a template is what ours of this role are: it carries what the tools read there."""
    if role == StackRole.HOME:
        placement = placement_data(template)
        return isinstance(placement, dict) and placement.get("workflow") == workflow
    if role == StackRole.REGION:
        return Output.HOME_REGION in _part(template, "Outputs")
    if role == StackRole.REGISTRATION:
        resources = _part(template, "Resources").values()
        names = [_part(r, "Properties").get("Name") for r in resources if isinstance(r, dict)]
        return any(str(name).endswith(f"/workflows/{workflow}") for name in names)
    return False


def _part(template: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = template.get(key)
    return found if isinstance(found, dict) else {}
