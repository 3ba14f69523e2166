"""First deploys at once, as users give them: of one workflow, and of two that need the same control plane."""

import json
import subprocess

import pytest
from deployed_world import written_workflow
from local_project import Project
from waiting import BACKSTOP_S

pytestmark = [pytest.mark.local_cloud, pytest.mark.slow]


@pytest.fixture
def project(tmp_path, local_cloud):
    """A project with two workflows, at a stage at which nothing is deployed."""
    project = Project.in_folder(tmp_path, local_cloud)
    settings = json.loads((tmp_path / "cdk.json").read_text())
    settings["context"]["caribou:stage"] = "first"
    (tmp_path / "cdk.json").write_text(json.dumps(settings))
    for name in ("shop", "bakery"):
        (written_workflow(tmp_path, name).folder / "requirements.txt").write_text("")
    return project


def ended(process):
    """Its exit code and all that it has said."""
    said, _ = process.communicate(timeout=BACKSTOP_S)
    return process.returncode, said


def test_first_deploys_when_three_come_at_once_then_each_wins_waits_or_is_refused_with_one_message(project):
    """Two of one workflow and one of another: what was asked for is there, and each has a log of its own."""
    commands = [project.command("caribou", "deploy", name) for name in ("shop", "shop", "bakery")]
    options = {"cwd": project.root, "env": project.environment, "text": True, "stderr": subprocess.STDOUT}
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, **options) for command in commands]
    one, other, bakery = [ended(process) for process in processes]
    refused = [said for code, said in (one, other) if code != 0]
    assert bakery[0] == 0, bakery[1]
    assert len(refused) < 2, refused
    for said in refused:
        assert "Wait until that has ended" in said
        assert "Traceback" not in said
    listed = json.loads(project.run("caribou", "list", "--json"))
    assert {entry["workflow"] for entry in listed if entry["placement"] is not None} == {"shop", "bakery"}
    logs = sorted((project.root / "cdk.out" / "logs").iterdir())
    assert len(logs) == 3 - len(refused)
    for log in logs:
        name = "shop" if "-shop-" in log.name else "bakery"
        assert f"first-Workflow-{name}" in log.read_text()
        assert f"first-Workflow-{({'shop', 'bakery'} - {name}).pop()}" not in log.read_text()
