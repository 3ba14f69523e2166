"""`caribou solve` and `caribou evaluate`."""

import io
import json
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from click.testing import CliRunner
from observed_problem import observed_problem

from caribou.cli.console import Terminal
from caribou.cli.solve import evaluate, solve
from caribou.model.errors import InvalidInputError, InvalidProblemError
from caribou.model.placement import ALL_HOURS, Plan
from caribou.model.schema.placement import read_placement
from caribou.model.schema.problem_file import parse_problem, read_problem
from caribou.report.hours import hours_text
from caribou.report.plan_table import plan_table
from caribou.solver import solve as solve_problem


@pytest.fixture
def problem_file(tmp_path, instances):
    """A file with the chain, its cost limited."""
    path = tmp_path / "problem.json"
    data = instances.chain()
    data["objective"]["hard"] = {"cost": {"type": "relative", "value": 150}}
    path.write_text(json.dumps(data))
    return path


def run(command, *arguments):
    """The result of a command, its errors raised."""
    return CliRunner().invoke(command, [str(argument) for argument in arguments], catch_exceptions=False)


def test_solve_when_run_then_writes_a_valid_placement_and_shows_it(problem_file, tmp_path):
    """The file has the digest of the problem, an expiry, and the plan; the table has nodes, regions and totals."""
    output = tmp_path / "solved.json"
    result = run(solve, "--problem", problem_file, "-o", output, "--seed", 3, "--samples", 60, "--valid-days", 2)
    assert result.exit_code == 0
    placement = read_placement(output)
    assert placement.origin["problem_sha256"] == read_problem(problem_file).digest
    assert placement.expires_at - datetime.fromisoformat(placement.origin["solved_at"]) == timedelta(days=2)
    assert placement.origin["solver"]["seed"] == 3
    for text in ("us-west-2 *", "operational carbon", "optimal", "hard: cost (moved), tail"):
        assert text in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["problem.json", "solved.json"]


def test_solve_when_asked_for_the_fastest_within_a_share_then_the_file_and_the_output_say_so(problem_file, tmp_path):
    """What was minimised, how near to the least carbon it is, and that the file can be read again."""
    output = tmp_path / "solved.json"
    asked = ("--problem", problem_file, "-o", output, "--samples", 60, "--within", "20 %", "--then", "runtime")
    said = run(solve, *asked).output
    placement = read_placement(output)
    assert placement.origin["solver"]["within"] == {"share": 0.2, "then": "runtime"}
    near = [plan.report["near"] for plan in placement.plans]
    assert all(one["metric"] == "carbon" and one["value"] <= one["limit"] for one in near)
    assert "the least run time within 20 % of the least carbon: +" in said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--within", "5"), "is no share in per cent. Write 5% for a twentieth"),
        (("--within", "nan%"), "is no share in per cent"),
        (("--within", "-1%"), "is no share in per cent"),
        (("--within", "5%", "--then", "speed"), "'speed' is not one of"),
    ],
)
def test_solve_when_the_share_is_none_then_says_how_it_is_written(problem_file, options, said):
    """Five is not five per cent."""
    result = run(solve, "--problem", problem_file, *options)
    assert result.exit_code == 2
    assert said in result.output


def test_solve_when_nothing_is_to_be_near_then_then_is_a_mistake(problem_file):
    """It would be overlooked."""
    with pytest.raises(InvalidInputError, match=r"--then: says what is minimised within a share.*add --within 5%"):
        run(solve, "--problem", problem_file, "--then", "cost")


def test_solve_when_the_problem_is_wrong_then_raises_and_writes_nothing(tmp_path):
    """A broken problem is our own error; no output appears."""
    path = tmp_path / "problem.json"
    path.write_text("{}")
    with pytest.raises(InvalidProblemError, match="schema"):
        run(solve, "--problem", path, "-o", tmp_path / "solved.json")
    assert not (tmp_path / "solved.json").exists()


