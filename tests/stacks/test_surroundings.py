"""Keys, networks, boundary and tags of a manifest: in every resource that they are for, and no right beyond."""

import json
import re

import pytest
from aws_cdk import Environment, Stack, Validations
from aws_cdk import aws_iam as iam
from builders import ROOT
from cdk_nag import AwsSolutionsChecks
from cfnlint.api import ManualArgs, lint
from policies import Request, is_allowed, text_of

from caribou.constructs.acknowledge import acknowledge
from caribou.model.project.workflow import MANIFEST
from caribou.model.template_contract import Tag
from caribou.stacks import add_workflows

PAGE = ROOT / "docs" / "existing-cdk-app.md"
ACCOUNT, HOME, WEST = "111122223333", "us-east-1", "us-west-2"
REGIONS = (HOME, WEST, "ca-central-1", "eu-west-1")
KEYS = {r: f"arn:aws:kms:{r}:{ACCOUNT}:key/1234abcd-0000-4000-8000-00000000000{i}" for i, r in enumerate(REGIONS)}
UNUSED = {"eu-west-3": f"arn:aws:kms:eu-west-3:{ACCOUNT}:key/1234abcd-0000-4000-8000-000000000009"}
"""The key of a region in which no function may run: nobody gets it."""
VPC = "".join(
    f"    {r}: {{subnet_ids: [subnet-0000000{i}, subnet-1000000{i}], security_group_ids: [sg-0000000{i}]}}\n"
    for i, r in enumerate(REGIONS)
)
SETTINGS = f"""  kms_key:
{"".join(f"    {region}: {arn}" + chr(10) for region, arn in {**KEYS, **UNUSED}.items())}  vpc:
{VPC}  permissions_boundary: team/limits
  tags: {{team: tours, caribou-like: "no"}}
"""
HOME_STACK, WEST_STACK = "Workflow-city_tour", "Workflow-city_tour-us-west-2"
FUNCTIONS = ("start", "near", "far", "join")
ENCRYPTED = {
    "AWS::SNS::Topic": lambda p: p.get("KmsMasterKeyId"),
    "AWS::SQS::Queue": lambda p: None if p.get("SqsManagedSseEnabled") else p.get("KmsMasterKeyId"),
    "AWS::DynamoDB::Table": lambda p: p["SSESpecification"].get("KMSMasterKeyId"),
    "AWS::S3::Bucket": lambda p: p["BucketEncryption"]["ServerSideEncryptionConfiguration"][0][
        "ServerSideEncryptionByDefault"
    ].get("KMSMasterKeyID"),
    "AWS::Logs::LogGroup": lambda p: p.get("KmsKeyId"),
    "AWS::Lambda::Function": lambda p: p.get("KmsKeyArn"),
}
"""The types that rest somewhere, and where their key stands."""


