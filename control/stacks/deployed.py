"""What is deployed, as CloudFormation says it: its outputs, templates and tags count, never a file at hand."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from caribou.control.aws import Aws, aws_errors_as, error_code, out_of_reach
from caribou.control.stacks.ownership import outputs_in, owner_of, tags_in
from caribou.control.target import Target
from caribou.model.errors import OperationFailedError
from caribou.model.names import stack_name, workflow_stack_id
from caribou.model.placement import Placement
from caribou.model.template_contract import METADATA_KEY, Output, Tag, placement_data

_NOT_THERE = frozenset(
    {"DELETE_COMPLETE", "REVIEW_IN_PROGRESS", "CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED"}
)
"""States of a stack that is gone, or that never came up."""
_THREADS = 32
_SHOWN = 3
"""How many regions are named in a line."""
_NOT_ENABLED = frozenset(
    {"AuthFailure", "InvalidClientTokenId", "OptInRequired", "UnrecognizedClientException", "AccessDenied"}
    | {"AccessDeniedException", "SignatureDoesNotMatch"}
)
"""Error codes of a region that refuses the credentials: it is off, or they may not look there. What is in it is not
known, as stacks outlive a region's being switched off."""


@dataclass(frozen=True, slots=True)
class DeployedStack:
    """A stack of ours. `id` is its ARN, `changed_at` when it was last updated, or made."""

    id: str
    name: str
    region: str
    workflow: str
    role: str
    status: str
    changed_at: datetime
    outputs: Mapping[str, str] = field(default_factory=dict)

    @property
    def project_id(self) -> str | None:
        """The id of the project that deployed it; None if that has none, or it is of an earlier version."""
        return self.outputs.get(Output.PROJECT_ID)

    @property
    def is_there(self) -> bool:
        """Whether it came up once and is not gone."""
        return self.status not in _NOT_THERE

    @property
    def is_settled(self) -> bool:
        """Whether nothing is being done to it, and its last update ended well or was rolled back well."""
        return self.status in {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"}

    @property
    def is_busy(self) -> bool:
        """Whether CloudFormation is at work on it; it is not on one whose first change set waits for review."""
        return self.status.endswith("_IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"


@dataclass(frozen=True, slots=True)
class DeployedWorkflow:
    """A workflow's home stack, with the placement that it serves."""

    home: DeployedStack
    placement: Placement

    @property
    def placement_digest(self) -> str:
        """The digest in the home stack's output."""
        return self.home.outputs.get(Output.PLACEMENT_DIGEST, self.placement.digest)

    @property
    def graph_digest(self) -> str | None:
        """The digest of the deployed graph; None if the stack has none."""
        return self.home.outputs.get(Output.GRAPH_DIGEST)


@dataclass(frozen=True, slots=True)
class Found:
    """All stacks of ours that were found, and the regions that could not be searched, with AWS's code or no answer."""

    stacks: tuple[DeployedStack, ...]
    unsearched: Mapping[str, str] = field(default_factory=dict)

    def unseen(self, regions: Iterable[str]) -> dict[str, str]:
        """Those of some regions of which it is not known what is there, each with the error code."""
        return {region: self.unsearched[region] for region in sorted(regions) if region in self.unsearched}

    def may_come_back(self, region: str) -> bool:
        """Whether a region that was not searched is out of order; one that refuses us may be off for good."""
        return region in self.unsearched and self.unsearched[region] not in _NOT_ENABLED

    def of(self, workflow: str, role: str) -> tuple[DeployedStack, ...]:
        """The stacks of a role of a workflow, by region."""
        return tuple(stack for stack in self.stacks if (stack.workflow, stack.role) == (workflow, role))

    @property
    def workflows(self) -> tuple[str, ...]:
        """The names of the workflows that have a stack."""
        return tuple(sorted({stack.workflow for stack in self.stacks if stack.workflow}))


def said_of(unseen: Mapping[str, str]) -> str:
    """In a few words, which regions were not seen, and why: `il-central-1 (no answer)`; of many, some."""
    by_reason: dict[str, list[str]] = {}
    for region, why in sorted(unseen.items()):
        by_reason.setdefault(why, []).append(region)
    return "; ".join(f"{_some(regions)} ({why})" for why, regions in by_reason.items())


def _some(regions: Sequence[str]) -> str:
    shown = ", ".join(regions[:_SHOWN])
    return shown if len(regions) <= _SHOWN else f"{shown} and {len(regions) - _SHOWN} more"


def find_stacks(aws: Aws, stage: str, workflows: Iterable[str], regions: Iterable[str]) -> Found:
    """Every stack of a stage in these regions, one listing a region, regions in parallel.

    They are found by their names, with the output or the tags that say what they are; those of the workflows named by
    their names alone, as a stack of an earlier version must be whose tags a user's have replaced. A region that refuses
    the credentials, does not answer or is out of order is listed, no error; any other failure is OperationFailedError,
    since a stack that is overlooked would be taken for one that is not there.
    """
    known = tuple(workflows)
    names = sorted(set(regions))
    for region in names:
        aws.cloudformation(region)  # made here: sessions are slow at making clients on many threads
    with ThreadPoolExecutor(max_workers=_THREADS) as threads:
        answers = list(threads.map(lambda region: _listed(aws, stage, region, known), names))
    stacks = [stack for answer in answers if isinstance(answer, list) for stack in answer]
    unsearched = {region: a for region, a in zip(names, answers, strict=True) if isinstance(a, str)}
    if names and len(unsearched) == len(names):
        raise OperationFailedError(
            f"No region can be searched for stacks: {said_of(unsearched)}. Look at the network and your credentials"
        )
    return Found(tuple(sorted(stacks, key=lambda s: (s.workflow, s.role, s.region))), unsearched)


def _listed(aws: Aws, stage: str, region: str, known: tuple[str, ...]) -> list[DeployedStack] | str:
    """The region's stacks of ours, or why they can't be listed."""
    try:
        pages = aws.cloudformation(region).get_paginator("describe_stacks").paginate()
        found = [_ours(stack, stage, region, known) for page in pages for stack in page["Stacks"]]
    except (ClientError, BotoCoreError) as error:
        if isinstance(error, ClientError) and error_code(error) in _NOT_ENABLED:
            return error_code(error)
        if why := out_of_reach(error):
            return why
        raise OperationFailedError(f"Listing the stacks of {region} failed: {error}") from error
    return [stack for stack in found if stack is not None]


def home_stack(aws: Aws, workflow: str, stage: str, region: str) -> DeployedStack | None:
    """A workflow's home stack in a region, by its name; None if there is none, or one that never came up."""
    return find_stack(aws, stack_name(workflow_stack_id(workflow), stage), region)


def find_stack(aws: Aws, name: str, region: str) -> DeployedStack | None:
    """A stack by its name or ARN; None if there is none, or one that never came up, or is gone."""
    stack = any_stack(aws, name, region)
    return stack if stack is not None and stack.is_there else None


def any_stack(aws: Aws, name: str, region: str) -> DeployedStack | None:
    """A stack by its name or ARN, also one that never came up; None if there is none, or it is gone."""
    try:
        answer = aws.cloudformation(region).describe_stacks(StackName=name)
    except ClientError as error:
        if error_code(error) == "ValidationError" and "does not exist" in str(error):
            return None
        raise OperationFailedError(f"Looking for the stack {name} in {region} failed: {error}") from error
    except BotoCoreError as error:
        raise OperationFailedError(f"Looking for the stack {name} in {region} failed: {error}") from error
    stacks = [stack_of(stack, region) for stack in answer["Stacks"]]
    return next((stack for stack in stacks if stack.status != "DELETE_COMPLETE"), None)


def is_foreign(stack: DeployedStack, target: Target) -> bool:
    """Whether a stack is stamped with the id of a project other than the one at hand, be that without any."""
    return stack.project_id not in (None, target.project_id)


def deployed_workflow(aws: Aws, home: DeployedStack) -> DeployedWorkflow:
    """The home stack with the placement out of its template. Raises OperationFailedError if it has none."""
    return DeployedWorkflow(home, placement_in(template_of(aws, home), f"{home.name} in {home.region}"))


def placement_in(template: Mapping[str, Any], where: str) -> Placement:
    """The placement in a home stack's template. Raises OperationFailedError and InvalidPlacementError."""
    data = placement_data(template)
    if data is None:
        raise OperationFailedError(
            f"The stack {where} has no placement: its template's Metadata lacks {METADATA_KEY}. "
            f"Deploy the workflow again"
        )
    return Placement.from_json(data, where=f"Metadata of {where}")


def template_of(aws: Aws, stack: DeployedStack) -> dict[str, Any]:
    """A stack's template; empty if it is not JSON, as ours are."""
    with aws_errors_as(f"Reading the template of {stack.name} in {stack.region}"):
        return template_in(aws.cloudformation(stack.region).get_template(StackName=stack.id)["TemplateBody"])


def template_in(body: object) -> dict[str, Any]:
    """The template in an answer, where it is JSON's text or value; empty if it is neither."""
    try:
        template = json.loads(body) if isinstance(body, str) else body
    except (ValueError, RecursionError):
        return {}
    return template if isinstance(template, dict) else {}


def resources(aws: Aws, stack: DeployedStack, kind: str) -> tuple[str, ...]:
    """Physical ids of a stack's resources of a CloudFormation type that are still there."""
    with aws_errors_as(f"Listing the resources of {stack.name} in {stack.region}"):
        pages = aws.cloudformation(stack.region).get_paginator("list_stack_resources").paginate(StackName=stack.id)
        return tuple(
            resource["PhysicalResourceId"]
            for page in pages
            for resource in page["StackResourceSummaries"]
            if resource["ResourceType"] == kind
            and resource["ResourceStatus"] != "DELETE_COMPLETE"
            and resource.get("PhysicalResourceId")
        )


def stack_of(answer: Mapping[str, Any], region: str) -> DeployedStack:
    """The stack in an answer of DescribeStacks."""
    tags = tags_in(answer)
    changed: datetime = answer.get("LastUpdatedTime") or answer["CreationTime"]
    return DeployedStack(
        id=answer["StackId"],
        name=answer["StackName"],
        region=region,
        workflow=tags.get(Tag.WORKFLOW, ""),
        role=tags.get(Tag.ROLE, ""),
        status=answer["StackStatus"],
        changed_at=changed.astimezone(UTC),
        outputs=outputs_in(answer),
    )


def _ours(answer: Mapping[str, Any], stage: str, region: str, known: tuple[str, ...]) -> DeployedStack | None:
    """The stack in an answer, if it is ours."""
    owner = owner_of(answer, stage, region, known)
    return None if owner is None else replace(stack_of(answer, region), workflow=owner.workflow, role=owner.role)
