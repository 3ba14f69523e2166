"""What options and arguments take that is one of known words; a mistyped one is answered with what may be meant."""

from __future__ import annotations

from typing import Any

import click

from caribou.model.regions import KNOWN_REGIONS, why_unknown
from caribou.model.schema.nearest import near


class Named(click.Choice[str]):
    """One of a few names."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:  # noqa: ANN401 - click's
        """What is said of a name that is none of them."""
        known = [self.normalize_choice(choice, ctx) for choice in self.choices]
        return (
            f"{str(value)!r} is not known; {near(str(value) if self.case_sensitive else str(value).casefold(), known)}."
        )


class Region(click.ParamType[str]):
    """A region of AWS that Caribou knows."""

    name = "region"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:  # noqa: ANN401 - click's
        """The region's code. Fails as click does."""
        if value not in KNOWN_REGIONS:
            why = why_unknown(value) or f"is not known; {near(value, KNOWN_REGIONS)}"
            self.fail(f"{value!r} {why}.", param, ctx)
        return str(value)
