"""Nodes wait for the answers to what they send, and that is billed: by hand, of runs of which all is known."""

import numpy as np
import pytest
from known_worlds import world
from observed_problem import AWAY, FAR, HOME, observed_problem

from caribou.model.metric import Metric
from caribou.model.schema.problem_file import parse_problem
from caribou.solver.simulation.checks import place_positions
from caribou.solver.simulation.evaluator import Evaluator
from caribou.solver.simulation.measures import Batch
from caribou.solver.simulation.waits import Waits


def _waits(problem):
    part = Evaluator(problem, 0, 100).part
    return part, Waits(part.scenarios, part.carbon_and_cost.machines)


def _ping(problem, a, b):
    return problem.ping_s[a][b][0]


def test_wait_when_a_message_goes_to_another_region_then_one_round_trip_is_billed_where_it_was_sent():
    """Of a chain a → b → c with b away: a waits for b's topic, b for c's, c for nobody."""
    problem = world("chain", runs=20, seed=1)
    part, waits = _waits(problem)
    places = place_positions(problem, {"a": HOME, "b": AWAY, "c": HOME})
    home, away = (part.scenarios.geography.names.index(region) for region in (HOME, AWAY))
    per_s = [machine.usd_per_s for machine in part.carbon_and_cost.machines]
    expected = per_s[0][home] * _ping(problem, HOME, AWAY) + per_s[1][away] * _ping(problem, AWAY, HOME)
    assert waits.usd(places[np.newaxis]) == pytest.approx(np.full((1, 20), expected))


def test_wait_when_a_node_sends_several_then_it_is_the_longest_and_reports_take_two():
    """In the run's own way: a calls b or skips it, b and c report to d."""
    problem = parse_problem(observed_problem(1, runs=20).problem)
    _, waits = _waits(problem)
    places = place_positions(problem, {"a": HOME, "b": AWAY, "c": HOME, "d": FAR})
    found = dict(waits._waits_s(places[np.newaxis]))
    order = problem.node_order.index
    called = np.isin(np.arange(20), problem.edges[0].taken)
    far, near = _ping(problem, HOME, FAR), max(_ping(problem, HOME, AWAY), _ping(problem, HOME, HOME))
    assert found[order("a")][0] == pytest.approx(np.where(called, near, far))
    assert found[order("b")][0] == pytest.approx(np.where(called, 2 * _ping(problem, AWAY, FAR), 0))
    assert found[order("c")][0] == pytest.approx(2 * far)
    assert order("d") not in found


@pytest.mark.parametrize("regions", [{}, {"b": AWAY, "c": FAR}])
def test_wait_when_nodes_are_where_they_were_observed_then_their_durations_have_it_already(regions):
    """What is taken off and what is added are the same."""
    problem = parse_problem(observed_problem(3, runs=30, regions=regions).problem)
    part, waits = _waits(problem)
    places = place_positions(problem, {**dict.fromkeys(problem.nodes, HOME), **regions})[np.newaxis]
    machines, runs = part.carbon_and_cost.machines, part.scenarios.runs
    taken_off = sum(
        machine.usd_per_s[region] * np.asarray(run.waited_s) * invoked
        for machine, run, region, invoked in zip(machines, runs, places[0], part.scenarios.invoked, strict=True)
    )
    assert waits.usd(places)[0] == pytest.approx(taken_off, abs=1e-15)


def test_means_when_nodes_wait_then_they_are_those_of_the_runs():
    """By hour, and at several placements at once."""
    problem = parse_problem(observed_problem(4, runs=25).problem)
    evaluator = Evaluator(problem, 0, 100)
    rows = np.array([place_positions(problem, {"a": HOME, "b": b, "c": AWAY, "d": FAR}) for b in (HOME, AWAY, FAR)])
    means = evaluator.score(rows).means[Metric.CARBON][:, :24]
    by_run = [evaluator.details(row, range(24))[Metric.CARBON].mean(axis=-1) for row in rows]
    assert means == pytest.approx(np.array(by_run), rel=1e-12)
    assert Batch(evaluator.part, rows).joins_usd.shape == (3, 25)
