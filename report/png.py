"""A picture as PNG, by the package resvg-py, which is an extra: `pip install 'caribou-cdk[png]'`."""

from __future__ import annotations

from importlib.util import find_spec

FONTS = "system-ui, Helvetica, Arial, Liberation Sans, DejaVu Sans, Noto Sans, sans-serif"
"""Of a picture's words: the first one counts that a machine has."""
_PAGE = 'xmlns="http://www.w3.org/2000/svg" width="40" height="40"'
_LETTER = f'<svg {_PAGE} font-family="{FONTS}"><text y="30">{{}}</text></svg>'
_SHARPNESS = 2.0
"""Pixels of the PNG to one of the SVG."""


def why_no_png() -> str:
    """What keeps this machine from making a PNG with words in it, and how that is mended; empty if nothing does."""
    if find_spec("resvg_py") is None:
        return "install the package that draws it, pip install 'caribou-cdk[png]', or name a .svg file"
    if png(_LETTER.format("A")) == png(_LETTER.format("")):
        return "install a font such as DejaVu Sans, as this machine has none for words, or name a .svg file"
    return ""


def png(svg: str) -> bytes:
    """The picture that an SVG describes."""
    from resvg_py import svg_to_bytes  # noqa: PLC0415 - an extra

    return bytes(svg_to_bytes(svg_string=svg, zoom=_SHARPNESS))
