"""A finished placement: solved, measured, stamped, and with what its saving rests on."""

import json
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from problem_instances import chain

from caribou.control.plan.finish import Clocks, SolveOptions, finished_placement, placement_text
from caribou.model.schema.placement import parse_placement
from caribou.model.schema.problem_file import parse_problem, read_problem

NOW = datetime(2026, 7, 1, 12, 0, 0, 123456, tzinfo=UTC)


def clocks():
    """Clocks of which each look takes 2 s and 3 s of CPU time."""
    seconds, cpu_seconds = count(100.0, 2.0), count(50.0, 3.0)
    return Clocks(lambda: NOW, lambda: next(seconds), lambda: next(cpu_seconds))


@pytest.fixture
def problem():
    """The chain."""
    return parse_problem(chain())


def test_placement_when_finished_then_it_has_times_digest_sensitivity_footprint_and_fresh_runs(problem):
    """Everything that the file's schema has, from one call."""
    options = SolveOptions(seed=3, samples=60, max_regions=1)
    placement = finished_placement(problem, options, valid_days=2, clocks=clocks())
    found = parse_placement(placement.to_json())
    assert found.origin["solved_at"] == "2026-07-01T12:00:00Z"
    assert found.expires_at == NOW.replace(microsecond=0) + timedelta(days=2)
    assert found.origin["problem_sha256"] == problem.digest
    solver = found.origin["solver"]
    assert (solver["seed"], solver["samples"], solver["max_regions"]) == (3, 60, 1)
    assert solver["cpu_seconds"] == 3.0
    assert solver["accounted_in"] == "us-west-2"
    assert found.origin["day"]["metrics"]["carbon_g"]["mean"] < found.origin["day"]["home_metrics"]["carbon_g"]["mean"]
    assert found.origin["sensitivity"]["marginal_unknown"] == ["us-east-1", "us-west-2"]
    assert all("out_of_sample" in plan.report for plan in found.plans)


def test_placement_when_finished_twice_at_the_same_times_then_its_text_is_the_same(problem):
    """Nothing but the problem, the options and the clocks decides."""
    options, still = SolveOptions(samples=60), Clocks(lambda: NOW, lambda: 0.0, lambda: 0.0)
    texts = {placement_text(finished_placement(problem, options, valid_days=7, clocks=still)) for _ in range(2)}
    assert len(texts) == 1


def test_placement_when_the_time_limit_has_passed_then_the_solve_stops_and_says_what_the_limit_was(problem):
    """The clock of the limit is the caller's."""
    options = SolveOptions(samples=60, time_limit_s=1.0)
    placement = finished_placement(problem, options, valid_days=7, clocks=clocks())
    assert placement.origin["solver"]["time_limit_s"] == 1.0
    assert placement.origin["solver"]["evaluations"] < 4


def test_digest_when_a_problems_file_is_laid_out_otherwise_then_is_the_same_and_else_differs(tmp_path):
    """White space, the order of fields and defaults that are spelled out say nothing of the problem."""
    data = chain()
    path = tmp_path / "problem.json"
    spelled = {**data, "provenance": {}, "edges": [{**data["edges"][0], "call": None}]}
    path.write_text(json.dumps(dict(reversed(spelled.items())), indent=5))
    assert read_problem(path).digest == parse_problem(data).digest
    data["carbon_model"]["transmission_kwh_per_gb"] = 0.002
    assert read_problem(path).digest != parse_problem(data).digest


@pytest.mark.parametrize("names", ["nodes", "regions"])
def test_digest_when_two_problems_differ_in_the_order_of_names_then_they_have_two(names):
    """A solve draws random numbers by it, and decides ties: they may give two placements."""
    data = chain()
    other = {**data, names: dict(reversed(data[names].items()))}
    assert parse_problem(other) == parse_problem(data)
    assert parse_problem(other).digest != parse_problem(data).digest
