"""Regions that a problem leaves out, as a deploy would refuse a placement there. Pure.

What was observed there stays in the problem: it says how the workflow runs. No node is placed there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from caribou.collectors.facts import Facts
from caribou.collectors.summary import run_regions
from caribou.control.plan.noted import NOT_ASKED, NOT_BOOTSTRAPPED, NOT_ENABLED, NOT_KNOWN, WITHOUT_ARM64
from caribou.control.stacks.readiness import Readiness
from caribou.model.errors import InvalidProblemError, OperationFailedError
from caribou.model.manifest import Manifest

ARM64 = "arm64"
_WHAT = "whether the account has enabled the regions, and the CDK is bootstrapped there"
"""What is not known where nobody was asked."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Regions in which no node may be placed, and what a problem's provenance says of that."""

    regions: frozenset[str]
    provenance: Mapping[str, str]


def left_out(manifest: Manifest, facts: Facts, readiness: Readiness | None) -> LeftOut:
    """What a problem leaves out of the regions that its manifest allows; `readiness` None: the account was not asked.

    Raises InvalidProblemError if home, or a region that a function is kept in, can't be deployed to, and
    OperationFailedError if that is not known of home.
    """
    asked = run_regions(manifest)
    without_arm64 = _without_arm64(asked, facts) if manifest.architecture == ARM64 else ()
    said = {
        WITHOUT_ARM64: _text(without_arm64, "Lambda has no arm64 there, so no node is placed there"),
        **({NOT_ASKED: _WHAT} if readiness is None else _of_account(readiness, asked)),
    }
    account = readiness or Readiness()
    for region, what in _needed(manifest):
        _check(region, what, without_arm64, account)
    if (why := account.not_known.get(manifest.home_region)) is not None:
        raise OperationFailedError(f"{manifest.home_region}, which is home, is out of reach ({why}). Try again later")
    unready = {*without_arm64, *account.not_enabled, *account.not_bootstrapped, *account.not_known}
    return LeftOut(frozenset(unready.intersection(asked)), {key: text for key, text in said.items() if text})


def _of_account(readiness: Readiness, asked: Collection[str]) -> dict[str, str]:
    not_known = [f"{region} ({why})" for region, why in readiness.not_known.items() if region in asked]
    hidden = [region for region in readiness.hidden if region in asked]
    return {
        NOT_ENABLED: _text(
            _of(readiness.not_enabled, asked), "the account has not enabled them, so no node is placed there"
        ),
        NOT_BOOTSTRAPPED: _text(
            _of(readiness.not_bootstrapped, asked),
            "no node is placed there before `cdk bootstrap aws://ACCOUNT/REGION`",
        ),
        NOT_KNOWN: _text(not_known, "it is not known whether they can be deployed to, so no node is placed there"),
        NOT_ASKED: f"{_WHAT}: ssm:GetParameter is denied" if hidden else "",
    }


def _text(regions: Collection[str], what: str) -> str:
    return f"{', '.join(regions)}: {what}" if regions else ""


def _of(regions: Collection[str], asked: Collection[str]) -> list[str]:
    return [region for region in regions if region in asked]


def _without_arm64(regions: Collection[str], facts: Facts) -> tuple[str, ...]:
    """Those of the regions for which AWS lists no price of arm64."""
    known = ((region, facts.provider[region].body.price_usd) for region in regions if region in facts.provider)
    return tuple(region for region, prices in known if ARM64 not in prices.compute_per_gb_s)


def _needed(manifest: Manifest) -> Iterator[tuple[str, str]]:
    """The regions that a placement can't do without, each with what for: home, and those that functions are kept in."""
    yield manifest.home_region, "home"
    for name, settings in manifest.functions.items():
        if settings.regions.kept_in is not None:
            yield settings.regions.kept_in, f"where {name} is kept"


def _check(region: str, what: str, without_arm64: Collection[str], account: Readiness) -> None:
    where = f"region {region}, {what}"
    if region in without_arm64:
        raise InvalidProblemError(
            "Lambda has no arm64 there, by AWS's price list",
            where=where,
            fix="write `architecture: x86_64` into the manifest, or take another region",
        )
    if region in account.not_enabled:
        raise InvalidProblemError(
            "the account has not enabled it, or it refuses these credentials, so a deploy would be refused",
            where=where,
            fix=f"enable it (`aws account enable-region --region-name {region}`), or take another region",
        )
    if region in account.not_bootstrapped:
        raise InvalidProblemError(
            "the CDK is not bootstrapped there, so a deploy would be refused",
            where=where,
            fix=f"`cdk bootstrap aws://ACCOUNT/{region}`",
        )
