"""What the CDK CLI's log says of its progress; the lines are as it printed them."""

import os
import pty
import re
import subprocess
import sys

import pytest

from caribou.cli.cdk_deployer import CdkDeployer
from caribou.cli.cdk_progress import changed_nothing, shown_progress, step_of
from caribou.control.deploy.planning import DeployRequest

EVENT = "Workflow-shop-eu-west-3 | {}/59 | 3:16:01 AM | {} | AWS::SQS::Queue                | Workflow-shop-eu-west-3/Q"
UNCHANGED = "\n✅  Workflow-shop-registration (no changes)\n\n✨  Deployment time: 0s\n"
CHANGED = "\n ✅  Workflow-shop (prod-Workflow-shop)\n\n✨  Deployment time: 12s\n"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (EVENT.format(" 1", "CREATE_COMPLETE        "), "Workflow-shop-eu-west-3: 1 of 59 resources"),
        (EVENT.format("12", "UPDATE_IN_PROGRESS     "), "Workflow-shop-eu-west-3: 12 of 59 resources"),
        (EVENT.format("12", "UPDATE_ROLLBACK_IN_PROG"), "Workflow-shop-eu-west-3: rolling back"),
        (
            "Workflow-shop-registration (prod-Workflow-shop-registration): deploying... [1/3]",
            "Workflow-shop-registration",
        ),
        ("Bundling asset Workflow-shop/Function-pay/Function/Code/Stage...", "Bundling Function-pay of Workflow-shop"),
        ("Workflow-shop: start: Building Function-pay/Function/Code", "Building Function-pay/Function/Code"),
        ("W-shop: start: Publishing W-shop Template (current_account-us-west-2-249f)", "Publishing W-shop Template"),
        ("✨  Synthesis time: 17.1s", None),
        ("Outputs:", None),
        ("Workflow-shop.GraphDigest = 04400ecac2cbbd6b | 1/2", None),
    ],
)
def test_step_when_the_cli_has_printed_a_line_then_it_is_in_words(line, shown):
    """Stack, and how many of its resources; what has no news of progress is passed over."""
    assert step_of(line) == shown


@pytest.mark.parametrize(
    ("said", "nothing"), [(UNCHANGED, True), (UNCHANGED + CHANGED, False), ("", False), ("broken app", False)]
)
def test_nothing_when_every_stack_was_unchanged_then_it_is_said(said, nothing, tmp_path):
    """One stack that was changed is something; a log without stacks says nothing."""
    log = tmp_path / "cdk.log"
    log.write_text(said)
    assert changed_nothing(log) is nothing


def test_deploy_when_there_is_nothing_to_change_then_it_says_so(tmp_path, monkeypatch):
    """After the command that was given."""
    said = []
    (tmp_path / "cdk.json").write_text("{}")

    def ran(_arguments, *, root, log):
        assert root == tmp_path
        log.parent.mkdir(parents=True)
        log.write_text(UNCHANGED)

    monkeypatch.setattr("caribou.cli.cdk_deployer.run_cdk", ran)
    CdkDeployer(tmp_path, said.append).deploy(DeployRequest("shop"))
    assert said[-1] == "nothing to change: every stack is as it should be"


def test_progress_when_nobody_looks_then_nothing_is_shown(tmp_path, capfd):
    """A pipe gets no spinner."""
    log = tmp_path / "cdk.log"
    with shown_progress(log, "Synthesising"):
        log.write_text(EVENT.format("12", "CREATE_COMPLETE") + "\n")
    assert capfd.readouterr() == ("", "")


def test_progress_when_it_is_a_terminal_then_each_step_is_shown(tmp_path):
    """Stack and resources, as lines come into the log; what stood there before is another deployment's."""
    log = tmp_path / "cdk.log"
    log.write_text(EVENT.format("59", "CREATE_COMPLETE") + "\n")
    script = f"""
import sys
from pathlib import Path
from caribou.cli.cdk_progress import shown_progress
log = Path({str(log)!r})
with shown_progress(log, "Synthesising"):
    log.open("a").write({EVENT.format("12", "CREATE_COMPLETE")!r} + chr(10))
    sys.stdin.readline()
"""
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "80"}
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=theirs, stderr=theirs, env=environment, text=True
    ) as process:
        os.close(theirs)
        shown = b""
        while b"12 of 59 resources" not in shown:
            shown += os.read(ours, 4096)  # raises if the process ends before
        process.communicate("\n")
    os.close(ours)
    plain = re.sub(rb"\x1b\[[0-9;?]*[a-zA-Z]", b"", shown)
    assert b"Workflow-shop-eu-west-3: 12 of 59 resources" in plain
    assert b"59 of 59" not in plain
