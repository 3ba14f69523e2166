"""What the toolkit takes in a month, runs or not."""

import copy
import re

import pytest
from builders import ROOT

from caribou.constructs.scheduled_function import ScheduledProps
from caribou.model.project.collect_at import collect_at
from caribou.model.schema.problem_file import parse_problem
from caribou.model.standing import COLLECTORS, FACTS, LOG_COLLECTION, SWEEPER
from caribou.solver.analysis.standing import toolkit


def test_toolkit_when_worked_out_by_hand_then_is_the_documented_formula(instances):
    """The sweeper at home, the collectors in the control region, each at full load of its share of a vCPU."""
    problem = parse_problem(instances.chain())
    home, control = (problem.regions[region] for region in (problem.home_region, problem.control_region))

    def grams(region, memory_mb, seconds):
        kw = region.cpu_kw_per_vcpu.full * memory_mb / 1769 + region.memory_kw_per_gb * memory_mb / 1024
        return kw * region.pue * seconds / 3600 * region.carbon_intensity_g_per_kwh.average

    expected_g = grams(home, 256, 43_200 * 0.1) + grams(control, 512, 90 * 2) + grams(control, 512, 720 * 5)
    month = toolkit(problem, saved_g=0.004)
    assert month.carbon_g == pytest.approx(expected_g)
    assert month.pays_from_runs == -(-expected_g // 0.004)
    assert 0.1 < month.cost_usd < 0.3


def test_toolkit_when_prices_of_schedules_and_queues_are_known_then_they_count(instances):
    """Else those of us-east-1: a million invocations for a dollar, requests for 40 cents."""
    data = instances.chain()
    known = copy.deepcopy(data)
    known["regions"][data["home_region"]]["price_usd"] |= {"scheduled_invocation": 2e-6, "queue_request": 0.4e-6}
    dearer = toolkit(parse_problem(known), saved_g=0.0).cost_usd - toolkit(parse_problem(data), saved_g=0.0).cost_usd
    at_home = (
        SWEEPER.times if data["control_region"] in data["regions"] else SWEEPER.times + sum(c.times for c in COLLECTORS)
    )
    assert dearer == pytest.approx(at_home * 1e-6)


def test_toolkit_when_a_run_saves_nothing_then_no_number_of_runs_pays_it(instances):
    """A plan at home saves none."""
    assert toolkit(parse_problem(instances.chain()), saved_g=0.0).pays_from_runs is None


def test_schedules_when_compared_with_the_stacks_then_are_theirs():
    """How often each function runs, and with how much memory."""
    every_h = [schedule.longest_h for schedule in collect_at({}, "", live_carbon=False).values()]
    assert {FACTS.every_h, LOG_COLLECTION.every_h} == set(every_h)
    assert sorted(one.every_h for one in COLLECTORS) == sorted(every_h)
    assert {one.memory_mb for one in COLLECTORS} == {ScheduledProps.memory_mb}
    sweeper = (ROOT / "constructs" / "sweeper.py").read_text(encoding="utf-8")
    assert re.search(r"memory_mb=(\d+)", sweeper)[1] == str(SWEEPER.memory_mb)
    assert 'at="rate(1 minute)"' in sweeper
    assert SWEEPER.every_h == 1 / 60
