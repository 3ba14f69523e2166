"""Whether regions can be deployed to: the account has enabled them, and the CDK is bootstrapped there.

Asked before anything changes: the CDK finds it out in the middle, stack by stack.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from shlex import quote

from botocore.exceptions import BotoCoreError, ClientError

from caribou.control.aws import Aws, aws_errors_as, error_code, out_of_reach
from caribou.control.target import DEFAULT_QUALIFIER

_NOT_ENABLED = frozenset(
    {"AuthFailure", "InvalidClientTokenId", "OptInRequired", "SubscriptionRequiredException"}
    | {"UnrecognizedClientException"}
)
"""What a region answers that does not know our credentials, which others know."""
_THREADS = 32
_HIDDEN = frozenset({"AccessDenied", "AccessDeniedException"})
"""We may not look; whether the CDK's roles can deploy is seen when they do."""


@dataclass(frozen=True, slots=True)
class Unready:
    """A region to which an account can't deploy: it is not enabled there, or the CDK is not bootstrapped.

    Or it is not known, as it does not answer: `silent` says how.
    """

    region: str
    account: str
    is_enabled: bool
    qualifier: str = DEFAULT_QUALIFIER
    profile: str | None = None
    silent: str = ""


def bootstrap_command(regions: Sequence[Unready]) -> str:
    """The command that bootstraps regions of one account with their qualifier, as it can be copied into a shell.

    Bootstrap stacks of several qualifiers need names of their own, or each would replace the other.
    """
    qualifier, profile = regions[0].qualifier, regions[0].profile
    own = ("--qualifier", qualifier, "--toolkit-stack-name", f"CDKToolkit-{qualifier}")
    words = (
        *("cdk", "bootstrap"),
        *(() if qualifier == DEFAULT_QUALIFIER else own),
        *(() if profile is None else ("--profile", profile)),
        *(f"aws://{one.account}/{one.region}" for one in regions),
    )
    return " ".join(map(quote, words))


def unready(aws: Aws, regions: Iterable[str], qualifier: str) -> tuple[Unready, ...]:
    """Those of some regions that can't be deployed to. `qualifier` is that of the CDK's bootstrap stack.

    Raises OperationFailedError for an answer that says nothing of that.
    """
    names = sorted(set(regions))
    for region in names:
        aws.ssm(region)  # made here: sessions are slow at making clients on many threads
    with ThreadPoolExecutor(max_workers=_THREADS) as threads:
        states = list(threads.map(lambda region: _is_bootstrapped(aws, region, qualifier), names))
    return tuple(
        Unready(
            region,
            aws.account(region),
            is_enabled=state is not None,
            qualifier=qualifier,
            profile=aws.profile,
            silent=state if isinstance(state, str) else "",
        )
        for region, state in zip(names, states, strict=True)
        if state is not True
    )


def _is_bootstrapped(aws: Aws, region: str, qualifier: str) -> bool | str | None:
    """Whether the CDK's bootstrap stack of that qualifier is in a region.

    None if the region is not enabled; if it does not answer, in a few words how.
    """
    with aws_errors_as(f"Looking whether the CDK is bootstrapped in {region}"):
        try:
            aws.ssm(region).get_parameter(Name=f"/cdk-bootstrap/{qualifier}/version")
        except (ClientError, BotoCoreError) as error:
            if why := out_of_reach(error):
                return why
            if isinstance(error, BotoCoreError):
                raise
            if error_code(error) in _NOT_ENABLED:
                return None
            if error_code(error) == "ParameterNotFound":
                return False
            if error_code(error) not in _HIDDEN:
                raise
    return True
