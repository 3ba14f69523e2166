"""The docs' links lead somewhere: to a file of ours, and to a heading in it."""

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"(?<!`)\[[^\]]*\]\((?P<target>[^)#\s]*)(?:#(?P<heading>[^)]+))?\)")
CODE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def prose(path):
    """A page without its blocks of code."""
    return CODE.sub("", path.read_text(encoding="utf-8"))


@cache
def anchors(path):
    """The headings of a page as GitHub names them."""
    headings = re.findall(r"^#+ (.+)$", prose(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_link_when_a_page_has_it_then_its_target_is_there(page):
    """Links within the repository; others are not asked for."""
    for link in LINK.finditer(prose(page)):
        if link["target"].startswith(("http:", "https:")):
            continue
        target = (page.parent / link["target"]).resolve() if link["target"] else page
        assert target.exists(), link[0]
        assert link["heading"] is None or link["heading"] in anchors(target), link[0]
