"""A workflow out of the template, in a folder of one's own: its tests, its deployment as it is, and its output."""

import json
import re
import shlex

import pytest
from local_project import Project
from waiting import eventually

pytestmark = [pytest.mark.local_cloud, pytest.mark.slow]

WORKFLOW, HOME = "flow", "us-east-1"


def test_new_workflow_when_written_into_an_empty_folder_then_keeps_what_its_readme_promises(tmp_path, local_cloud):
    """The commands of the README, as they stand there and in its order; then a run without letters."""
    project = Project.in_empty_folder(tmp_path, local_cloud)
    project.run("caribou", "new_workflow", WORKFLOW)
    folder = project.root / "workflows" / WORKFLOW
    commands = commands_in((folder / "README.md").read_text())
    assert [command[:2] for command in commands] == [
        ["pytest", "workflows/flow"],
        ["caribou", "deploy"],
        ["caribou", "run"],
    ]
    tested, _, first = [project.run(*command) for command in commands]
    without_letters = json.dumps({**json.loads((folder / "samples" / "input.json").read_text()), "letters": False})
    second = project.run("caribou", "run", WORKFLOW, "-a", without_letters, "--wait")

    assert " passed" in tested
    assert all("SUCCEEDED" in output for output in (first, second))
    assert ("skipped" in first, "skipped" in second) == (False, True)
    assert 'summarise:sync:3 returned {"words":10}' in second
    summaries = eventually(lambda: logged_summaries(local_cloud, count=2), "the summaries of both runs")
    assert [summary["words"] for summary in summaries] == [10, 10]
    assert [summary.get("letters", {}).get("e") for summary in summaries] == [7, None]


def commands_in(readme):
    """The command lines in a README's shell blocks."""
    blocks = re.findall(r"```shell\n(.*?)```", readme, re.DOTALL)
    return [shlex.split(line) for block in blocks for line in block.splitlines()]


def logged_summaries(cloud, count):
    """The lines of `summarise` in its log that have words in them, in the order of their times, once all are there."""
    logs = cloud.client("logs", HOME)
    (group,) = logs.describe_log_groups(logGroupNamePrefix=f"/aws/lambda/caribou-dev-{WORKFLOW}-summarise")["logGroups"]
    events = logs.filter_log_events(logGroupName=group["logGroupName"], filterPattern='"words"')["events"]
    found = [json.loads(event["message"]) for event in sorted(events, key=lambda event: event["timestamp"])]
    summaries = [line for line in found if "words" in line]
    return summaries if len(summaries) >= count else []
