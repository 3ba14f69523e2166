"""What a saving rests on."""

import pytest

from caribou.model.errors import InvalidPlacementError
from caribou.model.metric import Metric
from caribou.model.placement import ALL_HOURS, Placement, Plan
from caribou.model.schema.placement import parse_placement
from caribou.model.schema.problem_file import parse_problem
from caribou.solver import evaluate, solve
from caribou.solver.analysis.sensitivity import sensitivity, with_sensitivity

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


@pytest.mark.parametrize(("end", "kwh_per_gb"), [("low", 0.001), ("high", 0.005)])
def test_saving_when_an_assumption_is_changed_then_is_that_of_the_changed_problem(instances, end, kwh_per_gb):
    """Each of the four is what the evaluator says of a problem with that transmission energy and intensity."""
    data = chain(instances, home=500.0, west=300.0)
    found = of(data, placed(WEST))
    data["carbon_model"]["transmission_kwh_per_gb"] = kwh_per_gb
    for savings, intensities in ((found.average, (400.0, 100.0)), (found.marginal, (500.0, 300.0))):
        for name, intensity in zip((HOME, WEST), intensities, strict=True):
            data["regions"][name]["carbon_intensity_g_per_kwh"].update(average=intensity, hourly=[intensity] * 24)
        result = evaluate(parse_problem(data), {"a": WEST, "b": WEST}, samples=SAMPLES)
        assert savings[end] == pytest.approx(1 - result.placed[Metric.CARBON].mean / result.home[Metric.CARBON].mean)


def test_sign_when_marginal_intensity_turns_the_saving_into_a_loss_then_it_depends(instances):
    """West is clean on average and dirty at the margin."""
    found = of(chain(instances, home=300.0, west=600.0))
    assert min(found.average.values()) > 0 > max(found.marginal.values())
    assert found.sign_depends is True


def test_sign_when_all_assumptions_agree_then_it_does_not_depend(instances):
    """West is clean by any count."""
    assert of(chain(instances, home=500.0, west=200.0)).sign_depends is False


@pytest.mark.parametrize("known", [{"home": 500.0}, {"west": 500.0}, {}])
def test_sign_when_a_marginal_intensity_is_missing_then_it_is_not_known(instances, known):
    """Nothing is put in its place, and the regions without it are named."""
    found = of(chain(instances, **known))
    assert found.marginal is None
    assert found.sign_depends is None
    assert set(found.marginal_unknown) == {HOME, WEST} - {{"home": HOME, "west": WEST}[name] for name in known}


def test_sign_when_energy_alone_turns_it_then_it_depends_though_marginal_is_not_known(instances):
    """Much data in motion: the move saves at low energy and loses at high energy."""
    data = chain(instances)
    data["nodes"]["a"]["allowed_regions"] = [HOME]
    data["carbon_model"]["intra_region_transmission_free"] = True
    data["edges"][0]["transfers"][f"{HOME}>{HOME}"]["payload_gb"] = [0.003]
    found = of(data, Placement("chain", "0.0.1", HOME, (Plan(ALL_HOURS, {"a": HOME, "b": WEST}),)))
    assert found.average["high"] < 0 < found.average["low"]
    assert found.sign_depends is True


def test_sign_when_all_is_at_home_then_nothing_is_saved_whatever_is_assumed(instances):
    """Home against home."""
    found = of(chain(instances, home=500.0), placed(HOME))
    assert set(found.average.values()) == set(found.marginal.values()) == {0.0}
    assert found.sign_depends is False


def test_saving_when_a_region_that_is_not_used_has_no_marginal_then_it_does_not_matter(instances):
    """Only the plan's regions and home are asked for."""
    assert of(chain(instances, home=500.0), placed(HOME)).marginal_unknown == ()


def test_placement_when_it_has_its_sensitivity_then_its_file_is_valid(instances):
    """The published schema knows it, known or not."""
    problem = parse_problem(chain(instances, home=300.0, west=600.0))
    solved = solve(problem, samples=SAMPLES)
    data = with_sensitivity(solved, sensitivity(problem, solved, samples=SAMPLES)).to_json()
    assert parse_placement(data).origin["sensitivity"]["sign_depends"] is True
    unknown = of(chain(instances)).to_json()
    assert parse_placement({**data, "sensitivity": unknown}).origin["sensitivity"]["marginal"] is None


def test_sensitivity_when_the_placement_is_another_ones_then_raises(instances):
    """A region that the problem does not have."""
    with pytest.raises(InvalidPlacementError):
        of(chain(instances), placed("eu-west-9"))
