"""The best placements found so far, and the moves that a search makes from them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caribou.model.schema.problem_file import parse_problem
from caribou.solver.search.hourly import Hourly
from caribou.solver.search.incumbents import Incumbents
from caribou.solver.search.moves import groups, moves, single_region_plans
from caribou.solver.search.objective import tails_needed
from caribou.solver.search.score_cache import ScoreCache
from caribou.solver.simulation.evaluator import Evaluator
from caribou.solver.solve import criteria_of_day

SAMPLES = 25


def cache_of(instances, seed, **objective):
    """The cache of a made-up problem."""
    problem = parse_problem(instances.made_up(seed, 4, 3, **objective))
    return ScoreCache(Evaluator(problem, seed, SAMPLES, tails_needed(problem.objective)))


def random_places(evaluator, seed, count):
    """Some placements that are allowed, (count, N)."""
    rng = np.random.default_rng(seed)
    return np.array([[rng.choice(allowed) for allowed in evaluator.allowed] for _ in range(count)])


@settings(max_examples=15)
@given(seed=st.integers(0, 10**6))
def test_incumbents_when_placements_are_offered_then_only_ever_get_better(instances, seed):
    """From any start, at every hour and for the static plan: no key is greater than it was."""
    cache = cache_of(instances, seed, hard={"runtime": {"type": "relative", "value": 95}})
    start, *others = random_places(cache.evaluator, seed, 8)
    incumbents = Incumbents(cache, criteria_of_day(cache), cache.evaluator.allowed, start)
    for places in others:
        before = incumbents.keys.copy()
        better = incumbents.offer(places[np.newaxis])
        for was, now, improved in zip(before.tolist(), incumbents.keys.tolist(), better, strict=True):
            assert now <= was
            assert improved == (now < was)


def test_incumbents_when_some_regions_are_not_allowed_then_what_is_known_there_does_not_count(instances):
    """Only what the cache has within the regions that are left."""
    cache = cache_of(instances, 3)
    cache.positions(random_places(cache.evaluator, 1, 20))
    home = tuple(np.array([place]) for place in cache.evaluator.home)
    incumbents = Incumbents.of_known(cache, criteria_of_day(cache), home)
    assert (incumbents.places == cache.evaluator.home).all()
    assert incumbents.static == 24


def test_moves_when_made_then_change_a_group_of_nodes_together_to_where_all_of_them_may_be(instances):
    """Each node alone, and both ends of each edge."""
    evaluator = cache_of(instances, 5).evaluator
    for nodes in groups(evaluator):
        found = moves(evaluator.home, nodes, evaluator.allowed)
        rest = [node for node in range(len(evaluator.home)) if node not in nodes]
        assert (found[:, rest] == evaluator.home[rest]).all()
        expected = set.intersection(*(set(evaluator.allowed[node].tolist()) for node in nodes))
        assert {frozenset(row) for row in found[:, list(nodes)].tolist()} == {frozenset([r]) for r in expected}


def test_single_region_plans_when_a_node_may_not_be_there_then_it_is_at_home(instances):
    """One plan a region."""
    data = instances.chain()
    data["nodes"]["b"]["allowed_regions"] = [instances.HOME]
    evaluator = Evaluator(parse_problem(data), 0, SAMPLES)
    assert single_region_plans(evaluator, evaluator.allowed).tolist() == [[0, 0], [1, 0]]


@pytest.mark.parametrize("hours", [(), (1,), (1, 2)])
def test_hourly_when_split_again_then_is_the_same(hours):
    """The static plan's is the last in the order of arrays, and has a name everywhere else."""
    day = Hourly(hours, 9)
    assert day.all == (*hours, 9)
    assert Hourly.split(day.all) == day
