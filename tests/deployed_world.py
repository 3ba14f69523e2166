"""A workflow's stacks on the local cloud, made straight with CloudFormation: quick, and just what the tests look at."""

import json
import zlib
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from waiting import BACKSTOP_S

from caribou.collectors.registrations import Registration
from caribou.control.aws import Aws
from caribou.control.stacks.deployed import find_stack, resources
from caribou.control.target import DEFAULT_QUALIFIER, Target
from caribou.control.workflows import KnownWorkflow
from caribou.model.names import CONTROL_PLANE_STACK_ID, WorkflowNames, stack_name, workflow_stack_id
from caribou.model.placement import ALL_HOURS, Placement, Plan
from caribou.model.project.workflow import read_workflow
from caribou.model.registration import ControlNames
from caribou.model.template_contract import OPEN_INDEX, Output, metadata_of, stack_mark

HOME, WEST, CANADA = "us-east-1", "us-west-2", "ca-central-1"

SOURCE = """
from caribou.runtime import CaribouWorkflow

workflow = CaribouWorkflow(name="{name}", version="{version}")


@workflow.serverless_function(name="first", entry_point=True)
def first(event):
    workflow.invoke_serverless_function(last, event)


@workflow.serverless_function(name="last")
def last(event):
    return event
"""
MANIFEST = """
workflow_name: {name}
workflow_version: {version}
home_region: {{provider: aws, region: {home}}}
regions_and_providers:
  allowed_regions:
    - {{provider: aws, region: us-east-1}}
    - {{provider: aws, region: us-west-2}}
    - {{provider: aws, region: ca-central-1}}
"""
ENTRY, LAST = "first:entry_point:0", "last:first_0_0:1"


def written_workflow(root, name="example", version="0.0.1", home=HOME):
    """A workflow of two functions in a project's folder, as read from there."""
    folder = root / "workflows" / name
    (folder / ".caribou").mkdir(parents=True, exist_ok=True)
    (folder / "app.py").write_text(SOURCE.format(name=name, version=version))
    (folder / ".caribou" / "config.yml").write_text(MANIFEST.format(name=name, version=version, home=home))
    return read_workflow(folder)


def placed(last=HOME, *, name="example", version="0.0.1", home=HOME, expires_at=None, **origin):
    """A placement of the two functions: the first at home, the last in a region."""
    plan = Plan(ALL_HOURS, {ENTRY: home, LAST: last})
    return Placement(name, version, home, (plan,), expires_at=expires_at, origin=origin)


@pytest.fixture(name="placed")
def placed_fixture():
    """`placed(region, ...)`: a placement of the two functions: the first at home, the last in a region."""
    return placed


@pytest.fixture(name="written_workflow")
def written_workflow_fixture():
    """`written_workflow(root, name, ...)`: a workflow in a project's folder."""
    return written_workflow


def synthesised(*stacks):
    """In place of running the CDK to synthesise: an assembly of stacks with nothing in them."""

    def run_cdk(arguments, **_):
        properties = {"templateFile": "template.json"}
        artifacts = {name: {"type": "aws:cloudformation:stack", "properties": properties} for name in stacks}
        assembly = Path(arguments[-1])
        assembly.mkdir()
        (assembly / "template.json").write_text("{}")
        (assembly / "manifest.json").write_text(json.dumps({"artifacts": artifacts}))

    return run_cdk


@pytest.fixture
def workflow(tmp_path):
    """A workflow in a folder of its own."""
    return written_workflow(tmp_path)


@pytest.fixture
def cloud(local_cloud, led_to):
    """An account of its own in the session's cloud, which this process's boto3 talks to."""
    return led_to(local_cloud.as_account("777788889999"))


@pytest.fixture
def aws(cloud):  # noqa: ARG001 - clients find it by the environment
    """The control room's clients of it. Three regions look bootstrapped."""
    with Aws() as clients:
        look_bootstrapped(clients)
        yield clients


def look_bootstrapped(aws):
    """Let three regions of the account look as `cdk bootstrap` leaves them."""
    for region in (HOME, WEST, CANADA):
        parameter = f"/cdk-bootstrap/{DEFAULT_QUALIFIER}/version"
        aws.ssm(region).put_parameter(Name=parameter, Value="30", Type="String", Overwrite=True)


