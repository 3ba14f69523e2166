"""`caribou new_workflow`: what it writes, where, and what it refuses."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from caribou.cli.new_files import TEMPLATE, examples
from caribou.cli.new_workflow import MAX_NAME, new_project_id, new_workflow
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


PROJECT = {"app.py", "cdk.json", "pyproject.toml", ".gitignore"}


def test_new_workflow_when_the_folder_is_empty_then_makes_a_project(here):
    """A repository of one's own needs nothing but the command: it gets all that a project has."""
    output = call("flow")
    assert files_below(here) == workflow_files("flow") | PROJECT
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


def test_new_workflow_when_it_makes_a_project_then_that_depends_on_caribou_as_it_is_installed(here):
    """There is no release to name: the requirement says where the wheel, or this repository, is."""
    call("flow")
    project = tomllib.loads((here / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == ">=3.11"
    assert project["dependencies"] == [f"caribou-cdk @ {ROOT.as_uri()}"]


def test_new_workflow_when_files_of_a_project_are_there_then_says_what_they_lack(here):
    """Nothing is overwritten, and nothing is missed."""
    for name in ("pyproject.toml", ".gitignore"):
        (here / name).write_text("mine")
    output = call("flow")
    assert (here / "pyproject.toml").read_text() == (here / ".gitignore").read_text() == "mine"
    assert "caribou-cdk @ file://" in output
    assert "add cdk.out/ cdk.context.json .caribou-local/" in output


@pytest.mark.parametrize(
    ("app", "source", "said"),
    [
        ("python3 infra.py", "import aws_cdk", "Add to infra.py:\n\n  from datetime import UTC"),
        ("python app.py", "from caribou.stacks import add_workflows", None),
        ("npx ts-node bin/app.ts", "", "is no Python program"),
        (None, "", 'Write "app": "python app.py" into it'),
    ],
)
def test_new_workflow_when_there_is_a_cdk_app_then_says_which_lines_it_lacks(here, app, source, said):
    """An app of the user's own is left as it is."""
    text = json.dumps({} if app is None else {"app": app})
    (here / "cdk.json").write_text(text)
    for name in ("app.py", "infra.py"):
        (here / name).write_text(source)
    output = call("flow")
    assert (here / "cdk.json").read_text() == text
    assert files_below(here) == workflow_files("flow") | {"cdk.json", "app.py", "infra.py"}
    assert ("add_workflows(app, Path(__file__).parent, now=" in output) == (app == "python3 infra.py")
    assert said is None or said in output


@pytest.mark.parametrize("example", examples())
def test_new_workflow_when_copied_from_an_example_then_it_is_that_one_under_the_new_name(here, example):
    """All of its files, with its own graph and manifest; no link leads out of its folder."""
    call("mine", "--from", example)
    source, copy = ROOT / "workflows" / example, here / "workflows" / "mine"
    assert files_below(copy) == {file for file in files_below(source) if "__pycache__" not in file}
    graph, original = derive_graph(copy), derive_graph(source)
    assert (graph.workflow, graph.nodes, graph.edges) == ("mine", original.nodes, original.edges)
    assert read_manifest(copy, graph).workflow_name == "mine"
    readme = (copy / "README.md").read_text()
    assert f"{example}" not in readme
    assert "](../" not in readme


def test_new_workflow_when_copied_from_an_example_without_a_name_then_keeps_that_ones(here):
    """A hyphen is as good as an underscore."""
    call("--from", "image-processing")
    assert (here / "workflows/image_processing/samples/photo.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["flow", "--from", "imageprocessing"], "did you mean image_processing.* map_reduce"),
        (["--from", "nothing-like-it"], "There are dna_visualization, fem_simulation"),
        ([], "my_flow.*--from: dna_visualization"),
    ],
)
def test_new_workflow_when_no_such_example_or_no_name_then_names_them_all(here, arguments, said):
    """Nothing is written."""
    assert re.search(said, str(refusal(*arguments)))
    assert files_below(here) == set()


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