class Shop:
    """The shared project's workflow with all four keys in its manifest, and a stack of the app's that starts it."""

    def __init__(self, app, root, now):
        manifest = root / "workflows" / "city_tour" / MANIFEST
        manifest.write_text(manifest.read_text() + SETTINGS)
        self.tour = add_workflows(app, root, now=now)["city_tour"]
        shop = Stack(app, "Shop", env=Environment(region="eu-west-1"))
        starter = iam.Role(shop, "Starter", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        self.tour.grant_start(starter)
        acknowledge(starter, {"AwsSolutions-IAM5[Action::kms:GenerateDataKey*]": "as SNS asks for it"})
        Validations.of(app).add_plugins(AwsSolutionsChecks(app))


@pytest.fixture(scope="module")
def shop(new_app, new_project, now, solved, assembly_of):
    """Such an app, synthesised with a node in us-west-2, at which cdk-nag finds nothing."""
    root = new_project("city_tour")
    placement = root / "workflows" / "city_tour" / ".caribou" / "placement.json"
    app = new_app(**{"@aws-cdk/core:permissionsBoundary": {"name": "theirs"}})
    placement.write_text(json.dumps(solved(root, {"near": [WEST] * 24})))
    Shop(app, root, now)
    return assembly_of(app)


def roles_of(assembly, stack):
    """The statements of each role of a stack, by the beginning of the role's logical id."""
    found = {}
    for policy in assembly.properties(stack, "AWS::IAM::Policy"):
        [role] = policy["Roles"]
        found.setdefault(role["Ref"], []).extend(policy["PolicyDocument"]["Statement"])
    return found


def kms_of(statements):
    """The statements among some that are about keys."""
    return [s for s in statements if any("kms:" in action for action in listed(s["Action"]))]


def listed(value):
    """A list, of one thing too."""
    return value if isinstance(value, list) else [value]


@pytest.mark.parametrize(("stack", "region"), [(HOME_STACK, HOME), (WEST_STACK, WEST)])
def test_resources_when_the_manifest_has_a_key_then_all_that_rest_are_encrypted_with_their_regions(stack, region, shop):
    """Topics, queues, tables, buckets, logs and environments, the sweeper's too; nothing is left to a key of AWS's."""
    for kind, key_of in ENCRYPTED.items():
        found = [key_of(properties) for properties in shop.properties(stack, kind)]
        assert found
        assert set(found) == {KEYS[region]}, kind


@pytest.mark.parametrize(("stack", "roles"), [(HOME_STACK, 6), (WEST_STACK, 4)])
def test_roles_when_the_manifest_has_a_key_then_functions_and_sweeper_may_use_it_and_nobody_else(stack, roles, shop):
    """In every region that they send to: what publishing, sending, receiving, reading and writing take, and no more."""
    by_role = roles_of(shop, stack)
    users = {role: s for role, s in by_role.items() if role.startswith(("Function", "Sweeper"))}
    assert len(users) == min(roles, 5)
    for statements in users.values():
        [statement] = kms_of(statements)
        assert statement["Action"] == ["kms:Decrypt", "kms:GenerateDataKey*"]
        assert sorted(statement["Resource"]) == sorted(KEYS.values())
        assert "Condition" not in statement
    assert [kms_of(s) for role, s in by_role.items() if role not in users] == [[]] * (roles - len(users))


def test_app_when_it_is_granted_starts_then_it_may_use_the_entrys_key(shop):
    """What a publisher to an encrypted topic needs comes with the grant."""
    [[publish, use]] = roles_of(shop, "Shop").values()
    assert publish["Action"] == "sns:Publish"
    assert (use["Action"], use["Resource"]) == (["kms:Decrypt", "kms:GenerateDataKey*"], KEYS[HOME])


def test_collector_when_logs_are_encrypted_then_it_may_read_those_of_workflows_and_nothing_else(shop):
    """Whichever keys they have: by way of CloudWatch Logs, and for groups of workflows' functions."""
    roles = roles_of(shop, "CaribouControlPlane")
    [(role, [statement])] = [(role, kms_of(s)) for role, s in roles.items() if kms_of(s)]
    assert role.startswith("WorkflowCollector")
    assert (statement["Action"], text_of(statement["Resource"])) == ("kms:Decrypt", f"arn:aws:kms:*:{ACCOUNT}:key/*")
    logs = text_of(statement["Condition"]["StringLike"]["kms:EncryptionContext:aws:logs:arn"])
    assert logs == f"arn:aws:logs:*:{ACCOUNT}:log-group:/aws/lambda/caribou-dev-*"
    assert statement["Condition"]["StringLike"]["kms:ViaService"] == "logs.*.amazonaws.com"


@pytest.mark.parametrize(("stack", "index"), [(HOME_STACK, 0), (WEST_STACK, 1)])
def test_functions_when_the_manifest_has_a_vpc_then_all_are_in_their_regions(stack, index, shop):
    """The sweeper too, which is in home's stack."""
    found = [properties.get("VpcConfig") for properties in shop.properties(stack, "AWS::Lambda::Function")]
    subnets = [f"subnet-0000000{index}", f"subnet-1000000{index}"]
    assert found == [{"SubnetIds": subnets, "SecurityGroupIds": [f"sg-0000000{index}"]}] * (5 - index)


def test_roles_when_functions_are_in_a_vpc_then_lambda_may_attach_them_and_their_code_may_not(shop):
    """Lambda asks in the role's name, for every resource; a call of the function's own carries its ARN."""
    for role, statements in roles_of(shop, HOME_STACK).items():
        network = [s for s in statements if any("ec2:" in action for action in listed(s["Action"]))]
        if role.startswith("Function"):
            allowed, denied = network
            asks = Request("ec2:CreateNetworkInterface", "*")
            assert is_allowed([allowed], asks)
            assert denied["Effect"] == "Deny"
            assert set(listed(denied["Action"])) == set(allowed["Action"]) - {"ec2:DescribeSubnets"}
            arn = text_of(denied["Condition"]["ArnLike"]["lambda:SourceFunctionArn"])
            assert any(arn == f"arn:aws:lambda:*:{ACCOUNT}:function:caribou-dev-city_tour-{f}" for f in FUNCTIONS)
        else:
            assert [s["Effect"] for s in network] == ["Allow"] * role.startswith("Sweeper")


def test_roles_when_manifest_and_app_have_a_boundary_then_the_manifests_counts_for_its_stacks(shop):
    """And the app's, which came by CDK's context, for all others."""
    for stack, boundary in (
        (HOME_STACK, "team/limits"),
        (WEST_STACK, "team/limits"),
        ("CaribouControlPlane", "theirs"),
    ):
        roles = shop.properties(stack, "AWS::IAM::Role")
        assert {text_of(role["PermissionsBoundary"]) for role in roles} == {f"arn:aws:iam::{ACCOUNT}:policy/{boundary}"}


def test_stacks_when_the_manifest_has_tags_then_they_stand_beside_ours(shop):
    """On each stack of the workflow, and on no other."""
    tags = {stack: artifact["properties"].get("tags", {}) for stack, artifact in shop.stacks.items()}
    ours = [stack for stack in tags if stack.startswith("Workflow-")]
    assert len(ours) == 3
    for stack in ours:
        assert set(tags[stack]) == {*Tag, "team", "caribou-like"}
        assert (tags[stack]["team"], tags[stack][Tag.WORKFLOW]) == ("tours", "city_tour")
    assert "team" not in tags["CaribouControlPlane"]


@pytest.mark.slow
def test_templates_when_the_manifest_has_all_of_it_then_nothing_is_found_in_them(shop):
    """By cfn-lint; cdk-nag, which looked while they were made, would have stopped them."""
    for stack in (HOME_STACK, WEST_STACK):
        found = lint(shop.text(stack), config=ManualArgs(regions=[*REGIONS]))
        assert {match.rule.id for match in found} <= {"W3005"}  # test_lint.py says why


def test_key_policy_when_the_page_shows_one_then_it_lets_in_every_service_that_the_templates_do(shop):
    """Those that may publish to topics and send to queues, and CloudWatch Logs."""
    policy = json.loads(PAGE.read_text().partition("```json key-policy.json\n")[2].partition("```")[0])
    let_in = {service for s in policy["Statement"] for service in services_of(s)}
    writers = {
        service
        for stack in (HOME_STACK, WEST_STACK)
        for kind in ("AWS::SNS::TopicPolicy", "AWS::SQS::QueuePolicy")
        for properties in shop.properties(stack, kind)
        for statement in properties["PolicyDocument"]["Statement"]
        for service in services_of(statement)
    }
    assert writers == {"sns.amazonaws.com", "events.amazonaws.com", "s3.amazonaws.com"}
    assert let_in == writers | {"logs.us-east-1.amazonaws.com"}


def test_key_policy_when_a_service_is_eventbridge_then_no_condition_keeps_it_out():
    """SNS developer guide, "Enable compatibility": source conditions are not supported for EventBridge; others are."""
    policy = json.loads(PAGE.read_text().partition("```json key-policy.json\n")[2].partition("```")[0])
    conditions = {service: s.get("Condition") for s in policy["Statement"] for service in services_of(s)}
    assert {service for service, condition in conditions.items() if condition is None} == {"events.amazonaws.com"}


def test_boundary_when_the_page_says_what_it_must_let_then_that_is_all_that_our_roles_do(shop):
    """An action that is not in it fails in the account of who has read the page."""
    said = PAGE.read_text().partition("A boundary must let the roles")[2].partition("CloudFormation's role")[0]
    words = re.findall(r"`((?:[a-z0-9]+:)?[A-Z]\w+\*?|[a-z0-9]+:\w+\*?)`", said)
    service, let = "", {"ec2"}  # those stand with `vpc`
    for word in words:
        service = word.partition(":")[0] if ":" in word else service
        let.add(f"{service}:{word.rpartition(':')[2]}")
    done = {
        action
        for stack in (HOME_STACK, WEST_STACK)
        for statements in roles_of(shop, stack).values()
        for statement in statements
        for action in listed(statement["Action"])
    }
    of_cdks_grant = {"sqs:GetQueueAttributes"}  # with that to send failures to a queue; nobody calls it
    assert {action for action in done if not action.startswith("ec2:")} - let == of_cdks_grant
    assert let - done == {"ec2"}


def test_page_when_functions_are_in_a_vpc_then_it_names_every_service_that_they_call(shop):
    """Without a way to one of them, calls end after their time limit."""
    page = (ROOT / "docs" / "writing-workflows.md").read_text()
    said = page.partition("**What they must reach**")[2].partition("Without a way")[0]
    called = {
        action.partition(":")[0]
        for statements in roles_of(shop, HOME_STACK).values()
        for statement in statements
        for action in listed(statement["Action"])
    }
    elsewhere = {"logs", "ec2", "lambda"}  # what Lambda and the scheduler do in a role's name, past the VPC
    assert {service for service in called - elsewhere if not re.search(rf"\b{service}\b", said, re.IGNORECASE)} == set()


def test_page_when_a_verb_reads_runs_or_logs_then_it_says_that_it_needs_the_key():
    """By the policies of docs/permissions.md: items of run and sync tables, and lines of logs."""
    said = PAGE.read_text().partition("- Who operates needs")[2].partition("\n- ")[0]
    reading = re.compile(r"table/caribou-dev-\*-(runs|sync)-1|logs:FilterLogEvents")
    verbs = {
        verb
        for section in (ROOT / "docs" / "permissions.md").read_text().split("\n## `")[1:]
        if reading.search(section)
        for verb in re.findall(r"(\w+)`", section.partition("\n")[0])
    }
    assert {"run", "trace", "logs"} < verbs
    assert {verb for verb in verbs - {"data_collect"} if f"`{verb}`" not in said} == set()


def services_of(statement):
    """The services that a statement lets in."""
    principal = statement["Principal"]
    return listed(principal.get("Service", [])) if isinstance(principal, dict) else []
