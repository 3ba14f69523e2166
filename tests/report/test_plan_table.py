"""What is said of the intervals below the figures of a plan."""

import io

import pytest
from observed_problem import observed_problem
from rich.console import Console

from caribou.model.placement import Placement, Plan
from caribou.model.schema.problem_file import parse_problem
from caribou.report.plan_table import evaluation_table, plan_table
from caribou.solver import evaluate


@pytest.mark.parametrize(
    ("runs", "said"),
    [
        (1, "below a figure its interval, by 1 of the 30 runs that it takes to be 95 % sure of one"),
        (29, "below a figure its interval, by 29 of the 30 runs"),
        (30, "below a figure its 95 % interval, by the observed runs"),
    ],
)
def test_table_when_runs_are_few_then_their_intervals_are_not_called_sure(runs, said):
    """Those of one run have no width at all."""
    problem = parse_problem(observed_problem(1, runs).problem)
    output = io.StringIO()
    home = dict.fromkeys(problem.nodes, problem.home_region)
    Console(file=output, width=100).print(evaluation_table(evaluate(problem, home)))
    assert said in " ".join(output.getvalue().split())


def test_table_when_there_is_a_plan_an_hour_then_80_columns_show_each_region_and_its_hours():
    """A row a node and region: nothing is cut, however many plans a day has."""
    problem = parse_problem(observed_problem(1, 2).problem)
    away = [next(region for region in problem.regions if region != problem.home_region), problem.home_region]
    plans = tuple(Plan((hour,), dict.fromkeys(problem.nodes, away[hour % 2])) for hour in range(24))
    placement = Placement(problem.workflow.name, problem.workflow.version, problem.home_region, plans)
    output = io.StringIO()
    Console(file=output, width=80).print(plan_table(problem, placement))
    text = output.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    assert f"{away[0]} *" in text
    assert "00, 02, 04, 06, 08, 10" in text
