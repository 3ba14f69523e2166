"""The public way to run a workflow without a cloud."""

import subprocess
import sys
from pathlib import Path

import pytest

from caribou.constructs.bundling.code_files import workflow_files
from caribou.model.errors import InvalidWorkflowError
from caribou.model.placement import ALL_HOURS, Placement, Plan
from caribou.model.source.derive import derive_graph
from caribou.runtime.testing import Disorder, LocalRunner, load_functions, run_folder, run_workflow

APP = """
from caribou.runtime import CaribouWorkflow
from steps import double

workflow = CaribouWorkflow(name="sums", version="0.0.1")


@workflow.serverless_function(name="start", entry_point=True)
def begin(numbers):
    workflow.invoke_serverless_function(total, double(numbers[0]))
    workflow.invoke_serverless_function(total, numbers[1], len(numbers) > 1)


@workflow.serverless_function()
def total(_):
    return sum(workflow.get_predecessor_data())
"""


@pytest.fixture
def folder(tmp_path):
    """A workflow's folder."""
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "steps.py").write_text("def double(number):\n    return 2 * number\n")
    return tmp_path


def test_workflow_when_run_from_its_folder_then_its_outputs_are_there(folder):
    """Graph, functions and payload are all it takes."""
    graph = derive_graph(folder)
    result = run_workflow(graph, load_functions(folder, graph), [3, 4])
    assert (result.state, result.errors) == ("SUCCEEDED", ())
    assert result.outputs["total:sync:1"] == 10
    assert result.nodes == ("start:entry_point:0", "total:sync:1")


def test_run_folder_when_given_a_payload_then_is_all_that_it_takes(folder):
    """Graph and functions come from the folder; the result is that of the longer way."""
    result = run_folder(folder, [3, 4])
    assert (result.state, result.errors) == ("SUCCEEDED", ())
    assert result.outputs["total:sync:1"] == 10
    assert {record.region for record in result.records} == {"us-east-1"}


def test_run_folder_when_given_a_placement_then_each_node_runs_where_it_is_placed(folder):
    """The home region is the placement's."""
    regions = {"start:entry_point:0": "eu-west-1", "total:sync:1": "ca-central-1"}
    placement = Placement("sums", "0.0.1", "eu-west-1", plans=(Plan(hours=ALL_HOURS, regions=regions),))
    result = run_folder(folder, [3, 4], placement=placement)
    assert result.state == "SUCCEEDED"
    assert {record.node: record.region for record in result.records} == regions


def test_run_folder_when_the_graph_cannot_be_read_then_says_where(folder):
    """The same error as at synth, so that a user's tests find it first."""
    (folder / "app.py").write_text(APP.replace("numbers[1], len(numbers) > 1)", "1) if numbers else None"))
    with pytest.raises(InvalidWorkflowError, match=r"app\.py"):
        run_folder(folder, [3, 4])


def test_workflow_when_it_fails_then_the_result_has_node_and_errors(folder):
    """What user code raised is at hand, one a try."""
    graph = derive_graph(folder)
    result = run_workflow(graph, load_functions(folder, graph), [])
    assert (result.state, result.failed_node) == ("FAILED", "start:entry_point:0")
    assert [type(error) for error in result.errors] == [IndexError] * 3


def test_functions_when_loaded_then_no_module_and_no_path_stays_behind(folder):
    """Two workflows whose modules have the same names don't meet."""
    path, modules = list(sys.path), dict(sys.modules)
    functions = load_functions(folder, derive_graph(folder))
    assert sorted(functions) == ["start", "total"]
    assert sys.path == path
    assert {"app", "steps"}.isdisjoint(set(sys.modules) - set(modules))
    assert sys.modules.get("app") is modules.get("app")


def test_runner_when_the_seed_is_the_same_then_the_order_is_the_same(graph_of, script_of):
    """A failing seed can be played again."""
    graph = graph_of({"a": "b c d", "b": "s", "c": "s", "d": "e f"}, sync="s")

    def order(seed):
        disorder = Disorder(seed, duplicates=0.5, shuffled=True)
        runner = LocalRunner(graph, script_of(graph).functions, disorder=disorder)
        runner.cloud.clock.advance(-runner.cloud.clock.now())
        return runner.run("x").nodes

    assert order(3) == order(3)
    assert len({order(seed) for seed in range(10)}) > 1


