"""What a solve itself takes."""

import math

import pytest

from caribou.model.schema.placement import parse_placement
from caribou.model.schema.problem_file import parse_problem
from caribou.solver import solve
from caribou.solver.analysis.footprint import footprint, saved_g, with_footprint

WEST = "us-west-2"


def test_footprint_when_worked_out_by_hand_then_is_the_documented_formula(instances):
    """100 s of one vCPU at full load with 1,769 MB, in the control region, at its average intensity and prices."""
    problem = parse_problem(instances.chain())
    placement = solve(problem, samples=60)
    taken = footprint(problem, placement, 100.0)
    kwh = (0.0035 + 0.0003725 * 1769 / 1024) * 1.11 * 100 / 3600
    assert taken.accounted_in == WEST
    assert taken.energy_kwh == pytest.approx(kwh)
    assert taken.carbon_g == pytest.approx(kwh * 100)
    assert taken.cost_usd == pytest.approx(1.2 * (1.66667e-05 * 1769 / 1024 * 100 + 2e-07))
    metrics, home = (placement.plans[0].report[which]["carbon_g"]["mean"] for which in ("metrics", "home_metrics"))
    assert saved_g(placement) == pytest.approx(home - metrics)
    assert taken.pays_back_after_runs == math.ceil(taken.carbon_g / (home - metrics))


def test_footprint_when_the_control_region_is_not_in_the_problem_then_home_counts_and_it_says_so(instances):
    """No figure without a region that it is of."""
    problem = parse_problem({**instances.chain(), "control_region": "eu-west-1"})
    assert footprint(problem, solve(problem, samples=60), 1.0).accounted_in == instances.HOME


def test_footprint_when_nothing_is_saved_then_it_is_never_paid_back(instances):
    """At home nothing is saved."""
    data = instances.chain()
    data["objective"]["priority"] = ["runtime"]
    problem = parse_problem(data)
    assert footprint(problem, solve(problem, samples=60), 1.0).pays_back_after_runs is None


def test_footprint_when_no_price_is_known_then_it_has_no_cost(instances):
    """A price that the problem lacks is not made up."""
    data = instances.chain()
    data["control_region"] = "eu-west-1"
    data["regions"]["eu-west-1"] = instances.region()
    data["regions"]["eu-west-1"]["price_usd"]["compute_per_gb_s"] = {}
    for row in data["ping_s"].values():
        row["eu-west-1"] = [0.1]
    data["ping_s"]["eu-west-1"] = {key: [0.1] for key in data["regions"]}
    problem = parse_problem(data)
    taken = footprint(problem, solve(problem, samples=60), 1.0)
    assert (taken.accounted_in, taken.cost_usd) == ("eu-west-1", None)


def test_placement_when_it_has_its_footprint_then_its_file_is_valid_and_says_who_solved_it(instances):
    """It stands beside name, version and seed."""
    problem = parse_problem(instances.chain())
    placement = solve(problem, samples=60)
    data = with_footprint(placement, footprint(problem, placement, 0.5)).to_json()
    solver = parse_placement(data).origin["solver"]
    assert solver["cpu_seconds"] == 0.5
    assert solver["seed"] == 0
