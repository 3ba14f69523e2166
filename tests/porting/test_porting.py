"""Workflows in the reference system's style, its import lines changed and nothing else: they must run as they are."""

import json
import re
import shutil
from math import inf
from pathlib import Path

import pytest
from builders import placement_of
from local_project import Project

from caribou.model.errors import InvalidWorkflowError
from caribou.model.project.workflow import read_workflow
from caribou.model.source.derive import derive_graph
from caribou.runtime.execution import Execution
from caribou.runtime.testing import Disorder, LocalRunner, load_functions, run_folder

WORKFLOWS = Path(__file__).parent / "workflows"
HOME, WEST, CANADA = "us-east-1", "us-west-2", "ca-central-1"
ITS_IMPORT = re.compile(r"^from (caribou\.deployment|multi_x_serverless)\..* import (\w+)$", re.MULTILINE)
NAMES = sorted(path.name for path in WORKFLOWS.iterdir())

POST_OFFICE = (
    "Front-Desk:entry_point:0",
    "Weigh:Front-Desk_0_0:1",
    "Stamp:Front-Desk_0_1:2",
    "Ring-Bell:Front-Desk_0_2:3",
    "Weigh:Front-Desk_0_3:4",
    "Sort-Mail:sync:5",
    "Archive:sync:6",
    "Deliver:Sort-Mail_5_0:7",
)
LEDGER = (
    "GetInput:entry_point:0",
    "Enter:GetInput_0_0:1",
    "Enter:GetInput_0_1:2",
    "Correct:GetInput_0_2:3",
    "Review:sync:4",
    "Balance:sync:5",
)
SURVEY = ("Ask-All:entry_point:0", "Ask:Ask-All_0_0:1", "Ask:Ask-All_0_1:2", "Ask:Ask-All_0_2:3", "Count:sync:4")
HARVEST = (
    "Pick:entry_point:0",
    "Wash:Pick_0_0:1",
    "Sort:Pick_0_1:2",
    "Label:Pick_0_2:3",
    "Wash:Sort_2_0:4",
    "Press-All:sync:5",
    "Bottle:sync:6",
    "Drink:Press-All_5_1:7",
)
EVENTS = {
    "post_office": {"sender": "Ada", "parcel": 1},
    "ledger": {"request": json.dumps({"amounts": [5, -1]})},
    "survey": {"question": "Why?"},
    "harvest": {"name": "Ada", "apples": [1, 2, 3, 1]},
}
"""With which every node runs."""
NODES = {"post_office": POST_OFFICE, "ledger": LEDGER, "survey": SURVEY, "harvest": HARVEST}


def ported(name, target):
    """A copy of a workflow with its import line changed: one line in app.py, and in helpers that have it too."""
    folder = target / name
    shutil.copytree(WORKFLOWS / name, folder, ignore=shutil.ignore_patterns("__pycache__"))
    for path in folder.rglob("*.py"):
        text, count = ITS_IMPORT.subn(_ours, path.read_text())
        assert count == 1 or path.name != "app.py"
        path.write_text(text)
    return folder


def _ours(its):
    alias = "" if its[2] == "CaribouWorkflow" else f" as {its[2]}"
    return f"from caribou.runtime import CaribouWorkflow{alias}"


@pytest.fixture
def port(tmp_path):
    """`port(name)`: the folder of a workflow, ported."""
    return lambda name: ported(name, tmp_path)


@pytest.mark.parametrize(("name", "file"), [(name, "app.py") for name in NAMES] + [("harvest", "src/press.py")])
def test_workflow_when_its_import_is_as_it_was_then_the_error_names_the_line_and_what_to_write(port, name, file):
    """Whoever forgets the line gets an error; what it says to write is all that is changed for the other tests."""
    folder = port(name)
    path = folder / file
    path.write_text((WORKFLOWS / name / file).read_text())
    its = ITS_IMPORT.search(path.read_text())
    line = path.read_text()[: its.start()].count("\n") + 1
    with pytest.raises(InvalidWorkflowError) as caught:
        derive_graph(folder)
    assert f"{file}:{line}: this is the reference system's import" in str(caught.value)
    assert f"To fix: write `{_ours(its)}`" in str(caught.value)


@pytest.mark.parametrize("name", NAMES)
def test_workflow_when_ported_then_its_graph_and_its_manifest_are_read(port, name):
    """Names with hyphens, versions of two numbers, its manifest's keys: all taken as they are."""
    workflow = read_workflow(port(name))
    assert tuple(node.name for node in workflow.graph.nodes) == NODES[name]
    assert workflow.manifest.home_region == HOME
    assert WEST in workflow.regions


