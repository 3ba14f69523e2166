"""Each verb under IAM as it is enforced, by a user who has that verb's policy of docs/permissions.md and no other."""

import json
import os
import re

import boto3
import pytest
from click.testing import CliRunner
from deployed_world import HOME, WEST, placed, written_workflow
from iam_calls import policies_of_the_page
from local_project import Project
from waiting import eventually

from caribou.cli.main import cli
from caribou.control.aws import Aws
from caribou.control.placement_bucket import PlacementBox
from caribou.control.stacks.lock import DeployLock
from caribou.control.target import Target
from caribou.local import LocalCloud
from caribou.model.errors import CaribouError
from caribou.model.names import WorkflowNames

pytestmark = [pytest.mark.local_cloud, pytest.mark.slow]

NAME, TARGET = "guarded", Target("dev", WEST)
SOURCE = """
import time

from caribou.runtime import CaribouWorkflow

workflow = CaribouWorkflow(name="guarded", version="0.0.1")


@workflow.serverless_function(name="first", entry_point=True)
def first(event):
    workflow.invoke_serverless_function(last, event)


@workflow.serverless_function(name="last")
def last(event):
    if event == "sleep":
        time.sleep(30)
    return 1 / event["by"]
"""


class Users:
    """A project, and the users that its owner has made: one for each policy of the page."""

    def __init__(self, cloud, root):
        self.cloud, self.root, self.given, self.denied = cloud, root, set(), []
        policies = policies_of_the_page(cloud.account)
        self.section = {verb: one for one in policies if one != "Bootstrap" for verb in one.split(" and ")}
        self._keys = {one: self._user(one.replace(" ", "-"), *policies[one]) for one in set(self.section.values())}

    def _user(self, name, policy):
        """The access key of a new user with a managed policy, as whoever copies the page makes it."""
        iam = self.cloud.client("iam")
        document = json.dumps(policy, separators=(",", ":"))
        arn = iam.create_policy(PolicyName=name, PolicyDocument=document)["Policy"]["Arn"]
        iam.create_user(UserName=name)
        iam.attach_user_policy(UserName=name, PolicyArn=arn)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}

    def ask(self, verb, *arguments, by=None):
        """Give a verb with the credentials of its user, or of another verb's; what came of it."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self._keys[self.section[by or verb]].items():
                patch.setenv(name, value)
            patch.setattr(boto3, "DEFAULT_SESSION", None)
            return CliRunner().invoke(cli, [verb, *map(str, arguments)])

    def give(self, verb, *arguments):
        """Give a verb with the credentials of its user: it must succeed. What it said; a word of denial is kept."""
        done = self.ask(verb, *arguments)
        assert done.exit_code == 0, f"{verb}: {done.output} {done.exception!r}"
        if re.search(r"AccessDenied|not authorized", done.output):
            self.denied.append((verb, done.output))
        self.given.add(verb)
        return done.output

    def state(self, run_id):
        """A run's state; None if it has not begun."""
        key = {"run_id": {"S": run_id}}
        found = self.cloud.client("dynamodb", HOME).get_item(TableName=WorkflowNames(NAME).run_table, Key=key)
        return found["Item"]["state"]["S"] if "Item" in found else None


@pytest.fixture
def users(tmp_path):
    """A project at a cloud where nobody may do what no policy allows, but the account's root."""
    with LocalCloud.start(tmp_path / "cloud", regions=(HOME, WEST), enforce_iam=True) as cloud:
        root = tmp_path / "project"
        root.mkdir()
        Project.in_folder(root, cloud)
        folder = written_workflow(root, NAME).folder
        (folder / "app.py").write_text(SOURCE)
        (folder / "requirements.txt").write_text("")
        with cloud.environment(), pytest.MonkeyPatch.context() as patch:
            patch.chdir(root)
            patch.setenv("PATH", os.environ["PATH"])
            yield Users(cloud, root)


def test_verb_when_its_policy_is_all_that_it_may_then_it_succeeds(users):
    """A workflow's life: every verb of the page, with a real deployment, runs that fail, a move home, and the end."""
    _deploy_away(users)
    _run(users)
    _collect(users)
    _move_home(users)
    _refuse_another(users)
    _remove(users)
    assert users.denied == []
    assert users.given == set(users.section)


def _deploy_away(users):
    (users.root / "away.json").write_text(json.dumps(placed(WEST, name=NAME).to_json()))
    users.give("deploy", NAME, "--placement", "away.json", "--yes")
    users.give("plan", NAME, "--placement", "home")
    assert NAME in users.give("list")
    assert "user/deploy" in users.give("history", NAME, "--json")


def _run(users):
    large = json.dumps({"by": 1, "pad": "x" * 300_000})
    users.give("run", NAME, "-a", large, "--name", "large")
    users.give("run", NAME, "-a", '{"by": 0}', "--name", "fails")
    users.give("run", NAME, "-a", '"sleep"', "--name", "sleeps")
    eventually(lambda: users.state("sleeps") == "RUNNING", "a run to cancel")
    assert "is CANCELLED" in users.give("cancel", "sleep")
    eventually(lambda: users.state("large") == "SUCCEEDED", "the end of a run")
    eventually(lambda: users.state("fails") == "FAILED", "the end of a run that fails")
    assert "fails" in users.give("runs", NAME, "--state", "FAILED")
    assert "ZeroDivisionError" in users.give("trace", "fails")
    assert "ZeroDivisionError" in users.give("logs", "fail")
    eventually(lambda: users.ask("redrive", "fails").exit_code == 0, "what failed to be parked")
    users.given.add("redrive")
    users.give("load", NAME, "-a", '{"by": 2}', "--rate", "20/s", "--duration", "0.2", "--limit", "900")


def _collect(users):
    users.give("data_collect", "all")
    users.give("data_status")
    users.give("log_sync", NAME)
    users.give("problem", NAME, "-o", "problem.json")
    users.give("solve", NAME, "-o", "solved.json")
    users.give("manage_deployments", NAME)
    samples = users.root / "workflows" / NAME / "samples"
    samples.mkdir()
    (samples / "one.txt").write_text("1")
    entry = {"file": "one.txt", "bucket": f"caribou-dev-samples-{users.cloud.account}-{HOME}", "key": "one.txt"}
    (samples / "objects.json").write_text(json.dumps([entry]))
    users.give("upload_samples", NAME)


def _move_home(users):
    with Aws() as aws:
        PlacementBox(aws, TARGET).put(NAME, json.dumps(placed(name=NAME).to_json()))
    eventually(lambda: _is_retired(users), "the end of the stack, once the sweeper has parked what failed again")


def _is_retired(users):
    """Whether the migrator, given by its user, has deleted the region's stack; it waits while a message lies there."""
    users.give("run_deployment_migrator", "--wait-seconds", "0", "--forget-failed")
    stacks = users.cloud.client("cloudformation", WEST).describe_stacks()["Stacks"]
    there = {stack["StackName"] for stack in stacks if stack["StackStatus"] != "DELETE_COMPLETE"}
    return f"Workflow-{NAME}-{WEST}" not in there


def _refuse_another(users):
    done = users.ask("remove", NAME, "--yes", by="runs")
    assert isinstance(done.exception, CaribouError)
    assert done.exception.exit_code == 1
    assert "AccessDenied" in str(done.exception)


def _remove(users):
    with Aws() as aws:
        DeployLock(aws, TARGET, NAME, lambda _: None).take("testing")
    users.give("unlock", NAME, "--force", "--yes")
    users.give("remove", NAME, "--delete-data", "--yes")
    users.give("remove", "--control-plane", "--delete-data", "--yes")
