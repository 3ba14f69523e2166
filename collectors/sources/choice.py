"""What a project's `cdk.json` says of sources: which, in which order, where they are, and where their keys rest.

The command line and synth read the same keys, each out of the context that it has.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from caribou.collectors.bodies import KINDS, Kind
from caribou.collectors.series import Signal
from caribou.collectors.sources.keys import checked_place
from caribou.collectors.sources.registry import (
    DEFAULT_SOURCE,
    SOURCES,
    Row,
    check_described,
    marginal_names_of,
    names_of,
    source_key,
)
from caribou.collectors.sources.settings import AllSettings, SourceSettings
from caribou.model.errors import InvalidInputError
from caribou.model.names import (
    MARGINAL_SOURCE_KEY,
    SOURCE_KEYS_KEY,
    SOURCE_SIGNALS_KEY,
    SOURCE_URLS_KEY,
    SOURCE_ZONES_KEY,
)
from caribou.model.regions import KNOWN_REGIONS

_MOST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class SourceChoice:
    """For each kind of facts the names of its sources in order, and the settings of sources.

    `marginal` are those of marginal intensity, which is in carbon facts too.
    """

    names: Mapping[Kind, tuple[str, ...]]
    settings: AllSettings
    marginal: tuple[str, ...] = ()

    def settings_of(self, kind: Kind) -> AllSettings:
        """The settings of the sources of a kind, of those that have any."""
        return {name: self.settings[name] for name in self._rows(kind) if name in self.settings}

    def asks_a_service(self, kind: Kind) -> bool:
        """Whether any source of a kind is a live one. Marginal intensity is a mean of weeks: it does not hurry."""
        rows = (SOURCES.of(kind)[name] for name in self.names[kind])
        return any(row.url or row.self_hosted for row in rows)

    def services_of(self, kind: Kind) -> tuple[str, ...]:
        """The live ones among all that a collector of a kind asks, in their order."""
        return tuple(name for name, row in self._rows(kind).items() if row.url or row.self_hosted)

    def keys_wanted(self, kind: Kind) -> Mapping[str, str | None]:
        """Source to where its key rests, of those of a kind that take one; None where nothing is said."""
        wanted = (name for name, row in self._rows(kind).items() if row.takes_key)
        return {name: self.settings.get(name, SourceSettings()).key for name in wanted}

    def _rows(self, kind: Kind) -> Mapping[str, Row[object]]:
        """The chosen sources that a collector of this kind asks."""
        marginal = self.marginal if kind == "carbon" else ()
        return {
            **{name: SOURCES.of(kind)[name] for name in self.names[kind]},
            **{name: SOURCES.marginal[name] for name in marginal},
        }


def read_choice(context: Mapping[str, object], where: str, folder: Path) -> SourceChoice:
    """What a context says; `where` stands in front of a key in messages, `folder` is the project's.

    Raises InvalidInputError.
    """
    names = {kind: _names(kind, context, where) for kind in KINDS}
    urls = {
        source: _checked_url(url, f"{where}{SOURCE_URLS_KEY}.{source}")
        for source, url in _texts(context.get(SOURCE_URLS_KEY, {}), f"{where}{SOURCE_URLS_KEY}").items()
    }
    keys = {
        source: _checked_key(source, place, f"{where}{SOURCE_KEYS_KEY}.{source}")
        for source, place in _texts(context.get(SOURCE_KEYS_KEY, {}), f"{where}{SOURCE_KEYS_KEY}", keys=True).items()
    }
    zones = _zones(context.get(SOURCE_ZONES_KEY), f"{where}{SOURCE_ZONES_KEY}", folder)
    signals = {
        source: _signal(source, signal, f"{where}{SOURCE_SIGNALS_KEY}.{source}")
        for source, signal in _texts(context.get(SOURCE_SIGNALS_KEY, {}), f"{where}{SOURCE_SIGNALS_KEY}").items()
    }
    settings = {
        source: SourceSettings(urls.get(source), keys.get(source), zones.get(source, {}), signals.get(source))
        for source in sorted({*urls, *keys, *zones, *signals})
    }
    marginal = _marginal(context, where)
    for name in names["carbon"]:
        check_described(name, SOURCES.carbon[name], Signal.AVERAGE, settings, f"{where}{source_key('carbon')}")
    for name in marginal:
        check_described(name, SOURCES.marginal[name], Signal.MARGINAL, settings, f"{where}{MARGINAL_SOURCE_KEY}")
    return SourceChoice(names, settings, marginal)


def _names(kind: Kind, context: Mapping[str, object], where: str) -> tuple[str, ...]:
    place = f"{where}{source_key(kind)}"
    text = context.get(source_key(kind), DEFAULT_SOURCE)
    if not isinstance(text, str) or not text:
        raise InvalidInputError("is not a text", where=place, found=text, fix=f"write {DEFAULT_SOURCE}")
    return names_of(kind, text, place)


def _marginal(context: Mapping[str, object], where: str) -> tuple[str, ...]:
    place, text = f"{where}{MARGINAL_SOURCE_KEY}", context.get(MARGINAL_SOURCE_KEY, "")
    if not isinstance(text, str):
        fix = f"write one of {', '.join(sorted(SOURCES.marginal))}"
        raise InvalidInputError("is not a text", where=place, found=text, fix=fix)
    return marginal_names_of(text, place)


def _signal(source: str, text: str, where: str) -> Signal:
    if not SOURCES.by_name()[source].self_hosted:
        raise InvalidInputError("gives one signal only", where=where, found=text, fix="leave it out")
    if text not in tuple(Signal):
        raise InvalidInputError("is no signal", where=where, found=text, fix=f"write {' or '.join(Signal)}")
    return Signal(text)


def _texts(value: object, where: str, *, keys: bool = False) -> Mapping[str, str]:
    """Source to text. Values are never shown, nor names that are none, of `keys`: maybe a key was written there."""
    if isinstance(value, str):  # as `-c` gives it
        value = _parsed(value, where)
    if not isinstance(value, Mapping) or not all(isinstance(text, str) for text in value.values()):
        raise InvalidInputError("is not an object of texts", where=where, fix='write {"SOURCE": "TEXT"}')
    for source in value:
        _check_source(source, where, keys=keys)
    return value


def _check_source(source: str, where: str, *, keys: bool = False) -> None:
    rows = SOURCES.by_name()
    if source not in rows:
        fix = f"use one of {', '.join(sorted(name for name, row in rows.items() if row.takes_key or not keys))}"
        raise InvalidInputError("has a name that is no source", where=where, found=None if keys else source, fix=fix)


def _checked_key(source: str, place: str, where: str) -> str:
    if not SOURCES.by_name()[source].takes_key:
        raise InvalidInputError("takes no key", where=where, fix="leave it out")
    return checked_place(place, where)


def _checked_url(url: str, where: str) -> str:
    try:
        parts = urlsplit(url)
        named = parts.hostname and parts.port != 0  # reading the port raises if it is none
        besides = parts.username or parts.query or parts.fragment or any(map(str.isspace, url))
        good = parts.scheme in ("https", "http") and named and not besides
    except ValueError:
        good = False
    if not good:
        raise InvalidInputError(
            "is no address of a service", where=where, fix="write https://HOST or https://HOST/PATH, without a key"
        )
    return url


def _zones(name: object, where: str, folder: Path) -> Mapping[str, Mapping[str, str]]:
    """Source to region to zone, out of the file of that name."""
    if name is None:
        return {}
    if not isinstance(name, str) or not name:
        raise InvalidInputError("is no name of a file", where=where, found=name, fix="write the path of a JSON file")
    path = folder / name
    try:
        with path.open(encoding="utf-8") as file:
            found = _parsed(file.read(_MOST_BYTES), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError("can't be read", where=str(path), found=str(error), fix="mend the path") from error
    if not isinstance(found, Mapping):
        raise InvalidInputError("is no JSON object", where=str(path), fix='write {"SOURCE": {"REGION": "ZONE"}}')
    for source, zones in found.items():
        _check_source(source, str(path))
        _check_zones(zones, f"{path}: {source}")
    return found


def _check_zones(zones: Any, where: str) -> None:  # noqa: ANN401 - whatever stands there
    if not isinstance(zones, Mapping):
        raise InvalidInputError("is no object", where=where, found=zones, fix='write {"REGION": "ZONE"}')
    for region, zone in zones.items():
        if region not in KNOWN_REGIONS:
            raise InvalidInputError("is not a region that Caribou knows", where=where, found=region, fix="mend it")
        if not isinstance(zone, str) or not zone.isprintable() or not zone:
            raise InvalidInputError("is no zone", where=f"{where}.{region}", found=zone, fix="write the zone's name")


def _parsed(text: str, where: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidInputError("is no JSON", where=where, fix="mend it") from None
