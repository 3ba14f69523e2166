"""`caribou new_workflow`: what it writes, where, and what it refuses."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from caribou.cli.new_workflow import MAX_NAME, TEMPLATE, new_project_id, new_workflow
from caribou.model.errors import InvalidInputError, OperationFailedError
from caribou.model.names import MAX_FUNCTION_NAME, WorkflowNames
from caribou.model.project.settings import settings_of
from caribou.model.schema.manifest import read_manifest
from caribou.model.source.derive import derive_graph

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """An empty folder to stand in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(*arguments):
    """The output of the command; what it raises is raised."""
    return CliRunner().invoke(new_workflow, arguments, catch_exceptions=False).output


def refusal(*arguments):
    """The error with which the command refuses."""
    with pytest.raises(InvalidInputError) as caught:
        call(*arguments)
    return caught.value


def files_below(folder):
    """Paths of all files, relative to the folder."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def workflow_files(name):
    """The files of a new workflow."""
    return {
        f"workflows/{name}/{file}"
        for file in (
            ".caribou/config.yml",
            "README.md",
            "app.py",
            "requirements.txt",
            "samples/input.json",
            f"tests/test_{name}.py",
        )
    }


def test_new_workflow_when_the_folder_is_empty_then_makes_a_project(here):
    """A repository of one's own needs nothing but the command: it gets app.py and cdk.json too."""
    output = call("flow")
    assert files_below(here) == workflow_files("flow") | {"app.py", "cdk.json"}
    assert all(f"  {file}\n" in output for file in files_below(here))


def test_new_workflow_when_it_makes_a_project_then_it_is_one_like_ours(here):
    """A user's project has the same CDK app and settings as this repository, so that both synthesise the same."""
    call("flow")
    assert (here / "app.py").read_text() == (ROOT / "app.py").read_text()
    written, ours = (json.loads((root / "cdk.json").read_text()) for root in (here, ROOT))
    assert re.fullmatch(
        rf"{here.name.replace('_', '-')[:40].strip('-')}-[0-9a-f]{{8}}",
        new_id := written["context"].pop("caribou:project"),
    )
    assert written == ours
    assert settings_of({"caribou:project": new_id}, "").project_id == new_id


@pytest.mark.parametrize("folder", ["", "...", "Ein Haus", "x" * 300, "\N{SNOWMAN}"])
def test_project_id_when_the_folder_has_any_name_then_it_is_a_right_one_and_never_twice_the_same(folder):
    """It is the name as far as that can be read, and chance."""
    one, other = new_project_id(folder), new_project_id(folder)
    assert one != other
    assert settings_of({"caribou:project": one}, "").project_id == one


def test_new_workflow_when_below_a_project_then_writes_into_the_project(here, monkeypatch):
    """The project is the folder of cdk.json, wherever below it the user stands; its own files are left alone."""
    (here / "cdk.json").write_text("{}")
    (here / "deep" / "er").mkdir(parents=True)
    monkeypatch.chdir(here / "deep" / "er")
    output = call("flow")
    assert files_below(here) == workflow_files("flow") | {"cdk.json"}
    assert (here / "cdk.json").read_text() == "{}"
    assert str(here / "workflows/flow/app.py") in output


def test_new_workflow_when_there_is_an_app_but_no_project_then_leaves_it_and_says_so(here):
    """A user's own app.py is never overwritten."""
    (here / "app.py").write_text("mine")
    output = call("flow")
    assert (here / "app.py").read_text() == "mine"
    assert (here / "cdk.json").exists()
    assert "synthesise(now=datetime.now(UTC))" in output


def test_new_workflow_when_given_a_directory_then_writes_there_only(here):
    """`--directory` is the new folder itself; the output says that the CDK app looks elsewhere."""
    output = call("flow", "--directory", "other/place")
    assert files_below(here) == {f.replace("workflows/flow", "other/place") for f in workflow_files("flow")}
    assert "looks in workflows/flow" in output


