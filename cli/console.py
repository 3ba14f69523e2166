"""Where tables, pictures of runs and progress go. Lines of text go to `caribou.cli.output`; nothing else prints."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.segment import Segment
from rich.status import Status
from rich.text import Text

from caribou.cli.output import say
from caribou.model.printable import printable

WIDEST = 140
"""Columns of a paragraph, at most."""


class Terminal(Console):
    """A console on which text is text: no markup and no emoji codes in it, and nothing that a terminal would obey.

    Colours come from styles, which outside text can't name.
    """

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - rich's own
        super().__init__(markup=False, emoji=False, highlight=False, **settings)

    def render_str(self, text: str, **how: Any) -> Text:  # noqa: ANN401 - rich's own
        """A text as rich lays it out: escaped before its width is measured."""
        return super().render_str(printable(text), **how)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        """All that is printed comes through here; what rich itself says to the terminal stands in control segments."""
        if isinstance(renderable, Text):
            renderable = renderable.copy()
            renderable.plain = printable(renderable.plain)
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=printable(segment.text))

    def status(self, status: RenderableType, **how: Any) -> Status:  # noqa: ANN401 - rich's own
        """A line of progress; rich would read markup in a text."""
        return super().status(Text(printable(status)) if isinstance(status, str) else status, **how)


def console(*, stderr: bool = False, soft_wrap: bool = False) -> Terminal:
    """A console as wide as the window, or 80 columns where there is none."""
    return Terminal(stderr=stderr, soft_wrap=soft_wrap)


def say_wrapped(text: str, most: int = WIDEST) -> None:
    """Print a paragraph on standard output, broken between words at the width of the window; it keeps its indent."""
    indent = " " * (len(text) - len(text.lstrip()))
    width = min(console().width, most)
    say(textwrap.fill(printable(text), width, subsequent_indent=f"{indent}  ", break_on_hyphens=False))


def print_view(view: Group, terminal: Terminal) -> None:
    """Print a view: tables fit the console, lines of text stay whole, for whoever copies or searches them."""
    for part in view.renderables:
        terminal.print(part, soft_wrap=isinstance(part, Text))
