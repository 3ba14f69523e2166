"""Marginal intensity of a live service beside the average one of another source: the mean of its last weeks."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from caribou.collectors.bodies import CarbonBody
from caribou.collectors.chain import MARGINAL_FALLBACK, MARGINAL_SOURCE, NOT_COVERED
from caribou.collectors.facts import FactSource, Given
from caribou.collectors.series import HOUR, HourlySeries, Signal, this_hour
from caribou.collectors.sources.feed import HISTORY, CarbonFeed, by_region, checked
from caribou.collectors.sources.http import Reason, SourceError
from caribou.model.errors import InvalidInputError, OperationFailedError
from caribou.model.names import MARGINAL_SOURCE_KEY

_LEAST_SHARE = 0.5
"""Of the hours of that time; a mean of fewer is one of some days, and said to be none."""


@dataclass(frozen=True)
class LiveMarginal:
    """A feed's mean of each region. Raises InvalidInputError for a feed of another signal."""

    feed: CarbonFeed

    def __post_init__(self) -> None:
        if self.feed.signal is not Signal.MARGINAL:
            raise InvalidInputError(
                f"gives {self.feed.signal} intensity",
                where=f"the source {self.feed.name}",
                fix=f"choose a source of marginal intensity by {MARGINAL_SOURCE_KEY}",
            )

    def histories(self, now: datetime, regions: Collection[str]) -> tuple[dict[str, HourlySeries], dict[str, str]]:
        """The hours of each region of which there are enough, and of the others, why not."""
        try:
            given, refused = by_region(self.feed, regions, lambda region: self._history(region, now))
        except OperationFailedError as error:  # such as no key
            return {}, dict.fromkeys(regions, str(error))
        return given, {**{region: NOT_COVERED for region in regions if region not in given}, **refused}

    def added(self, body: CarbonBody, region: str, history: HourlySeries, now: datetime) -> CarbonBody:
        """The body with the mean of these hours in the place of the marginal intensity that it had."""
        feed, hours = self.feed, f"{len(history.hours)} of the {HISTORY // HOUR} hours of the last {HISTORY.days} days"
        return replace(body, marginal=round(history.mean, 3)).with_provenance(
            {
                MARGINAL_SOURCE: feed.origin,
                "marginal_basis": f"{feed.basis}; mean of {hours}, up to {history.hours[-1].at:%Y-%m-%d %H:%M} UTC",
                "marginal_retrieved_at": now.isoformat(),
                "marginal_zone": feed.zone_of(region),
                "marginal_estimated_share": round(history.estimated_share, 4),
                "marginal_licence": feed.licence,
                **{f"marginal_{key}": value for key, value in feed.notes(region).items()},
            }
        )

    def _history(self, region: str, now: datetime) -> HourlySeries:
        end = this_hour(now)
        series = checked(self.feed.history(region, end - HISTORY, end), self.feed, region).possible()
        if len(series.hours) < _LEAST_SHARE * (HISTORY / HOUR):
            detail = f"{len(series.hours)} of the {HISTORY // HOUR} hours of the last {HISTORY.days} days"
            raise SourceError(self.feed.origin, Reason.NOTHING, detail)
        return series


@dataclass(frozen=True)
class WithMarginal:
    """A source of carbon facts, in which marginal intensity is that of the first of some feeds that gives it.

    Where none does, it stays the annual mean that the source has, if any, and the fact says why.
    """

    source: FactSource[CarbonBody]
    marginals: Sequence[LiveMarginal]

    @property
    def origin(self) -> str:
        """The source's: facts name that of the average."""
        return self.source.origin

    @property
    def method(self) -> str:
        """The source's."""
        return self.source.method

    @property
    def valid_for(self) -> timedelta:
        """The source's."""
        return self.source.valid_for

    def collect(self, now: datetime, regions: Collection[str]) -> Given[CarbonBody]:
        """What the source gives, with marginal intensity."""
        given = self.source.collect(now, regions)
        return Given(self._added(given.bodies, now), given.refused)

    def _added(self, bodies: Mapping[str, CarbonBody], now: datetime) -> dict[str, CarbonBody]:
        added: dict[str, CarbonBody] = {}
        why: dict[str, list[str]] = {region: [] for region in bodies}
        for marginal in self.marginals:
            histories, refused = marginal.histories(now, [region for region in bodies if region not in added])
            for region, history in histories.items():
                added[region] = marginal.added(_because(bodies[region], why[region]), region, history, now)
            for region, reason in refused.items():
                why[region].append(f"{marginal.feed.origin}: {reason}")
        return {region: added.get(region) or _because(body, why[region]) for region, body in bodies.items()}


def _because(body: CarbonBody, why: Sequence[str]) -> CarbonBody:
    return body.with_provenance({MARGINAL_FALLBACK: "; ".join(why)}) if why else body