def test_evaluate_when_asked_for_json_then_prints_both_sets_of_metrics(problem_file, tmp_path):
    """Placed and home, each with mean, p95 and interval, as a JSON object; without --json, a table."""
    output = tmp_path / "solved.json"
    run(solve, "--problem", problem_file, "-o", output, "--samples", 60)
    arguments = ("--problem", problem_file, "--placement", output, "--samples", 60)
    found = json.loads(run(evaluate, *arguments, "--json").output)
    assert found["metrics"]["carbon_g"]["mean"] < found["home_metrics"]["carbon_g"]["mean"]
    assert set(found["metrics"]["runtime_s"]) == {"mean", "p95", "ci95"}
    assert "run time, s: p95" in run(evaluate, *arguments).output


def test_evaluate_when_given_several_placements_then_each_is_compared_with_the_first_run_by_run(tmp_path):
    """Each as if it were alone; their difference is surer than the figures are."""
    problem = parse_problem(observed_problem(1, 40).problem)
    files = {"problem": tmp_path / "problem.json", "home": tmp_path / "home.json", "moved": tmp_path / "moved.json"}
    files["problem"].write_text(json.dumps(problem.model_dump(mode="json", by_alias=True)))
    moved = solve_problem(problem)
    home = replace(moved, plans=(Plan(ALL_HOURS, dict.fromkeys(problem.nodes, problem.home_region)),))
    for name, placement in (("home", home), ("moved", moved)):
        files[name].write_text(json.dumps(placement.to_json()))
    both = ("--problem", files["problem"], "--placement", files["home"], "--placement", files["moved"])
    found = json.loads(run(evaluate, *both, "--json").output)
    alone = json.loads(run(evaluate, "--problem", files["problem"], "--placement", files["moved"], "--json").output)
    assert found["placements"][1] == {"file": str(files["moved"]), **alone}
    [difference] = found["differences"]
    assert (difference["file"], difference["against"]) == (str(files["moved"]), str(files["home"]))
    assert difference["changes"] == alone["changes"]  # the first is home here
    placed, at_home = (alone[key]["carbon_g"] for key in ("metrics", "home_metrics"))
    low, high = difference["changes"]["carbon_g"]["mean"]
    apart = placed["ci95"][1] / at_home["ci95"][0] - placed["ci95"][0] / at_home["ci95"][1]
    assert high - low < apart
    said = run(evaluate, *both).output
    assert "B beside A" in said
    assert "A is " in said


def test_evaluate_when_runs_are_drawn_then_placements_have_differences_without_intervals(problem_file, tmp_path):
    """None are known."""
    output = tmp_path / "solved.json"
    run(solve, "--problem", problem_file, "-o", output, "--samples", 60)
    both = ("--problem", problem_file, "--samples", 60, *(("--placement", output) * 2))
    assert json.loads(run(evaluate, *both, "--json").output)["differences"] == []
    assert "+0.0%" in run(evaluate, *both).output


def test_plan_table_when_nothing_is_feasible_then_says_so_clearly(instances):
    """An infeasible plan is in capitals, with the limit that is violated."""
    data = instances.chain()
    data["objective"]["hard"] = {"runtime": {"type": "absolute", "value": 1.0}}
    problem = parse_problem(data)
    console = Terminal(width=120, file=io.StringIO())
    console.print(plan_table(problem, solve_problem(problem, samples=60)))
    text = console.file.getvalue()
    assert "INFEASIBLE" in text
    assert "(violated)" in text


@pytest.mark.parametrize(
    ("hours", "text"),
    [(range(24), "all hours"), ([5], "05"), ([0, 1, 2, 20, 22, 23], "00-02, 20, 22-23")],
)
def test_hours_when_shown_then_are_spans(hours, text):
    """Hours that follow each other are one span."""
    assert hours_text(hours) == text


