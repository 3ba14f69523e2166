"""Whether regions can be deployed to: the account has enabled them, and the CDK is bootstrapped there.

Asked before anything changes: the CDK finds it out in the middle, stack by stack.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from botocore.exceptions import ClientError

from caribou.control.aws import Aws, aws_errors_as, error_code

_NOT_ENABLED = frozenset(
    {"AuthFailure", "InvalidClientTokenId", "OptInRequired", "SubscriptionRequiredException"}
    | {"UnrecognizedClientException"}
)
"""What a region answers that does not know our credentials, which others know."""
_HIDDEN = frozenset({"AccessDenied", "AccessDeniedException"})
"""We may not look; whether the CDK's roles can deploy is seen when they do."""


@dataclass(frozen=True, slots=True)
class Unready:
    """A region to which an account can't deploy: it is not enabled there, or the CDK is not bootstrapped."""

    region: str
    account: str
    is_enabled: bool


def unready(aws: Aws, regions: Iterable[str], qualifier: str) -> tuple[Unready, ...]:
    """Those of some regions that can't be deployed to. `qualifier` is that of the CDK's bootstrap stack.

    Raises OperationFailedError for a region that does not answer.
    """
    states = {region: _is_bootstrapped(aws, region, qualifier) for region in sorted(set(regions))}
    return tuple(
        Unready(region, aws.account(region), is_enabled=state is not None)
        for region, state in states.items()
        if not state
    )


def _is_bootstrapped(aws: Aws, region: str, qualifier: str) -> bool | None:
    """Whether the CDK's bootstrap stack of that qualifier is in a region; None if the region is not enabled."""
    with aws_errors_as(f"Looking whether the CDK is bootstrapped in {region}"):
        try:
            aws.ssm(region).get_parameter(Name=f"/cdk-bootstrap/{qualifier}/version")
        except ClientError as error:
            if error_code(error) in _NOT_ENABLED:
                return None
            if error_code(error) == "ParameterNotFound":
                return False
            if error_code(error) not in _HIDDEN:
                raise
    return True
