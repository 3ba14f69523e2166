"""The page: a Markdown document in, a whole HTML page out. No cloud in here; the only module that loads Markdown."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markdown import Markdown

EXTENSIONS = ("tables", "fenced_code", "toc")
UNTITLED = "Untitled"
_PAGE = """\
<!DOCTYPE html>
<html>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
</head>
<body>
{contents}<main>
{body}
</main>
</body>
</html>
"""
_CONTENTS = "<nav>\n{toc}</nav>\n"


@dataclass(frozen=True, slots=True)
class Page:
    """A page: its title as plain text, how many headings it has, and its HTML."""

    title: str
    headings: int
    html: str


def page_of(text: str, title: str | None = None) -> Page:
    """The page of a Markdown document, with its table of contents in front.

    Where no title is given, it is the first heading of the highest level that the document has. What the document says
    in HTML goes into the page as it is: convert only what you would publish.
    """
    markdown = Markdown(extensions=list(EXTENSIONS), output_format="html")
    body = markdown.convert(text)
    headings = list(_flat(markdown.toc_tokens))
    if title is None:
        title = _first_heading(headings)
    contents = _CONTENTS.format(toc=markdown.toc) if headings else ""
    return Page(title, len(headings), _PAGE.format(title=html.escape(title), contents=contents, body=body))


def _flat(tokens: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """The headings of a table of contents, which is a tree, in the order of the document."""
    for token in tokens:
        yield token
        yield from _flat(token["children"])


def _first_heading(headings: Sequence[Mapping[str, Any]]) -> str:
    if not headings:
        return UNTITLED
    first = min(headings, key=lambda heading: heading["level"])
    return html.unescape(first["name"])  # a name is without tags, but escaped
