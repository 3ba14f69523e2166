"""The sources that users may choose from, by kind and name.

A new source is a file beside this one, and a row here. A project chooses in its `cdk.json`, by the context key
`caribou:<kind>_source`; `caribou data_collect` and the control plane's collectors then both take those, in their order.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

from caribou.collectors.bodies import Body, CarbonBody, Kind, PerformanceBody, ProviderBody
from caribou.collectors.facts import FactSource
from caribou.collectors.series import Signal
from caribou.collectors.sources.keys import KeyRing
from caribou.collectors.sources.settings import AllSettings, SourceSettings
from caribou.collectors.sources.snapshot import CarbonSnapshot, PerformanceSnapshot, ProviderSnapshot
from caribou.model.errors import InvalidInputError
from caribou.model.names import MARGINAL_SOURCE_KEY, SOURCE_SIGNALS_KEY, SOURCE_URLS_KEY

if TYPE_CHECKING:
    from caribou.collectors.sources.feed import CarbonFeed
    from caribou.collectors.sources.live_marginal import LiveMarginal

Made_co = TypeVar("Made_co", covariant=True)
DEFAULT_SOURCE = "snapshot"


@dataclass(frozen=True, slots=True)
class Row(Generic[Made_co]):
    """A source that may be chosen. `url` is where its service is, None if it asks nobody.

    `make` gets the settings, whose `url` is never None if the row has one; it imports the source's module, so that
    nobody loads what he did not choose. `self_hosted`: it is where the user says, and gives the signal that he says.
    """

    make: Callable[[SourceSettings, KeyRing], Made_co]
    url: str | None = None
    takes_key: bool = False
    self_hosted: bool = False


@dataclass(frozen=True, slots=True)
class Sources:
    """Name to source, for each kind; and of marginal intensity, which is another signal than carbon facts are of."""

    carbon: Mapping[str, Row[FactSource[CarbonBody]]]
    marginal: Mapping[str, Row[LiveMarginal]]
    provider: Mapping[str, Row[FactSource[ProviderBody]]]
    performance: Mapping[str, Row[FactSource[PerformanceBody]]]

    def of(self, kind: Kind) -> Mapping[str, Row[FactSource[Body]]]:
        """Name to source of a kind."""
        by_kind: dict[Kind, Mapping[str, Row[FactSource[Body]]]] = {
            "carbon": self.carbon,
            "provider": self.provider,
            "performance": self.performance,
        }
        return by_kind[kind]

    def by_name(self) -> Mapping[str, Row[object]]:
        """Every source; those of one name in two kinds take the same settings."""
        return {**self.carbon, **self.marginal, **self.provider, **self.performance}


def _electricity_maps(settings: SourceSettings, keys: KeyRing) -> FactSource[CarbonBody]:
    from caribou.collectors.sources.electricity_maps import ElectricityMaps  # noqa: PLC0415 - for who chose it, as below

    return _live(ElectricityMaps(settings, keys))


def _carbon_aware_sdk(settings: SourceSettings, _: KeyRing) -> FactSource[CarbonBody]:
    from caribou.collectors.sources.carbon_aware_sdk import CarbonAwareSdk  # noqa: PLC0415

    return _live(CarbonAwareSdk(settings))


def _watttime(settings: SourceSettings, keys: KeyRing) -> LiveMarginal:
    from caribou.collectors.sources.live_marginal import LiveMarginal  # noqa: PLC0415
    from caribou.collectors.sources.watttime import WattTime  # noqa: PLC0415

    return LiveMarginal(WattTime(settings, keys))


def _marginal_carbon_aware_sdk(settings: SourceSettings, _: KeyRing) -> LiveMarginal:
    from caribou.collectors.sources.carbon_aware_sdk import CarbonAwareSdk  # noqa: PLC0415
    from caribou.collectors.sources.live_marginal import LiveMarginal  # noqa: PLC0415

    return LiveMarginal(CarbonAwareSdk(settings))


def _cloudping(settings: SourceSettings, _: KeyRing) -> FactSource[PerformanceBody]:
    from caribou.collectors.sources.cloudping import CloudPing  # noqa: PLC0415
    from caribou.collectors.sources.http import HttpClient  # noqa: PLC0415

    return CloudPing(HttpClient("CloudPing", _url(settings)))


def _eia(settings: SourceSettings, keys: KeyRing) -> FactSource[CarbonBody]:
    from caribou.collectors.sources.eia import EiaFeed  # noqa: PLC0415

    return _live(EiaFeed(_url(settings), partial(keys.key_of, "eia", settings.key), settings.zones))


def _entsoe(settings: SourceSettings, keys: KeyRing) -> FactSource[CarbonBody]:
    from caribou.collectors.sources.entsoe import EntsoeFeed  # noqa: PLC0415

    return _live(EntsoeFeed(_url(settings), partial(keys.key_of, "entsoe", settings.key), settings.zones))


def _neso(settings: SourceSettings, _: KeyRing) -> FactSource[CarbonBody]:
    from caribou.collectors.sources.neso import NesoFeed  # noqa: PLC0415

    return _live(NesoFeed(_url(settings), settings.zones))


def _energy_charts(settings: SourceSettings, _: KeyRing) -> FactSource[CarbonBody]:
    from caribou.collectors.sources.energy_charts import EnergyChartsFeed  # noqa: PLC0415

    return _live(EnergyChartsFeed(_url(settings), settings.zones))


def _eco2mix(settings: SourceSettings, _: KeyRing) -> FactSource[CarbonBody]:
    from caribou.collectors.sources.eco2mix import Eco2mixFeed  # noqa: PLC0415

    return _live(Eco2mixFeed(_url(settings), settings.zones))


def _gsf(settings: SourceSettings, _: KeyRing) -> FactSource[CarbonBody]:
    from caribou.collectors.sources.gsf import GsfTable  # noqa: PLC0415

    return GsfTable(_url(settings), settings.zones)


def _live(feed: CarbonFeed) -> FactSource[CarbonBody]:
    from caribou.collectors.sources.live_carbon import LiveCarbon  # noqa: PLC0415 - it loads httpx

    return LiveCarbon(feed)


def _url(settings: SourceSettings) -> str:
    """Where the service is: `sources_of` gives it to every row that has a URL."""
    assert settings.url is not None
    return settings.url


def _price_list(settings: SourceSettings, _: KeyRing) -> FactSource[ProviderBody]:
    from caribou.collectors.sources.price_list import PriceList  # noqa: PLC0415 - httpx, for who chose it

    return PriceList.at(settings.url or "")


SOURCES = Sources(
    carbon={
        "snapshot": Row(lambda *_: CarbonSnapshot()),
        "snapshot_other_zones": Row(lambda *_: CarbonSnapshot(other_zones=True)),
        "electricity_maps": Row(_electricity_maps, url="https://api.electricitymaps.com", takes_key=True),
        "carbon_aware_sdk": Row(_carbon_aware_sdk, self_hosted=True),
        "eia": Row(_eia, "https://api.eia.gov", takes_key=True),
        "neso": Row(_neso, "https://api.carbonintensity.org.uk"),
        "energy_charts": Row(_energy_charts, "https://api.energy-charts.info"),
        "eco2mix": Row(_eco2mix, "https://odre.opendatasoft.com"),
        "entsoe": Row(_entsoe, "https://web-api.tp.entsoe.eu", takes_key=True),
        "gsf": Row(_gsf, "https://raw.githubusercontent.com/Green-Software-Foundation/real-time-cloud/main"),
    },
    marginal={
        "watttime": Row(_watttime, url="https://api.watttime.org", takes_key=True),
        "carbon_aware_sdk": Row(_marginal_carbon_aware_sdk, self_hosted=True),
    },
    provider={
        "snapshot": Row(lambda *_: ProviderSnapshot()),
        "price_list": Row(_price_list, url="https://pricing.us-east-1.amazonaws.com"),
    },
    performance={
        "snapshot": Row(lambda *_: PerformanceSnapshot()),
        "cloudping": Row(_cloudping, url="https://api.cloudping.co"),
    },
)


def source_key(kind: Kind) -> str:
    """The context key of `cdk.json` that chooses the sources of a kind."""
    return f"caribou:{kind}_source"


def names_of(kind: Kind, text: str, where: str) -> tuple[str, ...]:
    """The names in a choice such as `electricity_maps, snapshot`: the first that can give a region's fact counts.

    Raises InvalidInputError, saying where the choice stands, for a name that is none and one that comes twice.
    """
    return _checked(text, f"{kind} facts", SOURCES.of(kind), where)


def marginal_names_of(text: str, where: str) -> tuple[str, ...]:
    """The same of a choice of sources of marginal intensity, which may be empty."""
    return _checked(text, "marginal intensity", SOURCES.marginal, where) if text.strip() else ()


def _checked(text: str, what: str, known: Collection[str], where: str) -> tuple[str, ...]:
    names = tuple(part.strip() for part in text.split(","))
    for name in names:
        if name not in known:
            raise _unknown(name, what, known, where)
        if names.count(name) > 1:
            raise InvalidInputError("has a source twice", where=where, found=name, fix="name each once")
    return names


def _unknown(name: str, what: str, known: Collection[str], where: str) -> InvalidInputError:
    """Average and marginal intensity are two signals: a source of the one is none of the other."""
    if known is not SOURCES.marginal and name in SOURCES.marginal:
        problem, fix = "gives marginal intensity, no average one", f"choose it by {MARGINAL_SOURCE_KEY}"
    elif known is SOURCES.marginal and name in SOURCES.carbon:
        problem, fix = "gives no marginal intensity", f"use one of {', '.join(sorted(known))}"
    else:
        problem = f"is no source of {what}"
        fix = f"use one of {', '.join(sorted(known))}, or several in their order, with commas between"
    return InvalidInputError(problem, where=where, found=name or "nothing between commas", fix=fix)


def check_described(name: str, row: Row[object], signal: Signal, settings: AllSettings, where: str) -> None:
    """Raise InvalidInputError if a source that somebody runs himself is not where, or gives another signal."""
    own = settings.get(name, SourceSettings())
    if not row.self_hosted:
        return
    if own.url is None:
        fix = f'say where it is: "{SOURCE_URLS_KEY}": {{"{name}": "https://HOST"}}'
        raise InvalidInputError("is nowhere by itself", where=where, found=name, fix=fix)
    if own.signal is not signal:
        said = f"is not said to give {signal} intensity" if own.signal is None else f"gives {own.signal} intensity"
        setting = f'"{SOURCE_SIGNALS_KEY}": {{"{name}": "{signal}"}}'
        fix = f"look at its data sources, of emissions and of forecasts; if they do: {setting}"
        raise InvalidInputError(said, where=where, found=name, fix=fix)


def sources_of(
    kind: Kind, names: Sequence[str], settings: AllSettings, keys: KeyRing, marginal: Sequence[str] = ()
) -> list[FactSource[Body]]:
    """The sources of those names, which `names_of` has checked; those of carbon with others' `marginal` intensity."""
    if kind != "carbon" or not marginal:
        return [_made(name, SOURCES.of(kind)[name], settings, keys) for name in names]
    from caribou.collectors.sources.live_marginal import WithMarginal  # noqa: PLC0415

    feeds = [_made(name, SOURCES.marginal[name], settings, keys) for name in marginal]
    return [WithMarginal(_made(name, SOURCES.carbon[name], settings, keys), feeds) for name in names]


def _made(name: str, row: Row[Made_co], settings: AllSettings, keys: KeyRing) -> Made_co:
    own = settings.get(name, SourceSettings())
    return row.make(replace(own, url=own.url or row.url), keys)
