"""Facts for the decision on a region, read from CloudFormation, SQS and the record table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from caribou.control.aws import Aws, aws_errors_as
from caribou.control.migrate.retirement import HomeFacts, RegionStackFacts
from caribou.control.stacks.deployed import DeployedStack, DeployedWorkflow, resources
from caribou.control.stacks.stateful import ResourceType

if TYPE_CHECKING:
    from mypy_boto3_sqs.literals import QueueAttributeNameType

_COUNTS: tuple[QueueAttributeNameType, ...] = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


def home_facts(deployed: DeployedWorkflow) -> HomeFacts:
    """What home says."""
    home = deployed.home
    return HomeFacts(deployed.placement, home.changed_at.timestamp(), home.status, home.is_settled)


def region_facts(aws: Aws, stack: DeployedStack, read_to: Callable[[Sequence[str]], float | None]) -> RegionStackFacts:
    """What a region's stack says; `read_to` says up to when log groups were read."""
    groups = resources(aws, stack, ResourceType.LOG_GROUP)
    return RegionStackFacts(
        region=stack.region,
        changed_s=stack.changed_at.timestamp(),
        status=stack.status,
        is_busy=stack.is_busy,
        messages=sum(messages_in(aws, stack.region, url) for url in resources(aws, stack, ResourceType.QUEUE)),
        log_groups=len(groups),
        read_to_s=read_to(groups) if groups else None,
    )


def messages_in(aws: Aws, region: str, queue_url: str) -> int:
    """How many messages are in a queue, in flight and delayed ones too; none if the queue is gone."""
    client = aws.sqs(region)
    with aws_errors_as(f"Looking into the queue {queue_url} in {region}"):
        try:
            answer = client.get_queue_attributes(QueueUrl=queue_url, AttributeNames=list(_COUNTS))
        except client.exceptions.QueueDoesNotExist:
            return 0
    return sum(int(answer["Attributes"].get(name, "0")) for name in _COUNTS)
