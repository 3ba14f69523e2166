"""`caribou problem`, `log_sync` and `data_collect`, and how a project is found."""

import json
import os
import time
from pathlib import Path
from threading import Thread

import boto3
import pytest
from click.testing import CliRunner
from deployed_world import look_bootstrapped

from caribou.cli.collect import data_collect, log_sync, problem
from caribou.cli.project import control_region, project_root, stage, workflow_folder
from caribou.collectors.record_lines import write_record_lines
from caribou.collectors.registrations import Registration
from caribou.control.aws import Aws
from caribou.control.runs.unrecorded import RecordCheck, Unrecorded
from caribou.model.errors import InvalidInputError, InvalidRecordError, OperationFailedError
from caribou.model.names import WorkflowNames
from caribou.model.project.workflow import read_workflow
from caribou.model.regions import KNOWN_REGIONS
from caribou.model.registration import ControlNames
from caribou.model.run.record import RECORD_KEY
from caribou.model.schema.problem_file import read_problem

WORKFLOWS = Path(__file__).parents[2] / "workflows"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with the small_sync_example workflow, as the current folder."""
    (tmp_path / "cdk.json").write_text(json.dumps({"app": "python3 app.py"}))
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "small_sync_example").symlink_to(WORKFLOWS / "small_sync_example")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def example(project):
    """The workflow in that project."""
    return read_workflow(project / "workflows" / "small_sync_example")


def simulated(make, example, run_id="run-1", **when):
    """A run of the example, of its own version and memory."""
    changes = {"workflow": example.name, "workflow_version": example.graph.version, "memory_mb": 512}
    by_node = {node.name: node.function for node in example.graph.nodes}
    return [
        make.changed(record, function=by_node[record.node], **changes)
        for record in make.simulate(example.graph, run_id, **when)
    ]


def run(command, *arguments):
    """A command's result; errors that we raise on purpose are raised, as `caribou` itself catches them."""
    return CliRunner().invoke(command, arguments, catch_exceptions=False, standalone_mode=False)


def test_problem_when_records_are_given_then_it_needs_no_cloud(project, example, make):
    """Packaged facts and a file of records make a valid problem."""
    records = [record for i in range(3) for record in simulated(make, example, f"run-{i}")]
    (project / "records.jsonl").write_text(write_record_lines(records))
    result = run(problem, "small-sync-example", "-o", "problem.json", "--records", "records.jsonl")
    assert "problem.json written, from 3 runs" in result.output
    assert "data: carbon from the snapshot of Electricity Maps, lifecycle (levels of 2025, shapes" in result.output
    assert "note: regions not asked: whether the account has enabled the regions" in result.output
    built = read_problem(project / "problem.json")
    assert built.workflow.name == "small_sync_example"
    assert built.control_region == "us-west-2"
    assert set(built.regions) == {"us-east-1", "us-west-2", "ca-central-1"}


@pytest.mark.usefixtures("project")
def test_problem_when_the_records_file_is_not_there_then_the_error_says_where_it_comes_from():
    """No traceback for a wrong path."""
    with pytest.raises(InvalidRecordError, match="log_sync -o"):
        run(problem, "small_sync_example", "-o", "problem.json", "--records", "nothing.jsonl")


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"\xff\xfe{\x00", "is UTF-16"),
        (b'{"a": 1}\n', "line 1: is of a schema"),
        (b"\n" + b"x" * 3_000_000, "line 2: is not a JSON object"),
        (b'{"workflow": "\xff"}', "line 1: is not a JSON object"),
    ],
)
def test_problem_when_the_records_file_holds_something_else_then_the_error_names_file_and_line(project, content, what):
    """One message; a line without an end is not read to its end."""
    (project / "records.jsonl").write_bytes(content)
    with pytest.raises(InvalidRecordError, match=rf"records\.jsonl.*{what}") as refused:
        run(problem, "small_sync_example", "-o", "problem.json", "--records", "records.jsonl")
    assert len(str(refused.value)) < 500


def test_problem_when_records_come_with_a_mark_or_through_a_pipe_then_they_are_those_of_the_file(
    project, example, make
):
    """As PowerShell writes UTF-8; and `--records <(zcat records.jsonl.gz)`."""
    text = write_record_lines([record for i in range(3) for record in simulated(make, example, f"run-{i}")])
    (project / "records.jsonl").write_text(text, encoding="utf-8-sig")
    os.mkfifo(project / "pipe")
    for name in ("records.jsonl", "pipe"):
        writer = Thread(target=(project / "pipe").write_text, args=(text,), daemon=True)
        if name == "pipe":
            writer.start()
        assert "from 3 runs" in run(problem, example.name, "-o", "problem.json", "--records", name).output


@pytest.mark.usefixtures("project")
def test_workflow_when_its_name_is_misspelt_then_the_error_has_the_near_one():
    """And lists what there is."""
    with pytest.raises(InvalidInputError, match=r"did you mean small_sync_example\?"):
        workflow_folder("small_sync_exmple")