def test_new_workflow_when_the_directory_is_where_the_app_looks_then_gives_no_such_advice():
    """Nothing has to be moved."""
    assert "looks in" not in call("flow", "--directory", "workflows/flow")


def test_new_workflow_when_the_folder_exists_then_refuses_and_writes_nothing(here):
    """Nothing is overwritten, not even an empty folder's neighbours."""
    (here / "workflows" / "flow").mkdir(parents=True)
    error = refusal("flow")
    assert error.exit_code == 2
    assert "exists already" in str(error)
    assert files_below(here) == set()


@pytest.mark.parametrize(
    "name", ["", "1st", "_flow", "my-flow", "my flow", "fl\N{LATIN SMALL LETTER O WITH STROKE}w", "a/b", "..", "flow\n"]
)
def test_new_workflow_when_the_name_has_other_characters_then_refuses_and_writes_nothing(here, name):
    """A name has letters, digits and underscores, and begins with a letter."""
    assert "letters, digits and _" in str(refusal(name))
    assert files_below(here) == set()


def test_new_workflow_when_the_name_is_too_long_then_says_by_how_much(here):
    """Lambda's names have 64 characters for stage, workflow and function together."""
    assert "shorten it by 2" in str(refusal("a" * (MAX_NAME + 2)))
    assert files_below(here) == set()


def test_new_workflow_when_the_name_is_as_long_as_may_be_then_its_functions_fit():
    """The longest name leaves 25 characters to a function's name."""
    call("a" * MAX_NAME)
    assert len(WorkflowNames("a" * MAX_NAME).function("f" * 25)) == MAX_FUNCTION_NAME


def test_new_workflow_when_it_cannot_write_then_says_where(here):
    """A file in the place of a folder is the user's to remove."""
    (here / "workflows").write_text("a file")
    with pytest.raises(OperationFailedError, match=r"workflows.* can't be written"):
        call("flow")


def test_new_workflow_when_written_then_nothing_of_the_template_is_left(here):
    """Every placeholder is filled, in names and in texts."""
    call("flow")
    for file in files_below(here):
        assert "__workflow_name__" not in file + (here / file).read_text()
        assert ".tmpl" not in file


def test_new_workflow_when_written_then_its_graph_is_a_diamond(here):
    """Entry, two functions side by side, one of them on a condition, and a sync node."""
    call("flow")
    graph = derive_graph(here / "workflows" / "flow")
    function = {node.name: node.function for node in graph.nodes}
    assert (graph.workflow, graph.version) == ("flow", "0.0.1")
    assert [(function[e.source], function[e.target], e.conditional) for e in graph.edges] == [
        ("get_input", "count_words", False),
        ("get_input", "count_letters", True),
        ("count_words", "summarise", False),
        ("count_letters", "summarise", False),
    ]
    assert [node.function for node in graph.nodes if node.sync] == ["summarise"]


def test_new_workflow_when_written_then_its_manifest_is_accepted(here):
    """The manifest is for this workflow, and home is allowed for every function."""
    call("flow")
    folder = here / "workflows" / "flow"
    manifest = read_manifest(folder, derive_graph(folder))
    assert manifest.workflow_name == "flow"
    assert manifest.home_region == "us-east-1"
    assert manifest.iam_policy_file is None


def test_new_workflow_when_two_are_written_then_their_own_tests_pass_together(here):
    """Plain pytest, in a project of several workflows, each with an app.py."""
    call("one")
    call("two")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "workflows"]
    result = subprocess.run(command, cwd=here, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "16 passed" in result.stdout


def test_template_when_packaged_then_no_tool_takes_it_for_code_or_drops_it():
    """No hidden folder, which packaging may drop, and no Python file, which linters and pytest would pick up."""
    paths = [Path(path) for path in files_below(TEMPLATE)]
    assert not [path for path in paths if path.suffix == ".py" or any(part.startswith(".") for part in path.parts)]