@pytest.mark.parametrize(
    "option",
    [("--valid-days", "1e8"), ("--valid-days", "nan"), ("--time-limit", "nan"), ("--switching-penalty", "inf")],
    ids=" ".join,
)
def test_solve_when_a_number_is_out_of_range_or_none_then_nothing_is_solved(problem_file, tmp_path, option):
    """A range, and not a traceback out of the calendar."""
    result = run(solve, "--problem", problem_file, "-o", tmp_path / "solved.json", *option)
    assert result.exit_code == 2
    assert f"Invalid value for '{option[0]}'" in result.output
    assert not (tmp_path / "solved.json").exists()


def test_solve_when_it_is_to_be_robust_then_the_placement_and_the_output_say_so(problem_file, tmp_path):
    """The problem's file need not ask for it; its digest is that of the file."""
    output = tmp_path / "solved.json"
    said = run(solve, "--problem", problem_file, "-o", output, "--samples", 60, "--robust", "--explain").output
    assert "Robust: carbon counts as in the worst corner" in said
    placement = read_placement(output)
    assert placement.origin["solver"]["robust"] is True
    assert placement.origin["problem_sha256"] == read_problem(problem_file).digest


def test_solve_when_it_is_to_be_robust_and_carbon_is_not_first_then_that_is_refused(problem_file, tmp_path):
    """One message with the remedy, and nothing is written."""
    data = json.loads(problem_file.read_text())
    data["objective"]["priority"] = ["cost", "carbon"]
    problem_file.write_text(json.dumps(data))
    with pytest.raises(InvalidInputError, match=r"--robust: .*found: cost, carbon.*To fix: leave it out"):
        run(solve, "--problem", problem_file, "-o", tmp_path / "solved.json", "--robust")
    assert not (tmp_path / "solved.json").exists()


def test_solve_when_the_verdict_is_not_saves_then_it_shows_the_corners_and_warns(tmp_path):
    """What moves may lose by marginal intensity."""
    path = tmp_path / "problem.json"
    path.write_text(json.dumps(observed_problem(5, runs=12).problem))
    result = run(solve, "--problem", path, "-o", tmp_path / "solved.json")
    assert "by marginal intensity" in result.stdout
    assert "DEPENDS ON WHAT IS ASSUMED (12 runs)" in result.stdout
    assert "warning: whether it saves carbon depends on what is assumed" in result.stderr


def test_solve_when_a_picture_has_an_ending_then_it_is_of_that_kind(problem_file, tmp_path):
    """SVG is text, PNG has its signature."""
    for name, begins in (("f.svg", b"<svg "), ("f.PNG", b"\x89PNG")):
        given = ("--problem", problem_file, "-o", tmp_path / "s.json", "--samples", 60, "--points", 2)
        assert run(solve, *given, "--picture", tmp_path / name).exit_code == 0
        assert (tmp_path / name).read_bytes().startswith(begins)


@pytest.mark.parametrize(
    ("name", "said"), [("f.pdf", "end it in .svg or .png"), ("f", "end it in"), ("f.png", "pip install 'caribou-cdk")]
)
def test_solve_when_a_picture_can_not_be_drawn_then_it_is_refused_before_the_work(name, said, tmp_path, monkeypatch):
    """Another ending, or a package that is missing: nothing is read, nothing is written."""
    monkeypatch.setattr("caribou.report.png.find_spec", lambda _: None)
    with pytest.raises(InvalidInputError, match=said):
        run(solve, "--problem", tmp_path / "none.json", "-o", tmp_path / "s.json", "--picture", tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_solve_when_the_window_has_80_columns_then_no_line_is_wider_and_nothing_is_cut(problem_file, monkeypatch):
    """Tables, notes, explanations and the frontier; piped, so without colours."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(problem_file.parent)
    given = ("--problem", problem_file.name, "--samples", 60, "--points", 2)
    lines = run(solve, *given, "--explain", "--pareto", "frontier.json").stdout.splitlines()
    assert [line for line in lines if len(line) > 80 or "…" in line or "\x1b" in line] == []
    assert len(lines) > 40