def test_project_when_below_its_folder_then_it_is_found_and_outside_it_is_an_error(
    project, tmp_path_factory, monkeypatch
):
    """The nearest cdk.json upward."""
    monkeypatch.chdir(project / "workflows")
    assert project_root() == project
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    with pytest.raises(InvalidInputError, match=r"no cdk\.json"):
        project_root()


def test_control_region_and_stage_when_in_the_context_then_they_are_those_and_else_the_defaults(project):
    """`caribou:control_region` and `caribou:stage` of cdk.json."""
    assert (control_region(project), stage(project)) == ("us-west-2", "dev")
    context = {"caribou:control_region": "eu-west-1", "caribou:stage": "test"}
    (project / "cdk.json").write_text(json.dumps({"context": context}))
    assert (control_region(project), stage(project)) == ("eu-west-1", "test")


def test_data_collect_when_the_chosen_source_is_unknown_then_the_error_names_the_key_and_the_known_ones(project):
    """Before AWS is asked for anything."""
    (project / "cdk.json").write_text(json.dumps({"context": {"caribou:carbon_source": "moon"}}))
    with pytest.raises(InvalidInputError, match=r"context caribou:carbon_source: is no .*found: moon.*snapshot"):
        run(data_collect, "carbon")


@pytest.mark.parametrize("text", ["{", '{"context": {"caribou:stage": 5}}'])
def test_cdk_json_when_broken_then_the_error_names_the_file(project, text):
    """A user's mistake, not a traceback."""
    (project / "cdk.json").write_text(text)
    with pytest.raises(InvalidInputError, match=r"cdk\.json"):
        stage(project)


@pytest.fixture
def cloud(local_cloud, led_to):
    """An account of its own in the local cloud, which the commands see."""
    return led_to(local_cloud.as_account("434343434343"), region="us-west-2")


@pytest.mark.local_cloud
@pytest.mark.usefixtures("cloud", "project")
def test_data_collect_when_there_is_no_control_plane_then_the_error_says_so():
    """The message names the region and the stack to look at."""
    with pytest.raises(OperationFailedError, match=r"us-west-2.*CaribouControlPlane"):
        run(data_collect, "carbon")


@pytest.mark.local_cloud
def test_commands_when_used_in_turn_then_facts_and_records_become_a_problem(cloud, project, example, make, monkeypatch):
    """Collect, sync, problem; and the synced file gives a problem too. What has no record is said."""
    (project / "cdk.json").write_text(json.dumps({"context": {"caribou:stage": "cli"}}))
    control, names = ControlNames("cli"), WorkflowNames(example.name, "cli")
    dynamodb = boto3.client("dynamodb", region_name="us-west-2")
    for name, keys in ((control.fact_table, ("kind", "region")), (control.record_table, ("workflow", "id"))):
        dynamodb.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": k, "KeyType": t} for k, t in zip(keys, ("HASH", "RANGE"), strict=True)],
            AttributeDefinitions=[{"AttributeName": k, "AttributeType": "S"} for k in keys],
            BillingMode="PAY_PER_REQUEST",
        )
    functions = tuple(function.name for function in example.graph.functions)
    registration = Registration(example.name, example.graph.version, "us-east-1", example.regions, functions, 30)
    value = json.dumps(registration.to_json())
    cloud.client("ssm", "us-west-2").put_parameter(Name=names.registration, Type="String", Value=value)
    with Aws() as aws:
        look_bootstrapped(aws)
    logs, now = cloud.client("logs", "us-east-1"), time.time()
    for record in simulated(make, example, started_at=now - 90):
        group = names.log_group(record.function)
        message = json.dumps({RECORD_KEY: record.to_json()})
        if group not in make.groups(logs):
            logs.create_log_group(logGroupName=group)
            logs.create_log_stream(logGroupName=group, logStreamName="s")
        event = {"timestamp": int(now * 1000), "message": message}
        logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=[event])

    assert f"carbon: {len(KNOWN_REGIONS)} regions" in run(data_collect, "all").output
    assert "records written to records.jsonl" in run(log_sync, example.name, "-o", "records.jsonl").output
    assert "regions not" not in run(problem, example.name, "-o", "problem.json").output
    from_tables = read_problem(project / "problem.json")
    run(problem, example.name, "-o", "problem.json", "--records", "records.jsonl")
    from_file = read_problem(project / "problem.json")
    assert from_tables.nodes == from_file.nodes
    assert from_tables.regions == from_file.regions

    monkeypatch.setattr(RecordCheck, "of", lambda *_: Unrecorded(9, 1, 2, "lost"))
    for command, argument in ((log_sync, example.name), (data_collect, "workflow")):
        assert f"warning: {example.name}: 1 of the 9 newest runs" in run(command, argument).stderr
    monkeypatch.setattr(RecordCheck, "of", unreadable)
    assert "not known whether runs lack records: denied" in run(log_sync, example.name).stderr


def unreadable(*_):
    """A run table that can't be read."""
    raise OperationFailedError("denied")
