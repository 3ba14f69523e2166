"""The placement: hours, digests, JSON both ways, and what is refused."""

import copy
import dataclasses
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caribou.model.errors import InvalidPlacementError
from caribou.model.graph import Edge, Function, Graph, Node
from caribou.model.placement import ALL_HOURS, PLACEMENT_SCHEMA, Placement, Plan

A, B, C = "a:entry_point:0", "b:a_0_0:1", "b:a_0_1:2"
GRAPH = Graph(
    workflow="shop",
    version="0.0.1",
    functions=(Function("a", "app", "a", entry_point=True), Function("b", "app", "b")),
    nodes=(Node(A, "a"), Node(B, "b"), Node(C, "b")),
    edges=(Edge(A, 0, B), Edge(A, 1, C)),
)
HOME, AWAY = "us-east-1", "ca-central-1"
NIGHT, DAY = tuple(range(8)), tuple(range(8, 24))
EXPIRY = datetime(2026, 1, 31, tzinfo=UTC)
PLACEMENT = Placement(
    "shop",
    "0.0.1",
    HOME,
    plans=(
        Plan(NIGHT, {A: HOME, B: HOME, C: HOME}, {"status": "optimal"}),
        Plan(DAY, {A: HOME, B: AWAY, C: HOME}),
    ),
    expires_at=EXPIRY,
    origin={"solver": {"name": "milp"}, "solved_at": "2026-01-24T00:00:00Z"},
)


def test_home_when_it_is_made_from_a_graph_then_every_node_is_there_at_every_hour():
    """Home is the fallback: it never expires and fits its graph."""
    home = Placement.at_home(GRAPH, HOME)
    assert all(set(home.regions_at(hour).values()) == {HOME} for hour in ALL_HOURS)
    assert home.regions == {HOME}
    assert not home.is_expired(datetime.max.replace(tzinfo=UTC))
    home.check_against(GRAPH, HOME)


def test_regions_when_the_hour_is_in_a_plan_then_that_plan_decides():
    """An hour reads the one plan that has it."""
    assert PLACEMENT.regions_at(7)[B] == HOME
    assert PLACEMENT.regions_at(8)[B] == AWAY
    assert PLACEMENT.regions == {HOME, AWAY}


def test_expiry_when_it_has_come_then_the_placement_is_expired():
    """The moment of expiry is expired already."""
    assert not PLACEMENT.is_expired(EXPIRY - timedelta(seconds=1))
    assert PLACEMENT.is_expired(EXPIRY)


def test_placement_when_it_went_through_json_then_it_is_equal():
    """`solved.json` loses nothing: reports and origin come back as they were."""
    data = json.loads(json.dumps(PLACEMENT.to_json()))
    assert data["schema"] == PLACEMENT_SCHEMA
    assert data["expires_at"] == "2026-01-31T00:00:00Z"
    assert Placement.from_json(data) == PLACEMENT
    home = Placement.at_home(GRAPH, HOME)
    assert Placement.from_json(home.to_json()) == home


def test_expiry_when_it_is_in_another_time_zone_then_it_is_read_as_utc():
    """Times are UTC inside, whatever the file's offset."""
    data = {**PLACEMENT.to_json(), "expires_at": "2026-01-31T02:00:00+02:00"}
    assert Placement.from_json(data).expires_at == EXPIRY


@given(st.data())
def test_digest_when_the_same_regions_are_cut_into_other_plans_then_it_stays(data):
    """Equal moves have equal digests: neither the cut into plans nor times, origin or reports count."""
    order = data.draw(st.permutations(ALL_HOURS))
    cut = data.draw(st.integers(1, 23))
    parts = [tuple(order[:cut]), tuple(order[cut:])]
    plans = [
        Plan(tuple(hour for hour in part if hour in half), dict(reversed(PLACEMENT.regions_at(half[0]).items())))
        for part in parts
        for half in (NIGHT, DAY)
    ]
    recut = dataclasses.replace(PLACEMENT, plans=tuple(p for p in plans if p.hours), expires_at=None, origin={})
    assert recut.digest == PLACEMENT.digest


