"""What a saving rests on."""

import pytest
from observed_problem import AWAY, observed_problem

from caribou.model.errors import InvalidPlacementError
from caribou.model.metric import Metric
from caribou.model.placement import ALL_HOURS, Placement, Plan
from caribou.model.schema.placement import parse_placement
from caribou.model.schema.problem_file import parse_problem
from caribou.model.verdict import Verdict
from caribou.solver import evaluate, solve
from caribou.solver.analysis.sensitivity import Corner, Sensitivity, sensitivity, with_sensitivity
from caribou.solver.simulation.corners import TRANSMISSION

SAMPLES = 60
HOME, WEST = "us-east-1", "us-west-2"


def chain(instances, home=None, west=None):
    """The chain, with marginal intensities."""
    data = instances.chain()
    for name, marginal in ((HOME, home), (WEST, west)):
        if marginal is not None:
            data["regions"][name]["carbon_intensity_g_per_kwh"]["marginal"] = marginal
    return data


def placed(region):
    """The chain with both nodes in a region."""
    return Placement("chain", "0.0.1", HOME, (Plan(ALL_HOURS, {"a": region, "b": region}),))


def of(data, placement=None):
    """The sensitivity of a placement, else of the solved one."""
    problem = parse_problem(data)
    return sensitivity(problem, placement or solve(problem, samples=SAMPLES), samples=SAMPLES)


def savings(found, intensity="average"):
    """The savings at the corners of a kind of intensity."""
    return [corner.saving for corner in found.corners if corner.intensity == intensity]


@pytest.mark.parametrize(("place", "energies"), list(enumerate(TRANSMISSION)))
def test_saving_when_an_assumption_is_changed_then_is_that_of_the_changed_problem(instances, place, energies):
    """Each of the six is what the evaluator says of a problem with those energies and intensity."""
    data = chain(instances, home=500.0, west=300.0)
    found = of(data, placed(WEST))
    data["carbon_model"]["transmission_kwh_per_gb"], intra = energies
    data["carbon_model"]["intra_region_transmission_free"] = intra == 0
    for intensity, intensities in (("average", (400.0, 100.0)), ("marginal", (500.0, 300.0))):
        for name, value in zip((HOME, WEST), intensities, strict=True):
            data["regions"][name]["carbon_intensity_g_per_kwh"].update(average=value, hourly=[value] * 24)
        result = evaluate(parse_problem(data), {"a": WEST, "b": WEST}, samples=SAMPLES)
        expected = 1 - result.placed[Metric.CARBON].mean / result.home[Metric.CARBON].mean
        assert savings(found, intensity)[place] == pytest.approx(expected)


def test_verdict_when_marginal_intensity_turns_the_saving_into_a_loss_then_it_depends(instances):
    """West is clean on average and dirty at the margin."""
    found = of(chain(instances, home=300.0, west=600.0))
    assert min(savings(found)) > 0 > max(savings(found, "marginal"))
    assert found.verdict == Verdict.DEPENDS


def test_verdict_when_all_assumptions_agree_then_it_saves_or_loses(instances):
    """West is clean by any count, or dirty."""
    assert of(chain(instances, home=500.0, west=200.0)).verdict == Verdict.SAVES
    data = chain(instances, home=500.0, west=900.0)
    data["regions"][WEST]["carbon_intensity_g_per_kwh"].update(average=900.0, hourly=[900.0] * 24)
    assert of(data, placed(WEST)).verdict == Verdict.LOSES


@pytest.mark.parametrize("known", [{"home": 500.0}, {"west": 500.0}, {}])
def test_corners_when_a_marginal_intensity_is_missing_then_there_are_none_by_it(instances, known):
    """Nothing is put in its place, and the regions without it are named."""
    found = of(chain(instances, **known))
    assert savings(found, "marginal") == []
    assert set(found.marginal_unknown) == {HOME, WEST} - {{"home": HOME, "west": WEST}[name] for name in known}


def much_data(instances):
    """A move that saves at low energy and loses at high energy, for the data that then goes between regions."""
    data = chain(instances)
    data["nodes"]["a"]["allowed_regions"] = [HOME]
    data["edges"][0]["transfers"][f"{HOME}>{HOME}"]["payload_gb"] = [0.003]
    return data, Placement("chain", "0.0.1", HOME, (Plan(ALL_HOURS, {"a": HOME, "b": WEST}),))


def test_verdict_when_energy_alone_turns_it_then_it_depends_and_breaks_even_between(instances):
    """Though marginal intensity is not known."""
    data, plan = much_data(instances)
    found = of(data, plan)
    _, low, high = savings(found)
    assert high < 0 < low
    assert found.verdict == Verdict.DEPENDS
    assert 0.001 < found.break_even_kwh_per_gb < 0.005


def test_break_even_when_taken_as_the_energy_then_the_plan_saves_nothing(instances):
    """Carbon is linear in it."""
    data, plan = much_data(instances)
    data["carbon_model"].update(
        transmission_kwh_per_gb=of(data, plan).break_even_kwh_per_gb, intra_region_transmission_free=True
    )
    result = evaluate(parse_problem(data), {"a": HOME, "b": WEST}, samples=SAMPLES)
    assert result.placed[Metric.CARBON].mean == pytest.approx(result.home[Metric.CARBON].mean)


