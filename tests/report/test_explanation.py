"""Why nodes are where they are, in words."""

import pytest

from caribou.model.metric import Metric
from caribou.report.explanation import explanation
from caribou.solver.analysis.explanation import Move, Pull, Reason

HOME, WEST, NORTH = "us-east-1", "us-west-2", "ca-central-1"


def change(*values):
    """A change of carbon, cost and run time."""
    return dict(zip((Metric.CARBON, Metric.COST, Metric.RUNTIME), values, strict=True))


WORSE = Move(HOME, change(0.0012, 5e-6, -0.25), 0.112, {})
FORBIDDEN = Move(NORTH, change(-0.25, 0.0, 1.5), -0.05, {"hard.runtime": (11.234, 10.9)})


def reason(*moves, **fields):
    """A reason of node b, in the west."""
    return Reason(
        **{
            "node": "b",
            "region": WEST,
            "hours": tuple(range(24)),
            "moves": moves,
            "not_allowed": (),
            "cleaner": (),
            "pulls": (),
            "hop": None,
            **fields,
        }
    )


def words(*moves, objective=Metric.CARBON, **fields):
    """The explanation as one text."""
    return "\n".join(explanation([reason(*moves, **fields)], HOME, objective))


def test_words_when_a_move_is_worse_then_say_what_it_adds_in_units_for_people():
    """Milligrams, dollars a million runs, seconds; and that it is home."""
    text = words(WORSE)
    assert text.startswith("b runs in us-west-2, all hours: nowhere that it may run has less carbon.")
    assert "In us-east-1 (home): 1.2 mg more carbon (+11.2% of home's), 5 USD per million runs more" in text
    assert "0.25 s less tail run time" in text


def test_words_when_a_limit_forbids_a_move_then_name_it_with_value_and_limit():
    """The reader learns which limit to loosen, and how far; what does not change is left out."""
    text = words(FORBIDDEN, WORSE)
    assert "all hours: a limit holds it there." in text
    assert "In ca-central-1: 0.25 g less carbon (-5.0% of home's), 1.5 s more tail run time. It can't: " in text
    assert "the tail of run time would be 11.234 s, above its hard limit of 10.9 s." in text


def test_words_when_a_worse_move_breaks_limits_too_then_say_both():
    """Soft limits bound the mean."""
    move = Move(NORTH, WORSE.change, 0.1, {"soft.cost": (1.2e-3, 1.1e-3), "hard.carbon": (0.3, 0.2)})
    assert (
        "besides, the mean of cost would be 1,200 USD per million runs, above its soft limit of 1,100 USD per million "
        "runs and the tail of carbon would be 0.3 g, above its hard limit of 0.2 g." in words(move)
    )


def test_words_when_a_better_region_is_known_then_say_that_nothing_forbids_it():
    """An unfinished solve does not pass for a finished one."""
    text = words(Move(NORTH, change(-0.001, 0.0, 0.0), -0.1, {}))
    assert "a better region is known" in text
    assert "Nothing forbids it" in text


def test_words_when_neighbours_pull_then_name_the_strong_ones_and_the_direction():
    """What is below a tenth of what the move changes is left out."""
    pulls = (Pull("a", 0.0009), Pull("c", -0.0005), Pull("d", 0.00001))
    text = words(WORSE, pulls=pulls)
    assert "Its traffic with a keeps it here: 0.9 mg more if it ran in us-east-1." in text
    assert "Its traffic with c draws it to us-east-1: 0.5 mg less if it ran in us-east-1." in text
    assert "with d" not in text


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"hop": change(0.0001, 2e-6, 0.3)}, "redirected, which takes 0.1 mg more carbon, 2 USD per million runs more"),
        ({"not_allowed": (NORTH,), "cleaner": (NORTH,)}, "Not allowed, though electricity is cleaner: ca-central-1."),
        ({"not_allowed": (NORTH, HOME)}, "Not allowed, and no cleaner: ca-central-1 and us-east-1."),
        ({"region": HOME, "hours": (0, 1, 5)}, "b runs in us-east-1 (home), 00-01, 05:"),
    ],
)
def test_words_when_there_is_more_to_say_then_have_a_line_for_it(fields, line):
    """The redirect, what is not allowed, and hours."""
    assert line in words(WORSE, **fields)


def test_words_when_a_node_may_run_nowhere_else_then_say_so():
    """There is no move to speak of."""
    assert words() == "b runs in us-west-2, all hours: it may run nowhere else."


def test_words_when_cost_comes_first_then_speak_of_cost():
    """The metric of first priority decides."""
    text = words(WORSE, objective=Metric.COST, pulls=(Pull("a", 5e-6),))
    assert "nowhere that it may run has less cost" in text
    assert "Its traffic with a keeps it here: 5 USD per million runs more" in text


def test_words_when_nothing_changes_then_say_that():
    """Equal regions."""
    assert "In ca-central-1: nothing changes." in words(Move(NORTH, change(0.0, 0.0, 0.0), 0.0, {}))
