"""`caribou solve`: what it prints beside the placement, and its trade-offs."""

import json
import xml.etree.ElementTree as ET

import pytest
from click.testing import CliRunner

from caribou.cli.solve import solve
from caribou.model.errors import InvalidInputError
from caribou.model.schema.placement import read_placement

MEASURED = ("seconds", "cpu_seconds", "energy_kwh", "carbon_g", "cost_usd", "pays_back_after_runs")


@pytest.fixture
def problem_file(tmp_path, instances):
    """A file with the chain, in which marginal intensity turns the saving of carbon into a loss."""
    data = instances.chain()
    for region, marginal in (("us-east-1", 300.0), ("us-west-2", 600.0)):
        data["regions"][region]["carbon_intensity_g_per_kwh"]["marginal"] = marginal
    path = tmp_path / "problem.json"
    path.write_text(json.dumps(data))
    return path


def run(problem_file, *arguments):
    """The output of a solve into solved.json beside the problem."""
    given = ("--problem", problem_file, "-o", problem_file.with_name("solved.json"), "--samples", 60, *arguments)
    result = CliRunner().invoke(solve, [str(argument) for argument in given], catch_exceptions=False)
    assert result.exit_code == 0
    return " ".join(result.output.split())


def test_solve_when_run_then_says_what_the_saving_rests_on_and_what_the_solve_took(problem_file):
    """Both are in the file and in words."""
    text = run(problem_file)
    assert "DEPENDS ON WHAT IS ASSUMED" in text.replace("\n", " ")
    assert "The solve itself: " in text
    assert "as a function in us-west-2" in text
    origin = read_placement(problem_file.with_name("solved.json")).origin
    assert origin["sensitivity"]["verdict"] == "depends on what is assumed"
    assert origin["solver"]["cpu_seconds"] > 0
    assert origin["solver"]["carbon_g"] > 0
    assert origin["solver"]["pays_back_after_runs"] >= 1


def test_solve_when_run_twice_then_files_differ_in_nothing_but_times_and_measurements(problem_file):
    """The same problem, seed and samples."""
    solved = []
    for _ in range(2):
        run(problem_file)
        data = json.loads(problem_file.with_name("solved.json").read_text())
        for name in MEASURED:
            del data["solver"][name]
        del data["solved_at"], data["expires_at"]
        solved.append(json.dumps(data))
    assert solved[0] == solved[1]


def test_solve_when_asked_to_explain_then_says_of_each_node_why_it_is_there(problem_file):
    """Every node, and the move home; without the flag, none."""
    text = run(problem_file, "--explain")
    assert "a runs in us-west-2, all hours" in text
    assert "b runs in us-west-2, all hours" in text
    assert "In us-east-1 (home): " in text
    assert "redirected, which takes" in text
    assert " runs in " not in run(problem_file)


def test_solve_when_asked_for_the_frontier_then_writes_json_and_picture_and_prints_a_table(problem_file):
    """The placement is written as ever."""
    frontier, picture = (problem_file.with_name(name) for name in ("frontier.json", "frontier.svg"))
    text = run(problem_file, "--pareto", frontier, "--picture", picture, "--points", 2, "--seed", 3)
    data = json.loads(frontier.read_text())
    assert (data["schema"], data["seed"], data["samples"]) == ("caribou.frontier/1", 3, 60)
    assert [point["chosen"] for point in data["points"]].count(True) == 1
    assert data["solves"] <= 2**2 + 3
    assert ET.fromstring(picture.read_text()).tag.endswith("svg")
    assert "The frontier" in text
    assert f"{picture} written" in text.replace(" ", "").replace("written", " written")
    assert problem_file.with_name("solved.json").exists()


def test_solve_when_only_the_picture_is_asked_for_then_only_that_is_written(problem_file):
    """Each option stands for itself."""
    run(problem_file, "--picture", problem_file.with_name("frontier.svg"), "--points", 2)
    assert {path.name for path in problem_file.parent.iterdir()} == {"problem.json", "solved.json", "frontier.svg"}


@pytest.mark.parametrize("option", ["--output", "--pareto", "--picture"])
@pytest.mark.parametrize(("path", "said"), [("no/file", "there is no such folder"), (".", "Is a directory")])
def test_solve_when_a_file_can_not_be_written_then_says_so_and_solves_nothing(problem_file, option, path, said):
    """A solve that is lost at its end is minutes that are lost."""
    with pytest.raises(InvalidInputError, match=rf"{option}: .*{said}"):
        run(problem_file, option, problem_file.parent / path)
    assert [one.name for one in problem_file.parent.iterdir()] == ["problem.json"]


@pytest.mark.parametrize("arguments", [[], ["flow", "--problem", "problem.json"]])
def test_solve_when_not_just_one_of_workflow_and_problem_is_given_then_it_is_refused(arguments):
    """Which of two is meant, nobody knows."""
    with pytest.raises(InvalidInputError, match="either a workflow or a problem's file"):
        CliRunner().invoke(solve, arguments, catch_exceptions=False)


def test_solve_when_options_are_given_then_the_solver_has_them_and_the_file_has_them(problem_file):
    """No region but home is left, so everything stays there."""
    run(problem_file, "--max-regions", 0, "--switching-penalty", 0.01, "--time-limit", 60)
    placement = read_placement(problem_file.with_name("solved.json"))
    assert placement.regions == {"us-east-1"}
    given = {"max_regions": 0, "switching_penalty": 0.01, "time_limit_s": 60.0}
    assert given.items() <= placement.origin["solver"].items()


def test_solve_when_the_time_is_up_at_once_then_a_placement_is_written_all_the_same(problem_file):
    """The best so far, with a bound that holds; nothing of the options that were not given."""
    run(problem_file, "--time-limit", 1e-9)
    placement = read_placement(problem_file.with_name("solved.json"))
    assert placement.plans[0].report["status"] in {"optimal", "feasible"}
    assert "max_regions" not in placement.origin["solver"]


def test_solve_when_nodes_have_names_like_markup_then_they_are_shown(problem_file):
    """The placement was written, and then its table was a traceback."""
    data = problem_file.read_text()
    for name in json.loads(data)["nodes"]:
        data = data.replace(f'"{name}"', json.dumps(f"[/{name}]\x1b[2J"))
    problem_file.write_text(data)
    text = run(problem_file, "--explain")
    for name in json.loads(problem_file.read_text())["nodes"]:
        assert name.replace("\x1b", "\\x1b") in text