@dataclass
class World:
    """One deployed workflow: stacks with what the control room looks at, and no functions."""

    aws: Aws
    name: str
    target: Target = field(default_factory=lambda: Target("dev", WEST))
    project_id: str | None = None

    @property
    def names(self):
        """The workflow's names."""
        return WorkflowNames(self.name, self.target.stage)

    @property
    def known(self):
        """The workflow as it is registered."""
        registration = Registration(self.name, "0.0.1", HOME, (HOME, WEST, CANADA), ("first", "last"), 30)
        return KnownWorkflow(self.name, None, registration)

    def home(self, placement):
        """Deploy home with a placement, anew or again; its stack."""
        placement = replace(placement, workflow=self.name)
        template = {
            "Metadata": metadata_of(placement.to_json()),
            "Resources": {"Runs": _table(self.names.run_table, "run_id"), "Syncs": _sync_table(self.names.sync_table)},
            "Outputs": {
                "PlacementDigest": {"Value": placement.digest},
                "GraphDigest": {"Value": "g"},
                "SweeperFunction": {"Value": f"{workflow_stack_id(self.name)}-Sweeper"},
                **self._mark("home"),
            },
        }
        return self._deploy(workflow_stack_id(self.name), HOME, "home", template)

    def region(self, region, *functions):
        """Deploy a region's stack, with functions of some names; what is in it is found through it."""
        template = {
            "Resources": {
                "Payloads": {"Type": "AWS::S3::Bucket"},
                "Failures": {"Type": "AWS::SQS::Queue"},
                "Log": {
                    "Type": "AWS::Logs::LogGroup",
                    "Properties": {"LogGroupName": self.names.log_group("last")},
                },
                **{f"Function{name}": _function(self.names.function(name)) for name in functions},
            },
            "Outputs": {"HomeRegion": {"Value": HOME}, **self._mark("region")},
        }
        return self._deploy(workflow_stack_id(self.name, region), region, "region", template)

    def begin_run(self, run_id, regions=(), deadline=4e9, **attributes):
        """Put a run item, as the runtime does."""
        item = {
            "run_id": {"S": run_id},
            "state": {"S": "RUNNING"},
            "regions": {"S": json.dumps({f"node {region}": region for region in regions})},
            "deadline": {"N": repr(deadline)},
            "open": {"S": "1"},
            **attributes,
        }
        self.aws.dynamodb(HOME).put_item(TableName=self.names.run_table, Item=item)

    def placement_bucket(self):
        """Make the control plane's placement bucket, unless it is there."""
        bucket = ControlNames(self.target.stage).placement_bucket(self.aws.account(WEST), WEST)
        client = self.aws.s3(WEST)
        if bucket not in {found["Name"] for found in client.list_buckets()["Buckets"]}:
            client.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": WEST})

    def control_plane(self):
        """Deploy a control plane's stack, with a bucket alone in it."""
        template = {
            "Resources": {"Placements": {"Type": "AWS::S3::Bucket"}},
            "Outputs": {"CaribouStack": {"Value": f"{self.target.stage}/control"}, "PlacementBucket": {"Value": "any"}},
        }
        return self._deploy(CONTROL_PLANE_STACK_ID, WEST, "control", template)

    def lock_table(self):
        """Make the control plane's table of locks, unless it is there; its name."""
        name, client = ControlNames(self.target.stage).lock_table, self.aws.dynamodb(WEST)
        if name not in client.list_tables()["TableNames"]:
            client.create_table(
                TableName=name,
                KeySchema=[{"AttributeName": "workflow", "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": "workflow", "AttributeType": "S"}],
                BillingMode="PAY_PER_REQUEST",
            )
        return name

    def foreign(self, region, construct_id, role):
        """Deploy a stack of someone else's that has our tags: a bucket, which has an object; the bucket's name."""
        template = {"Resources": {"Theirs": {"Type": "AWS::S3::Bucket"}}}
        stack = self._deploy(construct_id, region, role, template)
        [bucket] = resources(self.aws, stack, "AWS::S3::Bucket")
        self.aws.s3(region).put_object(Bucket=bucket, Key="theirs", Body=b"")
        return bucket

    def _mark(self, role):
        """The outputs by which a stack says what it is, and whose."""
        mark = {Output.STACK: {"Value": stack_mark(self.target.stage, role, self.name)}}
        return mark | ({} if self.project_id is None else {Output.PROJECT_ID: {"Value": self.project_id}})

    def without_tags(self, stack):
        """The stack, once a user's tags have replaced its own."""
        client = self.aws.cloudformation(stack.region)
        tags = [{"Key": "team", "Value": "toys"}]
        client.update_stack(StackName=stack.name, UsePreviousTemplate=True, Tags=tags)
        client.get_waiter("stack_update_complete").wait(StackName=stack.name, WaiterConfig={"Delay": 1})
        return find_stack(self.aws, stack.name, stack.region)

    def stacks(self):
        """Names of all stacks of the account, with their regions."""
        answers = {r: self.aws.cloudformation(r).describe_stacks()["Stacks"] for r in (HOME, WEST, CANADA)}
        return {(region, stack["StackName"]) for region, stacks in answers.items() for stack in stacks}

    def _deploy(self, construct_id, region, role, template):
        name = stack_name(construct_id, self.target.stage)
        tags = {"project": "caribou", "workflow": self.name, "stage": self.target.stage, "role": role}
        client, exists = self.aws.cloudformation(region), find_stack(self.aws, name, region)
        change = client.create_stack if exists is None else client.update_stack
        change(
            StackName=name,
            TemplateBody=json.dumps(template),
            Tags=[{"Key": f"caribou:{key}", "Value": value} for key, value in tags.items()],
        )
        waiter = "stack_create_complete" if exists is None else "stack_update_complete"
        client.get_waiter(waiter).wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": int(BACKSTOP_S)})
        return find_stack(self.aws, name, region)


