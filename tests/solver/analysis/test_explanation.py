"""Why nodes are where they are."""

import pytest

from caribou.model.metric import Metric
from caribou.model.placement import ALL_HOURS, Placement, Plan
from caribou.model.schema.problem_file import parse_problem
from caribou.solver import evaluate, solve
from caribou.solver.analysis.explanation import explain

SAMPLES = 60
HOME, WEST = "us-east-1", "us-west-2"


def placed(*plans):
    """A placement of the chain: (hours, region of a, region of b), ..."""
    return Placement(
        "chain", "0.0.1", HOME, tuple(Plan(tuple(hours), {"a": first, "b": second}) for hours, first, second in plans)
    )


def reasons(data, placement=None):
    """The reasons for a placement, else for the solved one, by node and region."""
    problem = parse_problem(data)
    placement = placement or solve(problem, samples=SAMPLES)
    return {(reason.node, reason.region): reason for reason in explain(problem, placement, samples=SAMPLES)}


def test_reason_when_nothing_else_is_better_then_each_move_says_what_it_would_add(instances):
    """What a move changes is what two evaluations differ by."""
    data = instances.chain()
    problem = parse_problem(data)
    reason = reasons(data)["b", WEST]
    (move,) = reason.moves
    here, there = (evaluate(problem, {"a": WEST, "b": region}, samples=SAMPLES).placed for region in (WEST, HOME))
    assert (move.region, move.verdict, reason.hours) == (HOME, "worse", ALL_HOURS)
    assert move.change[Metric.CARBON] == pytest.approx(there[Metric.CARBON].mean - here[Metric.CARBON].mean)
    assert move.change[Metric.COST] == pytest.approx(there[Metric.COST].mean - here[Metric.COST].mean)
    assert move.change[Metric.RUNTIME] == pytest.approx(there[Metric.RUNTIME].p95 - here[Metric.RUNTIME].p95)


def test_reason_when_a_limit_forbids_a_better_region_then_names_it_with_value_and_limit(instances):
    """Home is held by the limit on run time: west would be cleaner and too slow."""
    data = instances.chain()
    data["objective"]["hard"] = {"runtime": {"type": "relative", "value": 100}}
    move = reasons(data)["b", HOME].moves[0]
    assert (move.region, move.verdict) == (WEST, "forbidden")
    assert move.change[Metric.CARBON] < 0
    value, limit = move.breaks["hard.runtime"]
    assert value > limit


def test_reason_when_nothing_meets_the_limits_then_moves_do_not_either(instances):
    """At home for lack of a feasible placement: no move is called better."""
    data = instances.chain()
    data["objective"]["hard"] = {"runtime": {"type": "absolute", "value": 1.0}}
    assert {move.verdict for reason in reasons(data).values() for move in reason.moves} == {"forbidden"}


def test_reason_when_a_soft_limit_is_broken_by_the_move_then_names_it(instances):
    """Soft limits come before the objective."""
    data = instances.chain()
    data["objective"]["soft"] = {"cost": {"type": "relative", "value": 100}}
    assert set(reasons(data)["b", HOME].moves[0].breaks) == {"soft.cost"}


def test_reason_when_the_placement_is_not_the_best_then_a_better_region_is_named(instances):
    """Also a placement that was written by hand is explained."""
    move = reasons(instances.chain(), placed((ALL_HOURS, HOME, HOME)))["b", HOME].moves[0]
    assert move.verdict == "better"


def test_reason_when_regions_are_equal_then_the_move_gains_nothing(instances):
    """Nothing moves for nothing."""
    data = instances.chain()
    data["regions"][WEST] = data["regions"][HOME]
    data["edges"][0]["transfers"][f"{HOME}>{HOME}"]["payload_gb"] = [0.0]
    assert reasons(data)["b", HOME].moves[0].verdict == "equal"


def test_reason_when_a_node_moves_by_hour_then_each_region_has_its_hours(instances):
    """A node has one reason a region, and all hours are in one."""
    placement = placed((range(6), HOME, HOME), (range(6, 24), HOME, WEST))
    found = reasons(instances.chain(), placement)
    assert found["b", HOME].hours == tuple(range(6))
    assert found["b", WEST].hours == tuple(range(6, 24))
    assert found["a", HOME].hours == ALL_HOURS


def test_reason_when_a_neighbour_sends_much_then_it_pulls(instances):
    """Node b stays with a in the dirty region, for the data between them: the pull is what a move adds."""
    data = instances.chain()
    data["edges"][0]["transfers"][f"{HOME}>{HOME}"]["payload_gb"] = [0.5]
    data["carbon_model"]["intra_region_transmission_free"] = True
    data["nodes"]["a"]["allowed_regions"] = [HOME]
    (pull,) = reasons(data)["b", HOME].pulls
    assert pull.node == "a"
    assert pull.amount == pytest.approx(0.5 * 0.001 * (400 + 100) / 2)


def test_reason_when_the_entry_is_elsewhere_then_says_what_the_redirect_takes(instances):
    """The hop: a run of the redirector, its message, and the way there; at home there is none."""
    found = reasons(instances.chain(), placed((ALL_HOURS, WEST, WEST)))
    hop = found["a", WEST].hop
    assert hop[Metric.RUNTIME] == pytest.approx(0.15 + 0.1 + 0.06)
    assert hop[Metric.CARBON] > 0
    assert hop[Metric.COST] > 0
    assert found["b", WEST].hop is None


def test_reason_when_a_region_is_not_allowed_then_says_which_and_whether_it_is_cleaner(instances):
    """Node b may only run at home, though west is cleaner."""
    data = instances.chain()
    data["nodes"]["b"]["allowed_regions"] = [HOME]
    reason = reasons(data)["b", HOME]
    assert (reason.moves, reason.not_allowed, reason.cleaner) == ((), (WEST,), (WEST,))


def test_moves_when_there_are_many_regions_then_the_best_and_home_are_scored(instances):
    """At most three and home, in order of the objective."""
    data = instances.made_up(2, nodes=3, regions=4)
    for reason in reasons(data).values():
        assert len(reason.moves) <= 4
        assert [move.objective for move in reason.moves] == sorted(move.objective for move in reason.moves)
        if reason.moves and reason.region != HOME:
            assert HOME in [move.region for move in reason.moves]