def test_verdict_when_all_is_at_home_then_nothing_is_saved_whatever_is_assumed(instances):
    """Home against home."""
    found = of(chain(instances, home=500.0), placed(HOME))
    assert {corner.saving for corner in found.corners} == {0.0}
    assert (found.verdict, found.break_even_kwh_per_gb) == (Verdict.STAYS, None)


def test_verdict_when_observed_runs_are_many_then_it_saves_and_each_corner_has_an_interval():
    """Quebec against Virginia, and the bucket is there: the ratio of the grids hardly depends on which runs came."""
    problem = parse_problem(observed_problem(5, runs=60, bucket=AWAY).problem)
    plan = Plan(ALL_HOURS, dict.fromkeys(problem.nodes, AWAY))
    found = sensitivity(problem, Placement("example", problem.workflow.version, HOME, (plan,)))
    assert found.verdict == Verdict.SAVES
    assert all(corner.ci95[0] <= corner.saving <= corner.ci95[1] for corner in found.corners)
    assert found.runs == 60


@pytest.mark.parametrize(
    ("low", "high", "verdict"), [(-0.1, 0.2, Verdict.TOO_FEW), (0.01, 0.2, Verdict.SAVES), (0.0, 0.2, Verdict.TOO_FEW)]
)
def test_verdict_when_an_interval_has_zero_in_it_then_runs_are_too_few_to_say(low, high, verdict):
    """At one corner is enough."""
    sure = Corner(0.001, 0.0, "average", 0.3, (0.25, 0.35))
    found = Sensitivity((sure, Corner(0.005, 0.0, "average", 0.1, (low, high))), (), None, runs=30)
    assert found.verdict == verdict


@pytest.mark.parametrize(
    ("ci95", "verdict"),
    [((-0.3, -0.1), Verdict.DEPENDS), ((-0.3, 0.1), Verdict.TOO_FEW), (None, Verdict.DEPENDS)],
)
def test_verdict_when_a_corner_may_lose_then_it_depends_only_if_the_runs_say_that_it_does(ci95, verdict):
    """What one corner saves and another may lose, more runs would settle; drawn runs have no interval."""
    sure = Corner(0.001, 0.0, "average", 0.3, None if ci95 is None else (0.25, 0.35))
    found = Sensitivity((sure, Corner(0.005, 0.0, "average", -0.2, ci95)), (), None, runs=8)
    assert found.verdict == verdict


@pytest.mark.parametrize(
    ("saving", "ci95", "needed"),
    [
        (0.1, (-0.1, 0.2), 32),
        (-0.1, (-0.5, 0.2), 72),
        (0.1, (0.0, 0.2), 30),
        (0.1, (0.05, 0.2), 30),
        (1e-6, (-1, 1), None),
    ],
)
def test_runs_needed_when_runs_are_too_few_then_the_half_width_goes_with_one_over_their_root(saving, ci95, needed):
    """Of eight: an interval twice too wide on the side of zero takes four times the runs, but no fewer than thirty."""
    found = Sensitivity((Corner(0.005, 0.0, "average", saving, ci95),), (), None, runs=8)
    assert (found.verdict, found.runs_needed) == (Verdict.TOO_FEW, needed)


def test_saving_when_a_region_that_is_not_used_has_no_marginal_then_it_does_not_matter(instances):
    """Only the plan's regions and home are asked for."""
    assert of(chain(instances, home=500.0), placed(HOME)).marginal_unknown == ()


def test_placement_when_it_has_its_sensitivity_then_its_file_is_valid(instances):
    """The published schema knows it, known or not."""
    problem = parse_problem(chain(instances, home=300.0, west=600.0))
    solved = solve(problem, samples=SAMPLES)
    data = with_sensitivity(solved, sensitivity(problem, solved, samples=SAMPLES)).to_json()
    assert parse_placement(data).origin["sensitivity"]["verdict"] == "depends on what is assumed"
    unknown = of(chain(instances)).to_json()
    assert parse_placement({**data, "sensitivity": unknown}).origin["sensitivity"]["marginal_unknown"] == [HOME, WEST]


def test_placement_when_an_earlier_version_wrote_its_sensitivity_then_it_is_read():
    """Four corners, and no verdict."""
    ends = {"low": 0.1, "high": 0.05}
    four = {
        "transmission_kwh_per_gb": {"low": 0.001, "high": 0.005},
        "average": ends,
        "marginal": None,
        "marginal_unknown": [WEST],
        "sign_depends": None,
    }
    data = placed(WEST).to_json()
    assert parse_placement({**data, "sensitivity": four}).origin["sensitivity"] == four


def test_sensitivity_when_the_placement_is_another_ones_then_raises(instances):
    """A region that the problem does not have."""
    with pytest.raises(InvalidPlacementError):
        of(chain(instances), placed("eu-west-9"))
