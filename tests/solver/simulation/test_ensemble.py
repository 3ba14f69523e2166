"""What placements may come to: the likely world is the evaluator's, the others differ by what nobody observed."""

from dataclasses import replace

import numpy as np
import pytest
from observed_problem import AWAY, FAR, HOME, observed_problem

from caribou.model.metric import Metric
from caribou.model.placement import ALL_HOURS
from caribou.model.schema.problem_file import parse_problem
from caribou.solver import evaluate
from caribou.solver.simulation.ensemble import Ensemble

MORNING, EVENING = ALL_HOURS[:8], ALL_HOURS[8:]


def _problem(**changes):
    data = observed_problem(5, runs=40, regions=changes.pop("regions", None)).problem
    return parse_problem({**data, "entry": {**data["entry"], "stays_home_share": changes.pop("stay", 0.0)}, **changes})


def _plans(problem):
    return [
        ({**dict.fromkeys(problem.nodes, HOME), "b": AWAY}, MORNING),
        ({**dict.fromkeys(problem.nodes, HOME), "b": FAR, "c": AWAY}, EVENING),
    ]


@pytest.mark.parametrize("stay", [0.0, 0.1])
def test_day_when_there_is_one_world_then_its_means_are_the_evaluators(stay):
    """Of a plan for the morning and one for the rest, with a share of runs at home."""
    problem = _problem(stay=stay)
    day = Ensemble.among(problem, [AWAY, FAR], worlds=1).day(_plans(problem))
    placed = evaluate(problem, {hour: regions for regions, hours in _plans(problem) for hour in hours}).placed
    assert day.emitted().by_world.mean() == pytest.approx(placed[Metric.CARBON].mean, rel=1e-9)
    assert day.by_world(Metric.COST).mean() == pytest.approx(placed[Metric.COST].mean, rel=1e-9)
    assert day.by_world(Metric.RUNTIME).mean() == pytest.approx(placed[Metric.RUNTIME].mean, rel=1e-9)


@pytest.mark.parametrize("energies", [(0.001, 0.001), (0.005, 0.0)])
def test_emitted_when_energies_are_others_then_it_is_that_of_a_problem_with_them(energies):
    """Between regions and inside one."""
    problem = _problem(stay=0.1)
    model = problem.carbon_model.model_copy(
        update={"transmission_kwh_per_gb": energies[0], "intra_region_kwh_per_gb": energies[1]}
    )
    day = Ensemble.among(problem, [AWAY, FAR], worlds=1).day(_plans(problem))
    other = Ensemble.among(problem.model_copy(update={"carbon_model": model}), [AWAY, FAR], worlds=1)
    assert day.emitted(energies).by_world == pytest.approx(other.day(_plans(problem)).emitted().by_world, rel=1e-12)


def test_replicates_when_all_is_at_home_and_grids_stay_as_they_are_then_only_the_runs_differ():
    """No region's speed is in question, so all worlds are one."""
    problem = _problem()
    home = Ensemble.among(problem, [AWAY]).home(ALL_HOURS)
    for metric in (Metric.COST, Metric.RUNTIME):
        assert np.ptp(home.by_world(metric), axis=0) == pytest.approx(0, abs=1e-12)
    assert np.ptp(home.emitted().by_world, axis=0) == pytest.approx(0, abs=1e-12)


def test_replicates_when_a_node_is_where_it_never_ran_then_its_speed_is_in_the_interval():
    """Its cost differs by world; where it always ran it does not."""
    never = Ensemble.among(_problem(), [AWAY])
    often = Ensemble.among(_problem(regions={"b": AWAY}), [AWAY])
    spread = [
        np.ptp(one.day([({**dict.fromkeys("acd", HOME), "b": AWAY}, ALL_HOURS)]).by_world(Metric.COST).mean(axis=1))
        for one in (never, often)
    ]
    assert spread[0] > 0
    assert spread[1] == pytest.approx(0, abs=1e-12)


def test_grids_when_two_regions_share_a_zone_then_they_change_together():
    """And one of which no spread is known does not change."""
    problem = _problem()
    regions = {}
    for name, facts in problem.regions.items():
        known = {"zone": "one", "year_to_year": 0.1} if name != FAR else {"zone": "two", "year_to_year": None}
        grid = facts.carbon_intensity_g_per_kwh.model_copy(update=known)
        regions[name] = facts.model_copy(update={"carbon_intensity_g_per_kwh": grid})
    ensemble = replace(Ensemble.among(problem, [AWAY, FAR]), problem=problem.model_copy(update={"regions": regions}))
    factors = dict(zip(regions, ensemble.grid_factors.T, strict=True))
    assert (factors[HOME] == factors[AWAY]).all()
    assert np.log(factors[HOME]).std() == pytest.approx(0.1, rel=0.1)
    assert (factors[FAR] == 1).all()


def test_replicates_when_a_plan_uses_other_regions_then_what_it_shares_with_another_is_the_same():
    """Home's interval is that of home, whatever it is compared with; a region is as fast whichever others there are."""
    problem = _problem()
    alone, beside, elsewhere = (Ensemble.among(problem, regions) for regions in ([AWAY], [AWAY, FAR], [FAR]))
    for metric in Metric:
        assert beside.home(ALL_HOURS).mean(metric) == pytest.approx(elsewhere.home(ALL_HOURS).mean(metric), rel=1e-12)
        one, other = (e.day([({**dict.fromkeys(problem.nodes, HOME), "b": AWAY}, ALL_HOURS)]) for e in (alone, beside))
        assert one.mean(metric) == pytest.approx(other.mean(metric), rel=1e-12)