def test_manifest_when_ported_then_every_setting_is_read(port):
    """Under both of its names for the estimate, with docker commands, and with a decorator's settings over it."""
    post_office, ledger = (read_workflow(port(name)).manifest for name in ("post_office", "ledger"))
    assert post_office.estimated_invocations_per_month == ledger.estimated_invocations_per_month == 1_000_000
    desk, weigh = post_office.functions["Front-Desk"], post_office.functions["Weigh"]
    assert (desk.memory_mb, desk.timeout_s, desk.regions.allowed) == (256, 30, (HOME,))
    assert desk.environment_variables == {"ENV_VAR_1": "value_1", "GREETING": "Good morning"}
    assert (weigh.memory_mb, weigh.timeout_s, weigh.environment_variables) == (128, 60, {"ENV_VAR_1": "value_1"})
    assert ledger.functions["Enter"].docker_commands == ("yum update -y", "yum install -y tar gzip")


def _split(graph, moved):
    """A placement of some functions elsewhere, with all their nodes."""
    return placement_of(graph, {node.name: moved[node.function] for node in graph.nodes if node.function in moved})


def _runs(folder, payload, moved):
    """The same run at home, split over regions, and split with messages that come twice and in any order."""
    graph = derive_graph(folder)
    runners = [
        LocalRunner(graph, load_functions(folder, graph), placement=placement, disorder=disorder)
        for placement, disorder in (
            (None, Disorder()),
            (_split(graph, moved), Disorder()),
            (_split(graph, moved), Disorder(seed=7, duplicates=0.5, shuffled=True)),
        )
    ]
    results = [runner.run(payload) for runner in runners]
    assert [result.state for result in results] == ["SUCCEEDED"] * 3, [result.errors for result in results]
    return results


POSTCARD = [{"item": "a postcard", "grams": 100}, {"item": "a postcard", "fragile": False}]
PARCEL = [{"item": "a parcel", "grams": 80}, {"item": "a parcel", "fragile": True}]
LETTER = {
    "sender": "Ada",
    "seal": b"\x00\xffseal!",
    "pages": [[1, [b"first", None]], [2, [b"second", {"deep": [b"", 0.5]}]]],
    "by_number": {"7": "seven"},
    "postage": inf,
}


@pytest.mark.parametrize("as_text", [False, True])
@pytest.mark.parametrize("parcel", [False, True])
def test_post_office_when_run_then_every_payload_arrives_as_it_was_sent(port, parcel, as_text):
    """Texts, bytes, nested lists, no payload, two calls of one sync node, sync nodes that call; the same anywhere."""
    event = {"sender": "Ada", **({"parcel": 1} if parcel else {})}
    moved = {"Weigh": WEST, "Sort-Mail": WEST, "Stamp": CANADA, "Deliver": CANADA, "Archive": WEST}
    for result in _runs(port("post_office"), json.dumps(event) if as_text else event, moved):
        items = [*POSTCARD, LETTER, *(PARCEL if parcel else [])]
        assert result.outputs["Deliver:Sort-Mail_5_0:7"] == {"status": 200, "items": items}
        archived = result.outputs["Archive:sync:6"]
        assert archived["kept"] == [b"\x00\xffseal!", [False, 0], *([5] if parcel else [])]
        assert (archived["event"], archived["same_run"]) == ({}, True)
        assert result.outputs["Sort-Mail:sync:5"]["event"] == {}
        assert result.outputs["Front-Desk:entry_point:0"] == {"status": 200, "node": POST_OFFICE[0], "run": "run"}
        assert ("Weigh:Front-Desk_0_3:4" in result.nodes) is parcel


@pytest.mark.parametrize(
    ("amounts", "entries", "skipped"),
    [
        ([5], [5], {LEDGER[2], LEDGER[3], LEDGER[4]}),
        ([5, 0], [5, 0], {LEDGER[3], LEDGER[4]}),
        (
            [5, -1],
            [5, -1, {"corrections": [[{"amount": 5}, {"amount": 0}], "second opinion"], "event": {}}],
            set(),
        ),
    ],
)
def test_ledger_when_branches_are_skipped_then_the_last_node_gets_what_came(port, amounts, entries, skipped):
    """A branch with a sync node of its own is skipped as a whole; a payload that is 0 is a payload."""
    event = {"request": json.dumps({"amounts": amounts})}
    home, *others = _runs(port("ledger"), event, {"Enter": WEST, "Review": CANADA, "Balance": WEST})
    for result in (home, *others):
        assert result.outputs["Balance:sync:5"] == {"status": 200, "event": {}, "entries": entries}
        assert set(LEDGER) - set(result.nodes) == skipped
    assert [r.outputs[LEDGER[1]]["region"] for r in (home, *others)] == [HOME, WEST, WEST]


