"""Which resources appear and go with a deployment: the templates that it would deploy beside those that are deployed.

What is counted is what stands in the templates, so that it is true of a project's own additions as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from caribou.control.aws import Aws
from caribou.control.deploy.planning import DeployPlan, DeployRequest
from caribou.control.deploy.steps import Action, Step, Thing
from caribou.control.stacks.deployed import find_stack, template_of
from caribou.model.errors import OperationFailedError
from caribou.model.placement import Placement

Template = Mapping[str, Any]


class Synthesiser(Protocol):
    """Synthesises with the CDK."""

    def templates(self, request: DeployRequest, kept: Placement | None = None) -> Mapping[str, Template]:
        """The templates that a request would deploy, by stack name. Raises OperationFailedError.

        `kept` is what is to become the committed placement before, which it is not yet.
        """


@dataclass(frozen=True, slots=True)
class StackChange:
    """What a deployment does to a stack: how many resources of each CloudFormation type appear in it and go from it.

    Of a stack that is only kept, since its placement uses it no longer, they go once it is retired.
    """

    step: Step
    appear: Mapping[str, int] = field(default_factory=dict)
    go: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The change as a JSON object."""
        step = self.step
        return {
            "action": step.action,
            "name": step.name,
            "region": step.region,
            "workflow": step.workflow,
            "appear": dict(self.appear),
            "go": dict(self.go),
        }


def stack_changes(aws: Aws, plan: DeployPlan, synthesiser: Synthesiser) -> tuple[StackChange, ...]:
    """What a plan does to its stacks, in the order of its steps. Reads; changes nothing."""
    steps = [step for step in plan.steps if step.thing is Thing.STACK]
    kept = next((placed.placement for placed in plan.workflows if placed.commits), None)
    new = synthesiser.templates(plan.request, kept)
    return tuple(_change(aws, step, new) for step in steps)


def compared(step: Step, old: Template, new: Template) -> StackChange:
    """What is in one template only, by logical id; what changes its type goes and appears. Pure."""
    before, after = _types(old), _types(new)
    appear = Counter(kind for name, kind in after.items() if before.get(name) != kind)
    go = Counter(kind for name, kind in before.items() if after.get(name) != kind)
    return StackChange(step, dict(sorted(appear.items())), dict(sorted(go.items())))


def _change(aws: Aws, step: Step, new: Mapping[str, Template]) -> StackChange:
    if step.action is Action.SKIP:  # its region does not answer
        return StackChange(step)
    old = {} if step.action is Action.CREATE else _deployed(aws, step)
    if step.action is Action.KEEP:
        return compared(step, old, {})
    if step.name not in new:
        raise OperationFailedError(
            f"The project's CDK app makes no stack {step.name}, which is to be deployed to {step.region}. Look at its "
            f"app.py, and at the stage in cdk.json; `cdk list` names what it makes"
        )
    return compared(step, old, new[step.name])


def _deployed(aws: Aws, step: Step) -> Template:
    stack = find_stack(aws, step.name, step.region)
    return {} if stack is None else template_of(aws, stack)


def _types(template: Template) -> dict[str, str]:
    resources = template.get("Resources")
    found = resources.items() if isinstance(resources, Mapping) else ()
    kinds = {name: one.get("Type") for name, one in found if isinstance(one, Mapping)}
    return {name: kind for name, kind in kinds.items() if isinstance(kind, str) and kind != "AWS::CDK::Metadata"}
