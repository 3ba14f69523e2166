"""Workflows in somebody's own app: in a `cdk.Stage`, under its tags, boundary, aspects and synthesizer."""

import json

import jsii
import pytest
from aws_cdk import (
    Aspects,
    DefaultStackSynthesizer,
    Environment,
    IAspect,
    Stack,
    Stage,
    Tags,
)
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs

from caribou.model.template_contract import StackRole, Tag, placement_data
from caribou.stacks import WorkflowStacks, add_workflows

ACCOUNT, HOME, WEST = "111122223333", "us-east-1", "us-west-2"
WORKFLOW = "city_tour"
STACKS = {
    "CaribouControlPlane",
    "Workflow-city-tour",
    "Workflow-city-tour-us-west-2",
    "Workflow-city-tour-registration",
}


@jsii.implements(IAspect)
class LongRetention:
    """An aspect as an organisation has it: messages live for a week."""

    def visit(self, node):
        """Set what a queue has."""
        if isinstance(node, sqs.CfnQueue):
            node.message_retention_period = 7 * 86400


class Theirs:
    """An app of somebody's, with one Stage in which a workflow is, and a stack of theirs that starts it."""

    def __init__(self, app, assembly_of, project, now):
        self.app = app
        prod = Stage(app, "Prod", env=Environment(account=ACCOUNT, region="eu-west-1"))
        limits = iam.ManagedPolicy.from_managed_policy_name(Stack(app, "Names"), "Limits", "limits")
        Tags.of(prod).add("team", "tours")  # aspects of an app do not reach into a Stage
        Aspects.of(prod).add(LongRetention())
        iam.PermissionsBoundary.of(prod).apply(limits)
        self.added = add_workflows(prod, project, now=now)
        self.tour = self.added[WORKFLOW]
        shop = Stack(prod, "Shop")
        self.starter = lambda_.Function(
            shop,
            "Starter",
            code=lambda_.Code.from_inline("def handle(event, context): ..."),
            handler="index.handle",
            runtime=lambda_.Runtime.PYTHON_3_13,
        )
        self.tour.grant_start(self.starter)
        for function, queue in self.tour.failures.items():
            waiting = queue.metric_approximate_number_of_messages_visible()
            cloudwatch.Alarm(self.tour.home, f"Failures-{function}", metric=waiting, threshold=1, evaluation_periods=1)
        self.assembly = assembly_of(app, "Prod")
        self.stacks = {a["properties"]["stackName"]: a for a in self.assembly.stacks.values()}
        self.templates = {
            a["properties"]["stackName"]: self.assembly.template(key) for key, a in self.assembly.stacks.items()
        }

    def properties(self, kind, stack="Workflow-city-tour"):
        """The properties of a stack's resources of a type."""
        return [r["Properties"] for r in self.templates[stack]["Resources"].values() if r["Type"] == kind]


@pytest.fixture(scope="module")
def theirs(new_app, assembly_of, project, now):
    """Such an app, synthesised."""
    app = new_app(synthesizer=DefaultStackSynthesizer(qualifier="tours1"), placement="west.json")
    return Theirs(app, assembly_of, project, now)


def test_stacks_when_they_are_in_a_stage_then_the_tools_find_them_by_their_names(theirs):
    """Names, tags, metadata and outputs are as without a Stage; account and synthesizer are those of around."""
    assert set(theirs.stacks) == {*STACKS, "Prod-Shop"}
    tags = {name: theirs.stacks[name]["properties"]["tags"] for name in STACKS}
    assert {tag[Tag.ROLE] for tag in tags.values()} == set(StackRole)
    assert {tag["team"] for tag in tags.values()} == {"tours"}
    home = theirs.templates["Workflow-city-tour"]
    assert placement_data(home)["workflow"] == WORKFLOW
    assert home["Outputs"]["PlacementRegions"]["Value"] == f"{HOME},{WEST}"
    assert theirs.stacks["Workflow-city-tour"]["displayName"] == "Prod/Workflow-city_tour"
    assert theirs.stacks["Workflow-city-tour-us-west-2"]["environment"] == f"aws://{ACCOUNT}/{WEST}"
    assert all("role/cdk-tours1-deploy" in theirs.stacks[name]["properties"]["assumeRoleArn"] for name in STACKS)


