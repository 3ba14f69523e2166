"""Where there may be something of ours: only these regions are asked, so that one that nobody uses is not waited for.

A region is named by a manifest, a registration or a placement; and by a bucket: every stack with functions has one,
and home's data, whose name ends in the account and the region. S3 lists the buckets of all regions in one call.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from caribou.control.aws import Aws, aws_errors_as, error_code, out_of_reach
from caribou.control.target import Target
from caribou.model.names import WorkflowNames
from caribou.model.regions import KNOWN_REGIONS

_DENIED = frozenset({"AccessDenied", "AccessDeniedException"})


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """The regions that are worth a question. `buckets` are the account's; None: it could not be asked for them."""

    target: Target
    account: str
    named: frozenset[str]
    buckets: frozenset[str] | None

    @property
    def regions(self) -> frozenset[str]:
        """The regions in which something of the stage may be: every known one if the buckets are not known."""
        if self.buckets is None:
            return frozenset(KNOWN_REGIONS)
        ours = [bucket for bucket in self.buckets if bucket.startswith(f"caribou-{self.target.stage}-")]
        found = {region for region in KNOWN_REGIONS if any(b.endswith(f"-{self.account}-{region}") for b in ours)}
        return frozenset({*self.named, *found, self.target.control_region})

    def of(self, workflow: str) -> frozenset[str]:
        """The regions in which a bucket of a workflow is."""
        names = WorkflowNames(workflow, self.target.stage)
        return frozenset(
            region for region in KNOWN_REGIONS if names.payload_bucket(self.account, region) in (self.buckets or ())
        )


def whereabouts(aws: Aws, target: Target, named: Iterable[str]) -> Whereabouts:
    """Where something of the stage may be, beside the regions that are named. Raises OperationFailedError."""
    named = frozenset(region for region in named if region in KNOWN_REGIONS)
    return Whereabouts(
        target, aws.account(target.control_region), named, _buckets(aws, (target.control_region, *sorted(named)))
    )


def _buckets(aws: Aws, regions: Iterable[str]) -> frozenset[str] | None:
    """The names of the account's buckets, from the first of these regions that answers; None if none may or does."""
    for region in dict.fromkeys(regions):
        with aws_errors_as(f"Listing the account's buckets in {region}"):
            try:
                pages = aws.s3(region).get_paginator("list_buckets").paginate()
                return frozenset(bucket["Name"] for page in pages for bucket in page.get("Buckets", ()))
            except (ClientError, BotoCoreError) as error:
                if isinstance(error, ClientError) and error_code(error) in _DENIED:
                    return None
                if out_of_reach(error) is None:
                    raise
    return None
