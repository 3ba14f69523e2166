"""The policies of docs/permissions.md: each verb makes the calls that its policy allows, and no others."""

import io
import json
import os
import re
import subprocess
import time
import zipfile
from dataclasses import replace

import boto3
import pytest
from aws_cdk import App, Stack
from aws_cdk.assertions import Template
from aws_cdk.aws_logs import LogGroup
from builders import ROOT, graph_of, record_of
from click.testing import CliRunner
from deployed_world import ENTRY, HOME, LAST, WEST, World, look_bootstrapped, placed, synthesised, written_workflow
from iam_calls import Asked, actions_of, allows, policies_of_the_page, recorded
from waiting import BACKSTOP_S

from caribou.cli import cdk_deployer, cdk_synthesiser
from caribou.cli.main import VERBS, cli
from caribou.constructs.workflow_role import RoleProps, WorkflowRole
from caribou.control.aws import Aws
from caribou.control.placement_bucket import PlacementBox
from caribou.control.stacks import lock
from caribou.control.stacks.deployed import resources
from caribou.control.stacks.lock import DeployLock
from caribou.local.tools import cdk_command, cdk_env
from caribou.model.names import WorkflowNames
from caribou.model.regions import KNOWN_REGIONS
from caribou.model.registration import ControlNames, Registration
from caribou.model.run.envelope import Run, Start
from caribou.model.run.item import START_NODE, Parked
from caribou.model.run.order import CancelAnswer, RedriveAnswer, Sent
from caribou.runtime.aws import aws_ports
from caribou.runtime.record_log import record_line
from caribou.runtime.settings import Settings

pytestmark = pytest.mark.local_cloud
NAME, ACCOUNT = "example", "555566667777"


class Scene:
    """A workflow on the local cloud in a project of its own, and the verbs that its owner gives there."""

    def __init__(self, aws, root):
        self.world, self.workflow, self.root = World(aws, NAME), written_workflow(root, NAME), root
        self.asked, self.serves, self.next = {}, None, placed(WEST)
        (root / "cdk.json").write_text("{}")
        settings = Settings(self.workflow.graph, "first", HOME, HOME, "dev", self.workflow.manifest.runs)
        self.ports = aws_ports(settings, partition="aws", account=ACCOUNT)

    def give(self, verb, *arguments, code=0):
        """Give a verb; what it asks IAM is kept under its name."""
        with recorded(ACCOUNT) as asked:
            done = CliRunner().invoke(cli, [verb, *map(str, arguments)])
        assert done.exit_code == code, f"{verb}: {done.output} {done.exception!r}"
        self.asked.setdefault(verb, set()).update(map(self._as_the_stack_names_it, asked))

    def _as_the_stack_names_it(self, asked):
        """What is asked, with the names that a region's own stack gives to bucket and queue."""
        names = self.world.names
        resource = re.sub(
            r"workflow-example-us-west-2-payloads-\w+", names.payload_bucket(ACCOUNT, WEST), asked.resource
        )
        resource = re.sub(r"Workflow-example-us-west-2-Failures-\w+", names.failure_queue("last"), resource)
        return replace(asked, resource=resource)

    def leave_what_is_empty(self):
        """Let an empty bucket and log group take names that a stack in the west needs."""
        names, aws, place = self.world.names, self.world.aws, {"LocationConstraint": WEST}
        aws.s3(WEST).create_bucket(Bucket=names.payload_bucket(ACCOUNT, WEST), CreateBucketConfiguration=place)
        aws.logs(WEST).create_log_group(logGroupName=names.log_group("last"))

    def cdk(self, *_, **__):
        """What the CDK does, as far as verbs see it: home serves the next placement, and its region has a stack."""
        if self.serves == self.next:
            return
        self.world.home(self.next)
        if WEST in self.next.regions:
            stack = self.world.region(WEST, "last")
            [bucket] = resources(self.world.aws, stack, "AWS::S3::Bucket")
            self.world.aws.s3(WEST).put_object(Bucket=bucket, Key="left", Body=b"")
        self.serves = self.next

    def put(self, placement):
        """Let a placement wait for the migrator, as `manage_deployments` does for one that is worth a move."""
        with recorded(ACCOUNT) as asked, Aws() as aws:
            PlacementBox(aws, self.world.target).put(NAME, json.dumps(placement.to_json()))
        self.asked["manage_deployments"] |= asked

    def file(self, placement):
        """A file with a placement."""
        path = self.root / "solved.json"
        path.write_text(json.dumps(placement.to_json()))
        return path