def test_runner_when_two_runs_are_started_then_each_has_its_own_result(graph_of, script_of):
    """Runs don't see each other's sync state."""
    graph = graph_of({"a": "s s"}, sync="s")
    script = script_of(graph)
    runner = LocalRunner(graph, script.functions, disorder=Disorder(1, shuffled=True))
    for run_id in ("one", "two"):
        runner.start(run_id, run_id)
    runner.deliver_all()
    assert [runner.result(run_id).state for run_id in ("one", "two")] == ["SUCCEEDED"] * 2
    assert script.received["s"] == [["a#0", "a#1"]] * 2
    with pytest.raises(KeyError):
        runner.result("three")


def test_handler_when_imported_then_it_leaves_testing_pydantic_and_numpy_out():
    """Cold start is part of the runtime's job."""
    code = "import sys, caribou.runtime.handler\nprint(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path("/"))
    loaded = set(done.stdout.split())
    assert "caribou.runtime.node" in loaded
    unwanted = {"caribou.runtime.testing", "caribou.runtime.testing.memory", "pydantic", "numpy", "yaml"}
    assert loaded.isdisjoint(unwanted)


LATE = """
from caribou.runtime import CaribouWorkflow

workflow = CaribouWorkflow(name="late", version="0.0.1")


@workflow.serverless_function(entry_point=True)
def start(numbers):
    from steps import double

    return double(numbers)
"""


def test_function_when_it_imports_while_it_runs_then_finds_its_own_folders_module(tmp_path_factory):
    """Heavy imports stand inside functions; each workflow gets its own module of a name, the same one each time."""
    first, second = tmp_path_factory.mktemp("first"), tmp_path_factory.mktemp("second")
    for place, factor in ((first, 2), (second, 3)):
        (place / "app.py").write_text(LATE)
        (place / "steps.py").write_text(f"def double(number):\n    return {factor} * number\n")
    functions = {place: load_functions(place, derive_graph(place)) for place in (first, second)}
    assert [functions[place]["start"](5) for place in (first, second, first)] == [10, 15, 10]
    assert "steps" not in sys.modules


ONE = """
{imports}
from caribou.runtime import CaribouWorkflow

workflow = CaribouWorkflow(name="one", version="0.0.1")


@workflow.serverless_function(entry_point=True)
def start(event):
    {body}
    workflow.invoke_serverless_function(end, 1, event)


@workflow.serverless_function()
def end(event):
    return event
"""


def test_function_when_it_ends_its_process_then_the_run_fails_and_the_test_goes_on(tmp_path):
    """In Lambda it is the function's own process, and three of them."""
    (tmp_path / "app.py").write_text(ONE.format(imports="import sys", body="sys.exit(3)"))
    result = run_folder(tmp_path, {})
    assert (result.state, result.failed_node) == ("FAILED", "start:entry_point:0")
    assert [str(error) for error in result.errors] == ["the function ended its process with 3: Runtime.ExitError"] * 3


def test_module_when_it_ends_the_process_then_says_so(tmp_path):
    """A script's last line, in a module that is imported."""
    (tmp_path / "app.py").write_text(ONE.format(imports="import sys", body="pass") + "\nsys.exit()\n")
    with pytest.raises(InvalidWorkflowError, match=r"app\.py: ends the process when it is imported.*__main__"):
        run_folder(tmp_path, {})


@pytest.mark.parametrize(("condition", "nodes"), [("np.arange(2)[1] > 0", 2), ("np.arange(2)[0] > 0", 1)])
def test_condition_when_it_is_numpys_truth_value_then_it_counts(tmp_path, condition, nodes):
    """What a comparison of its numbers gives is no `bool`."""
    (tmp_path / "app.py").write_text(ONE.format(imports="import numpy as np", body=f"event = {condition}"))
    result = run_folder(tmp_path, {})
    assert (result.state, len(result.nodes)) == ("SUCCEEDED", nodes)


FILES = """
from pathlib import Path

from caribou.runtime import CaribouWorkflow

workflow = CaribouWorkflow(name="files", version="0.0.1")


@workflow.serverless_function(entry_point=True)
def start(event):
    here = Path(__file__).parent
    return sorted(str(path.relative_to(here)) for path in (here / "data").rglob("*") if path.is_file())
"""


def test_data_when_a_function_reads_it_then_a_test_sees_what_the_bundle_has(tmp_path):
    """Folders called samples or tests, dot folders, notes: further down they are data."""
    (tmp_path / "app.py").write_text(FILES)
    for name in ("data/samples/a.txt", "data/tests/b.txt", "data/.config/c", "data/README.md", "data/x/d.rst"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    bundled = [path for path in workflow_files(tmp_path) if path.startswith("data/")]
    assert run_folder(tmp_path, {}).outputs["start:entry_point:0"] == sorted(bundled)
    assert len(bundled) == 5
