"""The verdict on a placement, and what speaks against applying it."""

import pytest
from deployed_world import HOME, WEST, placed

from caribou.model.verdict import Verdict, doubt_of, is_unchecked, verdict_of


def solved(verdict, region=WEST):
    """A placement of a solve that gave a verdict."""
    return placed(region, sensitivity={"verdict": verdict})


@pytest.mark.parametrize("verdict", sorted(set(Verdict) - {Verdict.SAVES}))
def test_doubt_when_the_verdict_is_another_than_saves_then_there_is_one(verdict):
    """Whoever applies it is asked."""
    assert doubt_of(solved(verdict.value))
    assert not is_unchecked(solved(verdict.value))


def test_doubt_when_it_saves_then_there_is_none():
    """Nothing speaks against it."""
    assert not doubt_of(solved("saves"))


@pytest.mark.parametrize("verdict", ["loses", "stays home"])
def test_doubt_when_all_is_at_home_then_there_is_none(verdict):
    """Home is what there is without a placement, whatever its file says."""
    assert not doubt_of(solved(verdict, HOME))
    assert not is_unchecked(placed(HOME))


@pytest.mark.parametrize(
    "origin",
    [{}, {"sensitivity": None}, {"sensitivity": {"sign_depends": True}}, {"sensitivity": {"verdict": "splendid"}}],
)
def test_placement_when_no_solve_of_today_said_anything_then_it_is_unchecked(origin):
    """Written by hand, by an earlier version, or by a later one."""
    assert verdict_of(placed(WEST, **origin)) is None
    assert is_unchecked(placed(WEST, **origin))
    assert not doubt_of(placed(WEST, **origin))