@pytest.fixture(scope="module")
def scene(local_cloud, tmp_path_factory):
    """A workflow's life: deployed, run, redriven, collected, moved and removed, one verb after the other."""
    root, cloud = tmp_path_factory.mktemp("permissions"), local_cloud.as_account(ACCOUNT)
    with cloud.environment(), pytest.MonkeyPatch.context() as patch, Aws() as aws:
        patch.chdir(root)
        patch.setattr(boto3, "DEFAULT_SESSION", None)
        look_bootstrapped(aws)
        scene = Scene(aws, root)
        patch.setattr(cdk_deployer, "run_cdk", scene.cdk)
        patch.setattr(lock, "BEAT_S", BACKSTOP_S)  # no heartbeat comes, however long a busy machine takes
        stacks = (f"Workflow-{NAME}", f"Workflow-{NAME}-{WEST}", f"Workflow-{NAME}-registration", "CaribouControlPlane")
        patch.setattr(cdk_synthesiser, "run_cdk", synthesised(*stacks))
        for act in (_first_deploy, _runs, _collection, _move, _end):
            act(scene)
        yield scene


def _first_deploy(scene):
    """Deploy where an earlier deployment has left what is empty, then once more."""
    scene.world.lock_table()
    scene.leave_what_is_empty()
    scene.give("plan", NAME, "--placement", scene.file(scene.next))
    scene.give("deploy", "--placement", scene.file(scene.next))
    scene.world.placement_bucket()
    scene.give("deploy", "--placement", "deployed")
    scene.give("history", NAME)
    scene.give("plan", NAME, "--placement", scene.file(scene.next))
    scene.give("list")


def _runs(scene):
    """One run that goes on, and one that failed and is redriven; small payloads, and a large one."""
    names, aws, graph = scene.world.names, scene.world.aws, scene.workflow.graph
    aws.s3(HOME).create_bucket(Bucket=names.payload_bucket(ACCOUNT, HOME))
    aws.sns(HOME).create_topic(Name=names.start_topic)
    for region, function in ((HOME, "first"), (HOME, "last"), (WEST, "last")):
        aws.sns(region).create_topic(Name=names.topic(function))
        aws.sqs(region).create_queue(QueueName=names.failure_queue(function))
    ports = scene.ports
    for name in ("goes-on", "failed"):
        now_s = ports.clock.now()
        run = Run(name, graph.version, graph.digest, "p", {LAST: WEST}, now_s, now_s + BACKSTOP_S)
        ports.runs.begin(run, frozenset({LAST}))
    _fail(ports)
    _make_sweeper(aws)
    scene.give("run", NAME, "-a", '"small"', "--name", "mine")
    scene.give("run", NAME, "-a", json.dumps("x" * 400_000))
    scene.give("runs", NAME)
    scene.give("runs", NAME, "--state", "RUNNING")
    scene.give("trace", "goes-on")
    scene.give("trace", "goes")
    scene.give("logs", "goes-on")
    scene.give("redrive", "failed", "-w", NAME)
    scene.give("cancel", "goe")
    _load(scene)


def _load(scene):
    """A load of runs that never end, for as long as a busy machine needs to start them and to look at them."""
    payloads = ("-a", "1", "-a", json.dumps("x" * 400_000))
    for limit_s in (2, 20, 200):
        scene.give("load", NAME, *payloads, "--rate", "50/s", "--duration", "0.2", "--limit", limit_s, code=1)
        if "dynamodb:BatchGetItem" in {one.action for one in scene.asked["load"]}:
            return