def test_stacks_when_the_app_has_a_boundary_and_aspects_then_they_are_under_them(theirs):
    """Every role of every stack of ours, and every queue."""
    roles = [role for stack in STACKS for role in theirs.properties("AWS::IAM::Role", stack)]
    assert len(roles) == 4 + 2 + 4 + 8  # functions, sweeper and schedule; the region's; collectors and schedules
    assert all(json.dumps(role["PermissionsBoundary"]).endswith(':policy/limits"]]}') for role in roles)
    queues = theirs.properties("AWS::SQS::Queue")
    assert [queue["MessageRetentionPeriod"] for queue in queues] == [7 * 86400] * 4


def test_workflow_when_an_app_builds_on_it_then_it_has_what_the_app_needs(theirs):
    """Its parts by functions' names, at home and in each region of its placement."""
    assert set(theirs.added) == {WORKFLOW}
    assert isinstance(theirs.tour, WorkflowStacks)
    functions = ["start", "near", "far", "join"]
    for parts in (theirs.tour, theirs.tour.home, theirs.tour.regions[WEST]):
        assert list(parts.functions) == list(parts.topics) == list(parts.failures) == functions
    assert set(theirs.tour.regions) == {WEST}
    assert theirs.tour.runs.table_name
    [policy] = theirs.properties("AWS::IAM::Policy", "Prod-Shop")
    [statement] = policy["PolicyDocument"]["Statement"]
    assert statement["Action"] == "sns:Publish"
    assert statement["Resource"] == f"arn:aws:sns:{HOME}:{ACCOUNT}:caribou-dev-city_tour"
    assert len(theirs.properties("AWS::CloudWatch::Alarm")) == 4


def test_workflows_when_another_one_is_asked_for_then_all_are_added(new_app, new_project, now):
    """An app that builds on a workflow finds it, whichever one `caribou deploy` names."""
    app = new_app(workflow="first", placement="home")
    added = add_workflows(app, new_project("first", "second"), now=now, control_plane=False)
    assert list(added) == ["first", "second"]
    assert [stack.node.id for stack in app.node.children if "CaribouControl" in stack.node.id] == []


def test_workflows_when_two_stages_would_have_the_same_stacks_then_one_message_says_so(new_app, project, now, capsys):
    """In one account, each needs a stage of its own; with one, both stand beside each other."""
    app = new_app()
    add_workflows(Stage(app, "Beta"), project, now=now, stage="beta")
    prod = add_workflows(Stage(app, "Prod"), project, now=now, control_region="eu-west-1")
    assert prod[WORKFLOW].registration.region == "eu-west-1"
    with pytest.raises(SystemExit) as ended:
        add_workflows(Stage(app, "Second"), project, now=now, stage="beta")
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "Second/CaribouControlPlane: is a second stack of its name in one account and region" in said
    assert "found: Beta/CaribouControlPlane is called beta-CaribouControlPlane too" in said
    assert "To fix: give each call of add_workflows a stage of its own" in said


def test_workflows_when_they_are_added_twice_then_one_message_says_so(new_app, project, now, capsys):
    """Before the CDK has a say, which would be a traceback; without the control plane it is the workflow."""
    app = new_app()
    add_workflows(app, project, now=now)
    for control_plane in (True, False):
        with pytest.raises(SystemExit):
            add_workflows(app, project, now=now, control_plane=control_plane)
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("CaribouControlPlane: is a second stack")
    assert second.startswith("Workflow-city_tour: is a second stack")


def test_workflows_when_the_stage_is_no_name_for_one_then_one_message_says_so(new_app, project, now, capsys):
    """As every mistake in an app of somebody's: no traceback."""
    with pytest.raises(SystemExit):
        add_workflows(new_app(), project, now=now, stage="Pre prod")
    assert capsys.readouterr().err.startswith("add_workflows: stage: is no name for a stage (found: Pre prod)")
