"""Problems made wrong: each is refused with a clear error, or solved to a valid placement.

CARIBOU_EXAMPLES=50 makes thousands.
"""

import copy
import json
import math
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caribou.model.errors import InvalidProblemError
from caribou.model.schema.placement import parse_placement
from caribou.model.schema.problem_file import parse_problem
from caribou.solver import solve

TIMES = int(os.environ.get("CARIBOU_EXAMPLES", "1"))

wrong = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(["", "x", "us-east-1", "us-east-1>us-east-1", "n0", [], {}, [[]], [None], ["n0"], {"n0": 1}]),
    st.sampled_from([math.nan, math.inf, -math.inf, -1, -0.0, 0, 1, 0.5, 99.9, 1e-300, 1e300, 10**30, 2**63]),
    st.floats(),
    st.integers(-3, 1000),
)


def paths_of(value, path=()):
    """The path of everything in a JSON value."""
    yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from paths_of(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from paths_of(inner, (*path, index))


def mutated(data, draw):
    """A problem with one to three things replaced, scaled, dropped, doubled or renamed."""
    made = copy.deepcopy(data)
    for _ in range(draw(st.integers(1, 3))):
        paths = [path for path in paths_of(made) if path]
        if not paths:
            return made
        *way, last = draw(st.sampled_from(paths))
        parent = made
        for key in way:
            parent = parent[key]
        change = draw(st.sampled_from(["replace", "scale", "drop", "double", "rename"]))
        old = parent[last]
        if change == "scale" and isinstance(old, float | int):
            parent[last] = old * draw(st.sampled_from([0, -1, 1e-6, 0.9, 1.1, 60, 1000, 1e9]))
        elif change == "drop":
            del parent[last]
        elif change == "double" and isinstance(parent, list):
            parent.append(copy.deepcopy(old))
        elif change == "rename" and isinstance(parent, dict):
            parent[draw(st.sampled_from(["n1", "us-west-2", "eu-west-1", "x"]))] = parent.pop(last)
        else:
            parent[last] = draw(wrong)
    return made


def numbers_of(value):
    """All numbers in a JSON value."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for inner in value:
            yield from numbers_of(inner)
    elif isinstance(value, float | int):
        yield value


@settings(max_examples=250 * TIMES)
@given(seed=st.integers(0, 50), data=st.data())
def test_problem_when_mutated_then_is_refused_clearly_or_solved_with_finite_numbers(instances, seed, data):
    """Never another exception, a NaN, or a placement that our own reader refuses."""
    hard = {"runtime": {"type": "relative", "value": 115}, "cost": {"type": "absolute", "value": 1e-3}}
    good = instances.made_up(seed, 3, 2, hard=hard, soft={"carbon": {"type": "relative", "value": 90}})
    text = json.dumps(mutated(good, data.draw))
    try:
        problem = parse_problem(json.loads(text))
    except InvalidProblemError:
        return
    placement = solve(problem, samples=20).to_json()
    assert all(math.isfinite(number) for number in numbers_of(placement))
    parse_placement(placement)


@pytest.mark.parametrize("value", [[], 3, None, "x", {}, {"schema": "caribou.problem/2"}])
def test_problem_when_it_is_something_else_then_is_refused(value):
    """What is no problem at all is refused too."""
    with pytest.raises(InvalidProblemError):
        parse_problem(value)
