"""Whether regions can be deployed to: the account has enabled them, and the CDK is bootstrapped there.

Asked before anything changes, as the CDK finds it out in the middle, stack by stack; and before a problem is made, so
that nothing is solved that a deploy would refuse. One question says both: for the version that `cdk bootstrap` leaves
in Parameter Store. Who may ask it may read nothing else.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import Enum
from shlex import quote

from botocore.exceptions import BotoCoreError, ClientError

from caribou.control.aws import Aws, aws_errors_as, error_code, out_of_reach
from caribou.control.target import DEFAULT_QUALIFIER
from caribou.model.errors import OperationFailedError

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
    answers = _answers(aws, regions, qualifier)
    for answer in answers.values():
        if isinstance(answer, OperationFailedError):
            raise answer
    return tuple(
        Unready(
            region,
            aws.account(region),
            is_enabled=answer is not _Answer.NOT_ENABLED,
            qualifier=qualifier,
            profile=aws.profile,
            silent=answer if isinstance(answer, str) else "",
        )
        for region, answer in answers.items()
        if answer not in (_Answer.BOOTSTRAPPED, _Answer.HIDDEN)
    )


@dataclass(frozen=True, slots=True)
class Readiness:
    """Which of some regions an account can't deploy to. `not_known` are those that do not say, each with why.

    `hidden` are those of which nothing is said, since the caller may ask none of them.
    """

    not_enabled: tuple[str, ...] = ()
    not_bootstrapped: tuple[str, ...] = ()
    not_known: Mapping[str, str] = field(default_factory=dict)
    hidden: tuple[str, ...] = ()


def readiness_of(aws: Aws, regions: Collection[str], home: str, qualifier: str) -> Readiness:
    """Whether each of some regions can be deployed to, `home` among them; all are asked at once, and not for long.

    A region that denies the question while home answers it is not known: most likely a policy of the organisation
    denies everything there. Raises OperationFailedError for an answer of home that says nothing of that.
    """
    with aws.hasty() as hasty:
        answers = _answers(hasty, {home, *regions}, qualifier)
    if isinstance(at_home := answers[home], OperationFailedError):
        raise at_home
    hidden = [region for region, answer in answers.items() if answer is _Answer.HIDDEN]
    not_known = {region: answer for region, answer in answers.items() if isinstance(answer, str)}
    failed = [region for region, answer in answers.items() if isinstance(answer, OperationFailedError)]
    may_look = at_home is not _Answer.HIDDEN
    return Readiness(
        not_enabled=tuple(region for region, answer in answers.items() if answer is _Answer.NOT_ENABLED),
        not_bootstrapped=tuple(region for region, answer in answers.items() if answer is _Answer.NOT_BOOTSTRAPPED),
        not_known={
            **not_known,
            **dict.fromkeys(failed, "it failed"),
            **dict.fromkeys(hidden if may_look else (), "access denied"),
        },
        hidden=() if may_look else tuple(hidden),
    )


class _Answer(Enum):
    """What a region says. That it is out of reach is a text, in a few words how; anything else is an error."""

    BOOTSTRAPPED = 1
    NOT_BOOTSTRAPPED = 2
    NOT_ENABLED = 3
    HIDDEN = 4


_Said = _Answer | str | OperationFailedError


def _answers(aws: Aws, regions: Iterable[str], qualifier: str) -> dict[str, _Said]:
    names = sorted(set(regions))
    for region in names:
        aws.ssm(region)  # made here: sessions are slow at making clients on many threads
    with ThreadPoolExecutor(max_workers=_THREADS) as threads:
        return dict(zip(names, threads.map(lambda region: _answer(aws, region, qualifier), names), strict=True))


def _answer(aws: Aws, region: str, qualifier: str) -> _Said:
    """Whether the CDK's bootstrap stack of that qualifier is in a region."""
    try:
        return _answered(aws, region, qualifier)
    except OperationFailedError as error:
        return error


def _answered(aws: Aws, region: str, qualifier: str) -> _Answer | str:
    with aws_errors_as(f"Looking whether the CDK is bootstrapped in {region}"):
        try:
            aws.ssm(region).get_parameter(Name=f"/cdk-bootstrap/{qualifier}/version")
        except (ClientError, BotoCoreError) as error:
            if why := out_of_reach(error):
                return why
            if isinstance(error, BotoCoreError):
                raise
            if error_code(error) in _NOT_ENABLED:
                return _Answer.NOT_ENABLED
            if error_code(error) == "ParameterNotFound":
                return _Answer.NOT_BOOTSTRAPPED
            if error_code(error) not in _HIDDEN:
                raise
            return _Answer.HIDDEN
    return _Answer.BOOTSTRAPPED
