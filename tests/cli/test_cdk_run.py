"""What is said of a CDK CLI that failed, and where its output is."""

import subprocess
import sys
from pathlib import Path

import pytest
from waiting import eventually

from caribou.cli.cdk_deployer import CdkDeployer
from caribou.cli.cdk_run import failure
from caribou.control.deploy.planning import DeployRequest
from caribou.local.processes import members

MET = [
    "❌ Workflow-two failed: ValidationError: Stack:arn is in CREATE_IN_PROGRESS state and can not be updated.",
    "Workflow-two: AlreadyExistsException: Stack [Workflow-two] already exists",
    "AlreadyExistsException: ChangeSet cdk-deploy-change-set already exists",
    "ChangeSetNotFoundException: ChangeSet [cdk-deploy-change-set] does not exist",
    "OperationInProgressException: An operation on this ChangeSet is in progress",
]
OTHERS = [
    "CREATE_FAILED | AWS::Logs::LogGroup | /aws/lambda/f: Resource already exists (HandlerErrorCode: AlreadyExists)",
    "Workflow-two | CREATE_IN_PROGRESS | AWS::CloudFormation::Stack",
    "broken app",
]


@pytest.mark.parametrize("answer", MET)
def test_failure_when_cloudformation_had_another_deployment_then_it_is_said_in_one_message(answer):
    """With what to do, and without the output's end, which is not the user's to understand."""
    said = str(failure("cdk deploy", ["before", f"  {answer}", *["after"] * 30], Path("a.log")))
    assert "Another deployment was at work on the same stack" in said
    assert "Wait until that has ended" in said
    assert answer in said
    assert "after" not in said


@pytest.mark.parametrize("line", OTHERS)
def test_failure_when_it_is_of_another_kind_then_the_outputs_end_is_there(line):
    """A name that is taken is no other deployment."""
    said = str(failure("cdk deploy", [line], Path("a.log")))
    assert "Another deployment" not in said
    assert line in said


def test_failure_when_the_app_refuses_the_project_then_it_is_the_apps_message_alone_and_the_users_mistake():
    """As the CLI shows it: among its own lines, and with what the app printed over several."""
    said = ["Bundling asset Workflow-two/Function/Code...", "app.py:6: imports what", "there is not", "", _REFUSED]
    refused = failure("cdk deploy", [*said, "after"], Path("a.log"))
    assert (str(refused), refused.exit_code) == ("app.py:6: imports what\nthere is not", 2)


def test_failure_when_the_app_ends_in_another_way_then_the_outputs_end_is_there():
    """A traceback is no message."""
    failed = failure("cdk deploy", ["Traceback", _REFUSED.replace("2", "1")], Path("a.log"))
    assert failed.exit_code == 1
    assert "Traceback" in str(failed)


_REFUSED = "python app.py: Subprocess exited with error 2"


def test_deploys_when_there_are_several_then_each_has_a_log_of_its_own(tmp_path, monkeypatch):
    """Two at once mixed in one file, and the end of the other's success was said of a failure."""
    logs = []
    (tmp_path / "cdk.json").write_text("{}")
    monkeypatch.setattr("caribou.cli.cdk_deployer.run_cdk", lambda _arguments, *, root, log: logs.append((root, log)))
    for process in (1, 2):
        monkeypatch.setattr("os.getpid", lambda process=process: process)
        CdkDeployer(tmp_path, lambda _: None).deploy(DeployRequest("two"))
    assert len({log for _, log in logs}) == 2
    assert {log.parent for _, log in logs} == {tmp_path / "cdk.out" / "logs"}


def test_cdk_when_its_command_is_killed_then_it_ends_with_all_that_it_has_started(tmp_path):
    """Else it would go on, and nobody would see it."""
    note, program = tmp_path / "pids", "import os, subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"
    inner = f"import os, time; open({str(note)!r}, 'w').write(f'{{os.getpgid(0)}}\\n'); time.sleep(1000)"
    started = (
        "import sys; from pathlib import Path; from caribou.cli import cdk_run; "
        f"cdk_run.cdk_command = lambda: [sys.executable, '-c', {program!r}, {inner!r}]; "
        f"cdk_run.run_cdk([], root=Path({str(tmp_path)!r}), log=Path({str(tmp_path / 'log')!r}))"
    )
    with subprocess.Popen([sys.executable, "-c", started]) as command:
        group = int(eventually(lambda: note.is_file() and note.read_text().strip(), "what the CDK runs"))
        assert len(members(group)) == 3
        command.kill()
    eventually(lambda: not members(group), "the end of them")
