"""What the manifest says of the account around: keys, networks and boundary, brought into a stack."""

from __future__ import annotations

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms

from caribou.constructs.surroundings import Surroundings
from caribou.model.manifest import Manifest
from caribou.model.regions import KNOWN_REGIONS


def surroundings_in(stack: Stack, manifest: Manifest, region: str) -> Surroundings:
    """What the resources of a stack stand in; its roles are put under the manifest's boundary, if it has one."""
    _limit(stack, manifest.permissions_boundary)
    arn = manifest.kms_key.get(region)
    key = None if arn is None else kms.Key.from_key_arn(stack, "CustomerKey", arn)
    allowed = manifest.allowed_regions(KNOWN_REGIONS)
    all_keys = tuple(arn for of_region, arn in manifest.kms_key.items() if of_region in allowed)
    return Surroundings(key, manifest.vpc.get(region), all_keys)


def _limit(stack: Stack, boundary: str | None) -> None:
    """Put every role of a stack under a boundary. It is applied last, so it counts even if the app has another one."""
    if boundary is None:
        return
    named = iam.ManagedPolicy.from_managed_policy_name
    found = iam.ManagedPolicy.from_managed_policy_arn if boundary.startswith("arn:") else named
    iam.PermissionsBoundary.of(stack).apply(found(stack, "Boundary", boundary))