def _function(name):
    properties = {
        "FunctionName": name,
        "Runtime": "python3.13",
        "Handler": "index.handle",
        "Role": "arn:aws:iam::123456789012:role/any",
        "Code": {"ZipFile": "def handle(event, context): pass"},
    }
    return {"Type": "AWS::Lambda::Function", "Properties": properties}


def _table(name, key):
    properties = {
        "TableName": name,
        "KeySchema": [{"AttributeName": key, "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": one, "AttributeType": "S"} for one in (key, OPEN_INDEX)],
        "BillingMode": "PAY_PER_REQUEST",
        "GlobalSecondaryIndexes": [
            {
                "IndexName": OPEN_INDEX,
                "KeySchema": [{"AttributeName": OPEN_INDEX, "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    }
    return {"Type": "AWS::DynamoDB::Table", "DeletionPolicy": "Retain", "Properties": properties}


def _sync_table(name):
    keys = {"id": "HASH", "part": "RANGE"}
    properties = {
        "TableName": name,
        "KeySchema": [{"AttributeName": key, "KeyType": kind} for key, kind in keys.items()],
        "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"} for key in keys],
        "BillingMode": "PAY_PER_REQUEST",
    }
    return {"Type": "AWS::DynamoDB::Table", "DeletionPolicy": "Retain", "Properties": properties}


@pytest.fixture
def world(aws, request):
    """A workflow of the test's own name, nothing of it deployed yet."""
    return World(aws, f"w{zlib.crc32(request.node.nodeid.encode()):x}")


@pytest.fixture
def refused(world, monkeypatch):
    """Make CloudFormation of a region refuse the credentials with an error code, to the world's clients."""

    def refuse(region, code):
        def answer(**_):
            raise ClientError({"Error": {"Code": code, "Message": "refused"}}, "DescribeStacks")

        monkeypatch.setattr(world.aws.cloudformation(region), "describe_stacks", answer)
        monkeypatch.setattr(world.aws.cloudformation(region), "get_paginator", lambda _: _Refusing(answer))

    return refuse


class _Refusing:
    def __init__(self, paginate):
        self.paginate = paginate
