"""What a project says of live sources: addresses, where keys rest, zones of its own choice, which signal one gives.

A key itself stands in none of this: only where it is (`keys.py`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from caribou.collectors.series import Signal


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """Of one source: the base URL, where the key rests, and region to zone where the source's own choice is not wanted.

    None is the source's own URL, and the environment's key. `signal` is what a service gives that may give either.
    """

    url: str | None = None
    key: str | None = None
    zones: Mapping[str, str] = field(default_factory=dict)
    signal: Signal | None = None

    def to_json(self) -> dict[str, Any]:
        """The settings as a JSON object, without what is not set."""
        return {
            **({} if self.url is None else {"url": self.url}),
            **({} if self.key is None else {"key": self.key}),
            **({"zones": dict(self.zones)} if self.zones else {}),
            **({} if self.signal is None else {"signal": self.signal}),
        }


AllSettings = Mapping[str, SourceSettings]
"""Settings by the name of the source; a source without any has the default ones."""


def settings_text(settings: AllSettings) -> str:
    """The settings as a deployed collector's environment has them."""
    return json.dumps({name: own.to_json() for name, own in sorted(settings.items())}, separators=(",", ":"))


def settings_in(text: str) -> AllSettings:
    """The settings that `settings_text` wrote."""
    return {
        name: SourceSettings(**{**own, **({"signal": Signal(own["signal"])} if "signal" in own else {})})
        for name, own in json.loads(text).items()
    }
