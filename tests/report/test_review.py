"""A move as a person reviews it."""

import io
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from deployed_world import HOME, WEST, placed

from caribou.cli.console import Terminal
from caribou.report.review import NodeMove, Review, StackLine, review_markdown, review_screen


def estimate(mean, p95, **tail):
    """One metric's figures."""
    return {"mean": mean, "p95": p95, "ci95": [0.9 * mean, 1.1 * mean], **tail}


def metrics(carbon_g, cost_usd, runtime_s):
    """The figures of one run."""
    tail = {"p95_ci95": [4.4, None]}
    return {
        "carbon_g": estimate(carbon_g, carbon_g),
        "cost_usd": estimate(cost_usd, cost_usd, p95_ci95=[cost_usd, cost_usd]),
        "runtime_s": estimate(runtime_s, 5.25, **tail),
    }


DAY = {
    "metrics": metrics(0.0005, 0.0004, 2.2),
    "home_metrics": metrics(0.001, 0.0003, 2.0),
    "changes": {
        "carbon_g": {"mean": [-0.6, -0.4], "p95": None},
        "cost_usd": {"mean": [0.1, 0.5], "p95": [0.1, 0.5]},
        "runtime_s": {"mean": [-0.05, 0.25], "p95": [-0.1, 0.2]},
    },
}
CORNERS = [
    {
        "transmission_kwh_per_gb": kwh,
        "intra_region_kwh_per_gb": inside,
        "intensity": intensity,
        "saving": 0.814,
        "ci95": [0.72, 0.85],
    }
    for kwh, inside in ((0.001, 0.001), (0.001, 0.0), (0.005, 0.0))
    for intensity in ("average", "marginal")
]
SENSITIVITY = {
    "verdict": "saves",
    "corners": CORNERS,
    "marginal_unknown": [],
    "break_even_kwh_per_gb": 0.08,
    "runs": 30,
    "runs_needed": None,
}
SOLVED = placed(WEST, expires_at=datetime(2030, 1, 1, tzinfo=UTC), day=DAY, sensitivity=SENSITIVITY)
NODES = tuple(f"{letter * 24}:entry_point_0:{place}" for place, letter in enumerate("abcdefgh"))
NEW = {"AWS::Lambda::Function": 5, "AWS::IAM::Role": 5, "AWS::S3::Bucket": 1, "AWS::DynamoDB::Table": 1, "X::Y::Z": 3}
STACKS = (
    StackLine("update", "Workflow-example-registration", WEST, "known", {}, {}),
    StackLine("create", "Workflow-example-us-west-2", WEST, "new", NEW, {}),
    StackLine("update", "Workflow-example", HOME, "home", {"AWS::SQS::Queue": 1}, {"AWS::SNS::Topic": 2}),
    StackLine("keep", "Workflow-example-ca-central-1", "ca-central-1", "stays until it is retired", {}, NEW),
)


def review(**changes):
    """A move of many nodes, one of them at some hours only."""
    moves = [NodeMove(NODES, HOME, WEST, tuple(range(24))), NodeMove(("late:x:1",), HOME, WEST, (0, 1, 2))]
    given = {"before": placed(), "after": SOLVED, "stage": "dev", "moves": moves, "stacks": STACKS, **changes}
    return Review(**given)


def screen(shown):
    """The review at 80 columns, line by line."""
    output = io.StringIO()
    Terminal(file=output, width=80).print(review_screen(shown))
    return [line.rstrip() for line in output.getvalue().splitlines()]


def words(lines):
    """Lines as one text, in which no line break parts a phrase."""
    return " ".join(" ".join(lines).split())


def test_review_when_many_nodes_move_then_it_is_one_screen_of_80_columns():
    """Nothing is cut, and figures are not parted from their intervals."""
    lines = screen(review())
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 50
    for line in (
        "carbon, mg     1 (0.9-1.1)        0.5 (0.45-0.55)    -50.0% (-60.0% to -40.0%)",
        "tail (p95), s  5.25 (4.4-?)       5.25 (4.4-?)       +0.0% (-10.0% to +20.0%)",
        "0.005, 0      -81.4% (-85.0% to -72.0%)  -81.4% (-85.0% to -72.0%)",
        "Carbon: SAVES (30 runs). Saving and losing meet at 0.08 kWh/GB between regions.",
        "      valid until 2030-01-01 00:00 UTC",
    ):
        assert line.split() in [one.split() for one in lines]
    text = words(lines)
    for node in NODES:
        assert node in text
    assert "us-east-1 us-west-2 00-02 late:x:1" in text
    assert "update Workflow-example-registration, us-west-2: no resource appears or goes" in text
    assert "create Workflow-example-us-west-2, us-west-2 + 5 functions, 5 roles, 1 bucket, 1 table, 3 more" in text
    assert "update Workflow-example, us-east-1 + 1 queue - 2 topics" in text
    assert "stays until it is retired - 5 functions" in text


def test_review_when_nothing_is_deployed_then_nodes_come_from_nowhere():
    """The first deployment is no move."""
    lines = screen(review(before=None, moves=[NodeMove(("a:b:0",), None, WEST, tuple(range(24)))]))
    assert lines[0].endswith("the first deployment")
    assert "- us-west-2 all hours a:b:0" in words(lines)


def test_review_when_everything_goes_home_then_there_are_no_figures():
    """Home emits what home emits."""
    text = words(screen(review(before=SOLVED, after=placed())))
    assert "carbon" not in text
    assert "never expires" in text


@pytest.mark.parametrize(
    ("origin", "said"),
    [
        ({}, "nobody has checked that it saves"),
        ({"sensitivity": SENSITIVITY}, "solve again to see it"),
        ({"sensitivity": {**SENSITIVITY, "runs": 12}}, "by 12 runs they are too narrow"),
    ],
)
def test_review_when_the_file_lacks_something_then_it_is_said(origin, said):
    """A placement written by hand, or by an earlier version, or by few runs."""
    assert said in words(screen(review(after=placed(WEST, **origin))))


def test_review_when_the_plan_is_only_near_the_least_carbon_then_it_says_so():
    """A reviewer does not take it for the least."""
    plan = replace(SOLVED.plans[0], report={"near": {"metric": "carbon", "limit": 0.00105, "value": 0.00102}})
    near = replace(
        SOLVED, plans=(plan,), origin={**SOLVED.origin, "solver": {"within": {"share": 0.05, "then": "cost"}}}
    )
    said = "all hours: the least cost within 5 % of the least carbon: +2.00%, 1.02 mg a run instead of 1 mg."
    assert said in words(screen(review(after=near)))
    assert said in review_markdown(review(after=near))


def test_review_when_runs_are_drawn_then_figures_have_no_intervals():
    """None are known."""
    drawn = {key: DAY[key] for key in ("metrics", "home_metrics")}
    assert "carbon, mg 1 0.5 -50.0%" in words(screen(review(after=placed(WEST, day=drawn))))


def test_review_when_it_is_markdown_then_each_table_is_whole():
    """All rows of a table have its columns, and no text ends a cell."""
    text = review_markdown(review(others=["delete bucket a|b in us-west-2: left empty"]))
    for block in (block for block in text.split("\n\n") if block.startswith("|")):
        assert len({line.replace("\\|", "").count("|") for line in block.splitlines()}) == 1
        assert block.splitlines()[1].startswith("| --- |")
    assert "| carbon, mg | 1 (0.9-1.1) | 0.5 (0.45-0.55) | -50.0% (-60.0% to -40.0%) |" in text
    assert "+ 5 functions, 5 roles, 1 bucket, 1 table, 3 more |" in text
