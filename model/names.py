"""Deterministic names of what another region or the CLI addresses; everything else gets CloudFormation's.

`caribou-<stage>-<workflow>-<part>`; tables end in a schema generation, raised when a change would replace them.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from caribou.model.errors import InvalidInputError

STAGE_KEY, CONTROL_REGION_KEY = "caribou:stage", "caribou:control_region"
STAGES_KEY, PROJECT_ID_KEY = "caribou:stages", "caribou:project"
ALARM_TOPIC_KEY = "caribou:alarm_topic"
SOURCE_URLS_KEY, SOURCE_KEYS_KEY = "caribou:source_urls", "caribou:source_keys"
SOURCE_ZONES_KEY, SOURCE_SIGNALS_KEY = "caribou:source_zones", "caribou:source_signals"
MARGINAL_SOURCE_KEY, COLLECT_AT_KEY = "caribou:marginal_source", "caribou:collect_at"
"""Context keys of `cdk.json`: the stage, the region of the control plane, the stages that there are, each with its
environment, and the project's id, with which its stacks are stamped."""
DEFAULT_STAGE = "dev"
DEFAULT_CONTROL_REGION = "us-west-2"
CONTROL_PLANE_STACK_ID = "CaribouControlPlane"
TABLE_GENERATION = 1
RESERVED_WORKFLOWS = frozenset({"collector", "placements"})
"""Names, in small letters, that no workflow may have: the control plane's functions and bucket have the same names."""
MAX_FUNCTION_NAME = 64  # Lambda, CreateFunction, FunctionName
MAX_BUCKET_NAME = 63  # S3, bucket naming rules


def stack_name(construct_id: str, stage: str = DEFAULT_STAGE) -> str:
    """The CloudFormation name of a stack: underscores become hyphens; a stage but the default stands in front."""
    name = construct_id.replace("_", "-")
    return name if stage == DEFAULT_STAGE else f"{stage}-{name}"


def workflow_stack_id(workflow: str, part: str | None = None) -> str:
    """The construct id of a workflow's stack: home's, or that of a region or of the registration."""
    return f"Workflow-{workflow}" if part is None else f"Workflow-{workflow}-{part}"


def refuse_reserved_name(workflow: str, where: str) -> None:
    """Raise InvalidInputError for a workflow whose functions or bucket would have the names of the control plane's.

    A stage can't collide: it has no hyphen and no underscore, and every fixed name has it in the same place.
    """
    if workflow.lower() in RESERVED_WORKFLOWS:
        raise InvalidInputError(
            "is a name that the control plane needs for itself",
            where=where,
            found=workflow,
            fix=f"use another name; no workflow may be called {', '.join(sorted(RESERVED_WORKFLOWS))}",
        )


@dataclass(frozen=True, slots=True)
class WorkflowNames:
    """The fixed names of one workflow at one stage."""

    workflow: str
    stage: str = DEFAULT_STAGE

    @property
    def _prefix(self) -> str:
        return f"caribou-{self.stage}-{self.workflow}"

    def function(self, function: str) -> str:
        """Name of the Lambda function, in every region."""
        return f"{self._prefix}-{function}"

    def topic(self, function: str) -> str:
        """Name of the internal SNS topic that starts the function, to which only the workflow's own roles publish."""
        return self.function(function)

    @property
    def start_topic(self) -> str:
        """Name of the SNS topic, at home, to which clients publish what runs are to work on.

        It is the workflow's own, without a part: no function's topic can have it, whatever the function is called.
        """
        return self._prefix

    def failure_queue(self, function: str) -> str:
        """Name of the queue of events that no attempt could process, which the sweeper reads from home."""
        return self.function(function)

    def log_group(self, function: str) -> str:
        """Name of the function's log group."""
        return f"/aws/lambda/{self.function(function)}"

    @property
    def run_table(self) -> str:
        """Name of the table of run items, at home."""
        return f"{self._prefix}-runs-{TABLE_GENERATION}"

    @property
    def sync_table(self) -> str:
        """Name of the table of claims and sync state, in each region."""
        return f"{self._prefix}-sync-{TABLE_GENERATION}"

    def payload_bucket(self, account: str, region: str) -> str:
        """Name of the bucket of large payloads; `account` may be a CloudFormation token of 12 digits.

        S3 allows no underscores and 63 characters; a longer name keeps its start and a digest of the whole.
        """
        readable = f"{self._prefix}".replace("_", "-").lower()
        room = MAX_BUCKET_NAME - len(f"-{'0' * 12}-{region}")
        if len(readable) > room:
            readable = f"{readable[: room - 9]}-{hashlib.sha256(self._prefix.encode()).hexdigest()[:8]}"
        return f"{readable}-{account}-{region}"

    @property
    def alarm(self) -> str:
        """Name of the alarm that notifies somebody, at home, and what the names of those that it is over begin with."""
        return self._prefix

    @property
    def registration(self) -> str:
        """Name of the SSM parameter from which the control plane knows the workflow."""
        return f"{registrations_path(self.stage)}/{self.workflow}"


def registrations_path(stage: str = DEFAULT_STAGE) -> str:
    """The SSM path under which workflows are registered."""
    return f"/caribou/{stage}/workflows"


def checked_stage(stage: str, where: str) -> str:
    """The stage, if it can be part of the names of stacks (no `_`) and buckets (no capitals, not too long)."""
    if re.fullmatch(r"[a-z][a-z0-9]{0,15}", stage):
        return stage
    raise InvalidInputError(
        "is no name for a stage",
        where=where,
        found=stage,
        fix="use at most 16 small letters and digits, beginning with a letter",
    )