def _make_sweeper(aws):
    """A function that answers orders as the sweeper does."""
    answers = {
        "caribou.redrive/1": RedriveAnswer(sent=(Sent(ENTRY, "ValueError: x"),)).to_json(),
        "caribou.cancel/1": CancelAnswer().to_json(),
    }
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("app.py", f"def handle(event, context):\n    return {answers!r}[event['schema']]\n")
    aws.functions(HOME).create_function(
        FunctionName=f"Workflow-{NAME}-Sweeper",
        Runtime="python3.13",
        Handler="app.handle",
        Role=f"arn:aws:iam::{ACCOUNT}:role/sweeper",
        Code={"ZipFile": code.getvalue()},
    )


def _fail(ports):
    ports.runs.fail("failed", ports.clock.now(), ENTRY, "ValueError: x")
    ports.parking.park(Parked("failed", START_NODE, 0, Start("failed", '"x"').to_text(), "ValueError: x"))


def _collection(scene):
    """Facts and run records into tables, a problem out of them, and a placement that waits."""
    names, aws, workflow = ControlNames(), scene.world.aws, scene.workflow
    for table, keys in ((names.fact_table, ("kind", "region")), (names.record_table, ("workflow", "id"))):
        aws.dynamodb(WEST).create_table(
            TableName=table, BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": k, "KeyType": kind} for k, kind in zip(keys, ("HASH", "RANGE"), strict=True)],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        )  # fmt: skip
    registration = json.dumps(Registration.of(workflow.graph, workflow.manifest).to_json())
    aws.ssm(WEST).put_parameter(Name=scene.world.names.registration, Value=registration, Type="String")
    scene.world.placement_bucket()
    group = scene.world.names.log_group("first")
    aws.logs(HOME).create_log_group(logGroupName=group)
    aws.logs(HOME).create_log_stream(logGroupName=group, logStreamName="s")
    now_s = time.time()
    record = record_of(ENTRY, workflow=NAME, function="first", region=HOME, started_at=now_s - 60, run_id="goes-on")
    aws.logs(HOME).put_log_events(
        logGroupName=group, logStreamName="s",
        logEvents=[{"timestamp": int(now_s * 1000) - 30_000, "message": record_line(record).decode()}],
    )  # fmt: skip
    scene.give("solve", NAME, "-o", scene.root / "solved.json", code=1)  # what it lacks are records of the other node
    scene.give("data_collect", "all")
    (scene.root / "cdk.json").write_text('{"context": {"caribou:carbon_source": "eia, snapshot"}}')  # and no key
    scene.give("data_collect", "carbon")  # which looks first whether what an earlier source gave is to stay
    (scene.root / "cdk.json").write_text("{}")
    scene.give("data_status")
    scene.give("log_sync", NAME)
    scene.give("list")
    scene.give("problem", NAME, "-o", scene.root / "problem.json", code=1)
    scene.give("manage_deployments", NAME)
    scene.put(placed())
    samples = workflow.folder / "samples"
    samples.mkdir()
    (samples / "one.txt").write_text("1")
    entry = {"file": "one.txt", "bucket": f"caribou-dev-samples-{ACCOUNT}-us-east-1", "key": "one.txt"}
    (samples / "objects.json").write_text(json.dumps([entry]))
    scene.give("upload_samples", NAME)


def _move(scene):
    """Everything goes home, where a failed run keeps the region; this is retired without it; and all goes back."""
    scene.next = placed()
    scene.ports.runs.succeed("goes-on", scene.ports.clock.now())
    _fail(scene.ports)
    scene.give("run_deployment_migrator", "--wait-seconds", "0")
    scene.give("run_deployment_migrator", "--wait-seconds", "0", "--forget-failed")
    scene.next = placed(WEST)
    scene.put(scene.next)
    scene.leave_what_is_empty()
    scene.give("run_deployment_migrator", "--wait-seconds", "0")


def _end(scene):
    """A lock that was forgotten is taken away, and all of it goes."""
    DeployLock(scene.world.aws, scene.world.target, NAME, lambda _: None).take("testing")
    scene.give("unlock", NAME, "--force", "--yes")
    scene.give("remove", NAME, "--delete-data", "--yes")
    registration = scene.world.names.registration
    scene.world.aws.ssm(WEST).delete_parameter(Name=registration)  # what its stack would have taken along
    scene.give("remove", "--control-plane", "--delete-data", "--yes")


POLICIES = policies_of_the_page(ACCOUNT)
SECTION = {verb: section for section in POLICIES for verb in section.split(" and ")}
SELDOM = {
    "deploy": {
        "sts:AssumeRole": "the CDK asks for it",
        "dynamodb:GetItem": "somebody else has the lock",
        "dynamodb:UpdateItem": "it takes longer than a heartbeat of the lock",
        "cloudformation:ListStacks": "the control region does not answer, and home does not stand",
        "s3:ListAllMyBuckets": "the control region does not answer, and home does not stand",
    },
    "manage_deployments": {
        "cloudformation:GetTemplate": "there are runs enough for a solve",
        "ssm:GetParameter": "there are runs enough for a solve",
    },
    "remove": {
        "cloudformation:DescribeStackEvents": "a stack could not be deleted",
        "dynamodb:GetItem": "somebody else has the lock",
    },
    "run_deployment_migrator": {
        "cloudformation:DescribeStackEvents": "a stack could not be deleted",
        "sts:AssumeRole": "the CDK asks for it",
    },
}
"""Actions that the life of the test's workflow does not need, and when they are needed."""
ON_EVERYTHING = {
    "cloudformation:DescribeStacks",
    "cloudformation:ListStacks",
    "cloudformation:GetTemplateSummary",
    "cloudformation:ValidateTemplate",
    "logs:DescribeLogGroups",
    "s3:ListAllMyBuckets",
    *("cloudwatch:PutCompositeAlarm", "cloudwatch:DescribeAlarms", "cloudwatch:DeleteAlarms"),
}
"""What may stand on `*`: the services know no resource to narrow it to."""

WHO_PLACES = {"manage_deployments", "run_deployment_migrator"}
"""Sections whose verbs put placements where they wait."""


@pytest.mark.parametrize("verb", [verb for verb in SECTION if verb != "Bootstrap"])
def test_verb_when_it_is_given_then_its_policy_allows_every_call_that_it_makes(scene, verb):
    """With all that IAM asks for a call: listing a bucket too, where a key may be missing."""
    [policy] = POLICIES[SECTION[verb]]
    assert scene.asked[verb]
    assert [one for one in sorted(scene.asked[verb]) if not allows(policy, one)] == []


@pytest.mark.parametrize("section", [section for section in POLICIES if section != "Bootstrap"])
def test_policy_when_all_its_verbs_were_given_then_nothing_is_in_it_that_was_not_asked(scene, section):
    """A right that nobody needs is a right too many."""
    [policy] = POLICIES[section]
    asked = {one.action for verb in section.split(" and ") for one in scene.asked[verb]}
    assert set(actions_of(policy)) - asked == SELDOM.get(section, {}).keys()


def test_page_when_there_is_a_verb_then_it_has_a_policy_or_says_that_it_asks_for_nothing():
    """Every verb is in one of the two."""
    page = (ROOT / "docs" / "permissions.md").read_text()
    [free] = re.findall(r"^`new_workflow`.* ask AWS for nothing", page, re.MULTILINE)
    assert [verb for verb in VERBS if verb not in SECTION and f"`{verb}`" not in free] == []


@pytest.mark.parametrize("section", POLICIES)
def test_policy_when_it_is_copied_then_it_reaches_what_is_caribous_in_this_account_alone(section):
    """Names are Caribou's or the CDK's; buckets, which belong to all accounts, must be this one's."""
    for statement in (one for policy in POLICIES[section] for one in policy["Statement"]):
        if statement["Resource"] == ["*"]:
            assert set(statement["Action"]) <= ON_EVERYTHING
            continue
        assert all(ACCOUNT in resource for resource in statement["Resource"])
        if statement["Action"][0].startswith("s3:") and "s3:CreateBucket" not in statement["Action"]:
            assert statement["Condition"] == {"StringEquals": {"aws:ResourceAccount": ACCOUNT}}


@pytest.mark.parametrize("section", [section for section in POLICIES if section != "Bootstrap"])
def test_policy_when_it_lets_objects_be_put_then_no_run_s_payload_and_placements_only_by_who_places(section):
    """A placement moves a workflow: who may start runs, or bring samples, may not for that."""
    [policy] = POLICIES[section]
    payload = f"arn:aws:s3:::{WorkflowNames(NAME).payload_bucket(ACCOUNT, HOME)}/run/node/edge/0123456789abcdef"
    placement = f"arn:aws:s3:::{ControlNames().placement_bucket(ACCOUNT, WEST)}/pending/{NAME}.json"
    assert not allows(policy, Asked("s3:PutObject", payload))
    assert allows(policy, Asked("s3:PutObject", placement)) == (section in WHO_PLACES)


@pytest.mark.parametrize(("shape", "kinds"), [("small", {"Policy"}), ("large", {"Policy", "ManagedPolicy"})])
def test_policy_of_cloudformation_when_roles_have_policies_of_any_kind_then_they_can_be_made(shape, kinds):
    """What is too much for a role's own policy, the CDK puts into managed ones: those are made and attached."""
    stack, size = Stack(App(), "Workflow-w"), {"small": 2, "large": 45}[shape]
    nodes = [f"{'f' * 30}{i:02}" for i in range(size)]
    graph = graph_of({nodes[0]: " ".join(nodes[1:])})
    props = RoleProps(nodes[0], graph, WorkflowNames("w" * 14), HOME, KNOWN_REGIONS)
    WorkflowRole(stack, "Entry", props, LogGroup(stack, "Log"))
    types = {one["Type"] for one in Template.from_stack(stack).to_json()["Resources"].values()}
    assert {kind.removeprefix("AWS::IAM::") for kind in types if kind.endswith("Policy")} == kinds
    policy, account = POLICIES["Bootstrap"][1], f"arn:aws:iam::{ACCOUNT}"
    for action in ("CreatePolicy", "GetPolicy", "CreatePolicyVersion", "DeletePolicyVersion", "DeletePolicy"):
        assert allows(policy, Asked(f"iam:{action}", f"{account}:policy/Workflow-w-EntryRoleOverflowPolicy1"))
    for action in ("AttachRolePolicy", "DetachRolePolicy"):
        assert allows(policy, Asked(f"iam:{action}", f"{account}:role/Workflow-w-EntryRole"))


@pytest.mark.parametrize("section", POLICIES)
def test_policy_when_it_is_copied_then_iam_takes_it(section):
    """A managed policy has 6,144 characters at most, white space not counted."""
    for policy in POLICIES[section]:
        assert len(json.dumps(policy, separators=(",", ":"))) <= 6144
        sids = [statement["Sid"] for statement in policy["Statement"]]
        assert len(sids) == len(set(sids))


@pytest.mark.parametrize(("policy", "types"), [(0, "toolkit_types"), (1, "our_types")])
def test_policy_of_cloudformation_when_templates_have_a_service_then_it_is_allowed(policy, types, request):
    """Of the CDK's own stack, whose maker is who bootstraps, and of ours, which CloudFormation's role makes."""
    services = {action.partition(":")[0] for action in actions_of(POLICIES["Bootstrap"][policy])}
    needed = {kind.split("::")[1].lower() for kind in request.getfixturevalue(types)}
    assert needed - services - {"kms"} == set()  # a key of one's own is an option of the CDK's


@pytest.fixture
def toolkit_types():
    """Types of resources in the stack that `cdk bootstrap` makes."""
    command = [*cdk_command(), "bootstrap", "--show-template"]
    done = subprocess.run(command, env=cdk_env(os.environ), capture_output=True, text=True, check=True)
    return re.findall(r"^    Type: (AWS::\S+)$", done.stdout, re.MULTILINE)


@pytest.fixture
def our_types():
    """Types of resources in the golden templates, which are of every kind of stack."""
    texts = [path.read_text() for path in (ROOT / "tests" / "stacks" / "golden").glob("*.yml")]
    return {kind for text in texts for kind in re.findall(r"^    Type: (AWS::[^:]+::[^:\s]+)$", text, re.MULTILINE)}
