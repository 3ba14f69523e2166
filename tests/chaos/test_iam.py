"""The workflows under IAM as it is enforced: what they need is allowed, and nothing else."""

import io
import json
import zipfile

import pytest

from caribou.local import LocalCloud
from caribou.model.names import WorkflowNames
from caribou.runtime.placement import share_of

pytestmark = pytest.mark.local_cloud

ELSEWHERE = "eu-west-1"  # which the manifest does not allow
PROBE = """
import boto3
from botocore.exceptions import ClientError
def handler(event, context):
    client = boto3.client(event["service"], region_name=event["region"])
    try:
        getattr(client, event["call"])(**event["arguments"])
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "allowed"
"""
DENIED = {"sns": "AuthorizationError", "dynamodb": "AccessDeniedException", "s3": "AccessDenied"}


@pytest.fixture(scope="module")
def guarded(storm, tmp_path_factory):
    """The example workflow, placed over three regions, where nobody may do what no policy allows."""
    root = tmp_path_factory.mktemp("guarded")
    with LocalCloud.start(root / "cloud", regions=storm.REGIONS, enforce_iam=True) as cloud:
        (root / "project").mkdir()
        project = storm.Project.deployed(cloud, root / "project", storm.SAMPLE)
        with pytest.MonkeyPatch.context() as patch:
            for name, value in cloud.variables().items():
                patch.setenv(name, value)
            yield project


@pytest.fixture(scope="module")
def probe(guarded, storm):
    """Makes a call with the role of `second_function`, and tells how it ended."""
    functions = guarded.cloud.client("lambda")
    role = functions.get_function_configuration(FunctionName=f"caribou-dev-{storm.SAMPLE}-second_function")["Role"]
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("app.py", PROBE)
    functions.create_function(
        FunctionName="probe", Runtime="python3.13", Handler="app.handler", Timeout=30, Role=role,
        Code={"ZipFile": code.getvalue()},
    )  # fmt: skip

    def call(service, region, name, **arguments):
        event = {"service": service, "region": region, "call": name, "arguments": arguments}
        answer = functions.invoke(FunctionName="probe", Payload=json.dumps(event).encode())
        return json.loads(answer["Payload"].read())

    return call


def name_of_run(share, *, moves):
    """A name for a run that stays at home, or one for a run that moves."""
    names = (f"guarded-{i}" for i in range(1000))
    return next(name for name in names if (share_of(name) >= share) == moves)


@pytest.mark.parametrize("moves", [False, True])
def test_run_when_iam_is_enforced_then_it_succeeds_at_home_and_where_it_is_placed(guarded, storm, moves):
    """Roles allow what the runtime does: topics, tables and records of three regions."""
    name = name_of_run(guarded.workflow(storm.SAMPLE).manifest.runs.home_share, moves=moves)

    guarded.start(storm.SAMPLE, {"limit": 1000}, name)

    assert guarded.ended(storm.SAMPLE, name) == "SUCCEEDED"
    records = [record for record in guarded.records(storm.SAMPLE) if record["run_id"] == name]
    assert {record["region"] for record in records} == (set(storm.REGIONS) if moves else {storm.HOME})


def test_sweeper_when_iam_is_enforced_then_it_may_do_what_it_does(guarded, storm):
    """A message that is left over from a run that has ended is received, looked up and dropped."""
    guarded.start(storm.SAMPLE, {"limit": -1}, "guarded-fails")

    assert guarded.ended(storm.SAMPLE, "guarded-fails") == "FAILED"
    item = guarded.sweeper(storm.SAMPLE).ports.runs.get("guarded-fails")
    assert item.failed_node.startswith("initial_function")
    assert "ValueError" in item.error


def test_role_when_the_topic_is_a_successors_then_it_may_publish(guarded, storm, probe):
    """`second_function` tells `sync_function`, in each region that is allowed."""
    for region in (storm.HOME, storm.NORTH):
        topic = guarded.topic(storm.SAMPLE, "sync_function", region)
        assert probe("sns", region, "publish", TopicArn=topic, Message="{}") == "allowed"


def test_role_when_the_topic_is_no_successors_then_it_may_not_publish(guarded, storm, probe):
    """`second_function` never tells the entry."""
    topic = guarded.topic(storm.SAMPLE, "initial_function")

    assert probe("sns", storm.HOME, "publish", TopicArn=topic, Message="{}") == DENIED["sns"]


def test_role_when_the_table_is_its_own_then_it_may_read_it_and_no_other_workflows(guarded, storm, probe):
    """Sync state and runs of another workflow are out of reach."""
    other = WorkflowNames("other")
    for table in (other.sync_table, other.run_table):
        guarded.cloud.client("dynamodb").create_table(
            TableName=table, KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}], BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        )  # fmt: skip
        for call in ("get_item", "delete_item"):
            said = probe("dynamodb", storm.HOME, call, TableName=table, Key={"id": {"S": "x"}})
            assert said == DENIED["dynamodb"]
    own = {"id": {"S": "x"}, "part": {"S": "y"}}
    table = WorkflowNames(storm.SAMPLE).sync_table
    assert probe("dynamodb", storm.HOME, "get_item", TableName=table, Key=own) == "allowed"
    assert probe("dynamodb", storm.HOME, "delete_item", TableName=table, Key=own) == DENIED["dynamodb"]


def test_role_when_the_region_is_outside_the_manifest_then_it_may_do_nothing_there(guarded, storm, probe):
    """A topic, a table and a bucket of the right names, in a region that the manifest does not allow."""
    names, account = WorkflowNames(storm.SAMPLE), guarded.cloud.account
    topic = guarded.cloud.client("sns", ELSEWHERE).create_topic(Name=names.topic("sync_function"))["TopicArn"]
    guarded.cloud.client("dynamodb", ELSEWHERE).create_table(
        TableName=names.sync_table, BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "part", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("id", "part")],
    )  # fmt: skip
    bucket = names.payload_bucket(account, ELSEWHERE)
    place = {"LocationConstraint": ELSEWHERE}
    guarded.cloud.client("s3", ELSEWHERE).create_bucket(Bucket=bucket, CreateBucketConfiguration=place)
    key = {"id": {"S": "x"}, "part": {"S": "y"}}

    said = {
        "sns": probe("sns", ELSEWHERE, "publish", TopicArn=topic, Message="{}"),
        "dynamodb": probe("dynamodb", ELSEWHERE, "get_item", TableName=names.sync_table, Key=key),
        "s3": probe("s3", ELSEWHERE, "put_object", Bucket=bucket, Key="k", Body="x"),
    }

    assert said == DENIED