@pytest.mark.parametrize("everyone", [True, False])
def test_survey_when_every_function_takes_two_arguments_then_each_gets_its_own_metadata(port, everyone):
    """The second argument is what it was; what is done to a payload after a call is not seen."""
    home, *others = _runs(port("survey"), {"question": "Why?", "everyone": everyone}, {"Ask": WEST})
    for result, region in ((home, HOME), *((other, WEST) for other in others)):
        counted = result.outputs["Count:sync:4"]
        assert counted["answers"] == [["Why?", who] for who in ((1, 2, 3) if everyone else (1, 2))]
        assert (counted["event"], counted["of"]) == ({}, "survey-0.0.1")
        assert result.outputs["Ask:Ask-All_0_0:1"]["where"] == region
    keys = {
        *("workflow_name", "run_id", "current_instance_name", "current_provider", "current_region"),
        *("cpu_model", "function_start_time"),
    }
    assert home.outputs["Ask-All:entry_point:0"]["metadata"] == sorted(keys)


@pytest.mark.parametrize(
    ("apples", "bottled", "drunk", "batches"), [([1, 2], 3, None, 2), ([1, 2, 3, 1], 5, 2, 2), ([], 0, None, 2)]
)
def test_harvest_when_a_helper_gets_the_workflow_then_its_calls_are_those_of_the_function(
    port, apples, bottled, drunk, batches
):
    """The shape of the reference system's own template: a sync node whose whole body is a helper's."""
    moved = {"Press-All": WEST, "Bottle": CANADA, "Drink": WEST}
    for result in _runs(port("harvest"), {"name": "Ada", "apples": apples}, moved):
        pressed = result.outputs["Press-All:sync:5"]
        assert pressed == {"status": 200, "event": {}, "batches": batches}
        assert result.outputs["Bottle:sync:6"]["bottled"] == {"label": "Ada's juice", "litres": bottled}
        assert result.outputs.get("Drink:Press-All_5_1:7", {}).get("drunk") == drunk


@pytest.mark.parametrize("name", NAMES)
def test_workflow_when_it_runs_then_it_makes_the_calls_that_were_derived(port, monkeypatch, name):
    """Every node's calls, counted where user code makes them, are its edges, in their order."""
    made = []
    call = Execution.call

    def noted(self, function, payload, *, conditional):
        made.append((self.node, function))
        return call(self, function, payload, conditional=conditional)

    monkeypatch.setattr(Execution, "call", noted)
    folder = port(name)
    assert run_folder(folder, EVENTS[name]).state == "SUCCEEDED"
    graph = derive_graph(folder)
    derived = [(edge.source, graph.node(edge.target).function) for edge in graph.edges]
    assert sorted(made, key=lambda pair: NODES[name].index(pair[0])) == derived


def test_event_when_it_lacks_what_user_code_asks_for_then_the_run_fails_with_its_own_words(port):
    """What the workflow itself checks is still its own business."""
    result = run_folder(port("post_office"), {})
    assert (result.state, result.failed_node) == ("FAILED", POST_OFFICE[0])
    assert str(result.errors[0]) == "No sender provided"


def test_workflow_when_a_helper_gets_it_in_a_loop_then_the_error_says_what_to_write(port):
    """What a helper may do is what the registered function may do."""
    folder = port("harvest")
    app = folder / "app.py"
    call = "return press(workflow, event, bottle, drink=drink)"
    app.write_text(app.read_text().replace(call, f"for _ in event:\n        {call}"))
    with pytest.raises(InvalidWorkflowError, match="`press`, which gets the workflow, stands in a loop"):
        derive_graph(folder)


@pytest.fixture
def project(tmp_path, local_cloud):
    """A project at the local cloud with the post office, ported, and a placement that moves most of it."""
    project = Project.in_folder(tmp_path, local_cloud)
    folder = ported("post_office", tmp_path / "workflows")
    moved = {"Weigh": WEST, "Stamp": WEST, "Sort-Mail": WEST, "Archive": WEST}
    placement = _split(derive_graph(folder), moved)
    (tmp_path / "split.json").write_text(json.dumps(placement.to_json()))
    return project


@pytest.mark.local_cloud
@pytest.mark.slow
def test_post_office_when_deployed_and_split_then_it_runs_as_in_this_process(project):
    """Lambda, SNS and DynamoDB take names with hyphens, and a run over two regions gives what one at home does."""
    project.deploy("Workflow-post_office", "-c", "placement=split.json")
    started = ("run", "post_office", "--wait", "--json", "-a", '"{\\"sender\\": \\"Ada\\", \\"parcel\\": true}"')
    trace = json.loads(project.run("caribou", *started))
    assert trace["state"] == "SUCCEEDED"
    ran_in = {node["node"]: node["region"] for node in trace["nodes"]}
    assert set(ran_in) == set(POST_OFFICE)
    if not trace["stays_home"]:
        assert (ran_in["Sort-Mail:sync:5"], ran_in["Deliver:Sort-Mail_5_0:7"]) == (WEST, HOME)
    items = trace["results"]["Deliver:Sort-Mail_5_0:7"]["items"]
    assert [item["item"] for item in items if "item" in item] == ["a postcard"] * 2 + ["a parcel"] * 2
    assert trace["results"]["Archive:sync:6"]["kept"][1:] == [[False, 0], 5]