def test_digest_when_one_hour_moves_then_it_changes():
    """A single node in a single hour makes another placement."""
    first, second = PLACEMENT.plans
    moved = dataclasses.replace(PLACEMENT, plans=(Plan(NIGHT, {**first.regions, C: AWAY}), second))
    assert moved.digest != PLACEMENT.digest
    assert dataclasses.replace(PLACEMENT, home_region=AWAY).digest != PLACEMENT.digest
    assert dataclasses.replace(PLACEMENT, workflow_version="0.0.2").digest != PLACEMENT.digest


WHOLE = {"hours": list(ALL_HOURS), "regions": {A: HOME}}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"schema": "caribou.placement/2"}, "is not a placement that this version reads"),
        ({"workflow": None}, "has no text at workflow"),
        ({"home_region": 1}, "has no text at home_region"),
        ({"plans": None}, "has no list at plans"),
        ({"plans": []}, "has no list at plans"),
        ({"plans": [1]}, r"plans\[0\]: is not an object"),
        ({"plans": [{**WHOLE, "hours": []}]}, r"plans\[0\]: has no list at hours"),
        ({"plans": [{**WHOLE, "hours": ["1"]}]}, "has a wrong hour"),
        ({"plans": [{**WHOLE, "hours": [24]}]}, "has a wrong hour"),
        ({"plans": [{**WHOLE, "hours": [True]}]}, "has a wrong hour"),
        ({"plans": [{**WHOLE, "hours": [1.0]}]}, "has a wrong hour"),
        ({"plans": [{**WHOLE, "hours": [1, 2]}]}, "every hour from 0 to 23"),
        ({"plans": [WHOLE, WHOLE]}, "every hour from 0 to 23"),
        ({"plans": [{**WHOLE, "regions": [A]}]}, "has no map of regions"),
        ({"plans": [{**WHOLE, "regions": {A: ""}}]}, "has no map of regions"),
        ({"plans": [{**WHOLE, "regions": {A: None}}]}, "has no map of regions"),
        ({"expires_at": "tomorrow"}, "expires_at: is not a UTC time"),
        ({"expires_at": 5}, "is not a UTC time"),
        ({"expires_at": "2026-01-31T00:00:00"}, "is not a UTC time"),
    ],
)
def test_placement_when_the_file_is_wrong_then_the_error_says_where(change, text):
    """What can be checked without the workflow is checked when the file is read."""
    data = {**copy.deepcopy(PLACEMENT.to_json()), **change}
    with pytest.raises(InvalidPlacementError, match=text) as caught:
        Placement.from_json(data, "solved.json")
    assert str(caught.value).startswith("solved.json: ")


@pytest.mark.parametrize("data", [None, [], "x", 1])
def test_placement_when_it_is_not_an_object_then_it_is_an_error(data):
    """Any JSON value may be in the file."""
    with pytest.raises(InvalidPlacementError):
        Placement.from_json(data)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"workflow": "store"}, "another workflow"),
        ({"workflow_version": "0.0.2"}, "another version"),
        ({"home_region": AWAY}, "another home region"),
        ({"plans": (Plan(ALL_HOURS, {A: HOME, B: HOME, C: HOME, "d": HOME}),)}, r"does not have \(found: d\)"),
        ({"plans": (Plan(ALL_HOURS, {A: HOME, B: HOME}),)}, "has no region for a node at hour 0"),
    ],
)
def test_placement_when_it_is_for_something_else_then_it_is_an_error(change, text):
    """A placement fits one workflow, version, home and set of nodes."""
    PLACEMENT.check_against(GRAPH, HOME)
    with pytest.raises(InvalidPlacementError, match=text):
        dataclasses.replace(PLACEMENT, **change).check_against(GRAPH, HOME)


@pytest.mark.parametrize("change", [{"workflow_version": "0.0.0"}, {"home_region": AWAY}, {"workflow": "store"}])
def test_placement_when_it_is_for_something_else_then_the_remedy_can_be_done(change):
    """Nobody can solve for a version or home that is not deployed yet; home needs no placement."""
    with pytest.raises(InvalidPlacementError, match="`caribou deploy shop --placement home`"):
        dataclasses.replace(PLACEMENT, **change).check_against(GRAPH, HOME)
