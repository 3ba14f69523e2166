"""The workflows under IAM as it is enforced: what they need is allowed, and nothing else."""

import io
import itertools
import json
import zipfile

import pytest
from botocore.exceptions import ClientError
from deployed import HOME, NORTH, REGIONS, SAMPLE, Deployed
from waiting import eventually

from caribou.local import LocalCloud
from caribou.model.names import WorkflowNames
from caribou.model.registration import ControlNames
from caribou.model.run import payload as payloads
from caribou.model.run.envelope import Envelope, Start
from caribou.model.run.item import START_NODE
from caribou.model.run.publication import RUN_ID_ATTRIBUTE
from caribou.model.template_contract import OPEN_INDEX
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


def start_of_a_run(_guarded, run_id):
    """A forged start under a run's name, that would take it over."""
    return Start(run_id, '{"limit":1}', attempt=7)


def envelope_in_a_run(guarded, run_id):
    """A forged message to the entry of a run, that would take it over."""
    run, graph = guarded.ports(SAMPLE).runs.get(run_id).run, guarded.workflow(SAMPLE).graph
    entry = graph.entry.name
    return Envelope(run, entry, None, graph.inputs_digest(entry), 0, run.started_at, '{"limit":1}', attempt=7)


def item_of(guarded, run_id):
    """The run item, without that it is on the sweeper's list, or notified, which a sweep may change."""
    swept = (OPEN_INDEX, "notified_end")
    return {name: value for name, value in guarded.states(SAMPLE)[run_id].items() if name not in swept}


DENIED = {"sns": "AuthorizationError", "dynamodb": "AccessDeniedException", "s3": "AccessDenied"}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """The example workflow, placed over three regions, where nobody may do what no policy allows."""
    root = tmp_path_factory.mktemp("guarded")
    with LocalCloud.start(root / "cloud", regions=REGIONS, enforce_iam=True) as cloud:
        (root / "project").mkdir()
        project = Deployed.over_three_regions(cloud, root / "project", SAMPLE)
        with pytest.MonkeyPatch.context() as patch:
            for name, value in cloud.variables().items():
                patch.setenv(name, value)
            yield project


@pytest.fixture(scope="module")
def probe(guarded):
    """Makes a call with the role of `second_function`, and returns how it ended."""
    functions = guarded.cloud.client("lambda")
    role = functions.get_function_configuration(FunctionName=f"caribou-dev-{SAMPLE}-second_function")["Role"]
    return calls_as(guarded, role, "probe")


@pytest.fixture(scope="module")
def outsiders(guarded):
    """Make a call as roles that may publish wherever IAM leaves it to roles, by whose they are."""
    workflow, stage = {"caribou:workflow": SAMPLE}, {"caribou:stage": "dev"}
    return {
        "nobody": calls_as(guarded, publisher(guarded, "nobody", {}), "nobody"),
        "another": calls_as(guarded, publisher(guarded, "another", {**stage, "caribou:workflow": "x"}), "another"),
        "staged": calls_as(guarded, publisher(guarded, "staged", {**workflow, "caribou:stage": "prod"}), "staged"),
        "half": calls_as(guarded, publisher(guarded, "half", workflow), "half"),
    }


def publisher(guarded, name, tags):
    """The ARN of a new role that may publish to every topic, as far as its own policy goes."""
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    may = {"Effect": "Allow", "Action": "sns:Publish", "Resource": "*"}
    iam = guarded.cloud.client("iam")
    role = iam.create_role(
        RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
        Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
    )  # fmt: skip
    document = json.dumps({"Version": "2012-10-17", "Statement": [may]})
    iam.put_role_policy(RoleName=name, PolicyName="publish", PolicyDocument=document)
    return role["Role"]["Arn"]


def calls_as(guarded, role, name):
    """`call(service, region, name, **arguments)` with a role: a function of this name that has it."""
    functions, code = guarded.cloud.client("lambda"), io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("app.py", PROBE)
    functions.create_function(
        FunctionName=name, Runtime="python3.13", Handler="app.handler", Timeout=30, Role=role,
        Code={"ZipFile": code.getvalue()},
    )  # fmt: skip

    def call(service, region, called, **arguments):
        event = {"service": service, "region": region, "call": called, "arguments": arguments}
        answer = functions.invoke(FunctionName=name, Payload=json.dumps(event).encode())
        return json.loads(answer["Payload"].read())

    return call


def names_of_runs(share, count, *, moves):
    """Names for runs that stay at home, or for runs that move."""
    names = (f"guarded-{i}" for i in range(1000))
    return list(itertools.islice((name for name in names if (share_of(name) >= share) == moves), count))


def regions_of(guarded, run_id):
    """Where a run ran that must succeed, once each of the workflow's functions has left its record."""
    guarded.start(SAMPLE, {"limit": 1000}, run_id)
    assert guarded.ended(SAMPLE, run_id) == "SUCCEEDED"
    functions = {function.name for function in guarded.workflow(SAMPLE).graph.functions}

    def look():
        records = [record for record in guarded.records(SAMPLE) if record["run_id"] == run_id]
        return records if {record["function"] for record in records} == functions else None

    return {record["region"] for record in eventually(look, "the records of all functions")}


@pytest.mark.parametrize("moves", [False, True])
def test_run_when_iam_is_enforced_then_it_succeeds_at_home_and_where_it_is_placed(guarded, moves):
    """Roles allow what the runtime does: topics, tables and records of three regions.

    A busy machine may send a node home, but hardly so in each of three runs.
    """
    names = names_of_runs(guarded.workflow(SAMPLE).manifest.runs.home_share, 3, moves=moves)
    wanted = set(REGIONS) if moves else {HOME}
    assert any(regions_of(guarded, name) == wanted for name in names)


def test_sweeper_when_iam_is_enforced_then_it_may_do_what_it_does(guarded):
    """What failed is received, looked up and parked, an event is sent; and sent again by order, with its own role."""
    guarded.start(SAMPLE, {"limit": -1}, "guarded-fails")

    assert guarded.ended(SAMPLE, "guarded-fails") == "FAILED"
    item = guarded.ports(SAMPLE).runs.get("guarded-fails")
    assert item.failed_node.startswith("initial_function")
    assert "ValueError" in item.error
    eventually(lambda: _swept(guarded, "guarded-fails").is_notified, "its event to be sent")
    (sent,) = eventually(lambda: guarded.redrive(SAMPLE, "guarded-fails").sent, "the message to be parked")
    assert sent.node == START_NODE


def _swept(guarded, run_id):
    """A run's item after one more sweep."""
    guarded.sweep(SAMPLE)
    return guarded.ports(SAMPLE).runs.get(run_id)


def test_role_when_the_topic_is_a_successors_then_it_may_publish(guarded, probe):
    """`second_function` publishes to `sync_function`, in each region that is allowed."""
    for region in (HOME, NORTH):
        topic = guarded.topic(SAMPLE, "sync_function", region)
        assert probe("sns", region, "publish", TopicArn=topic, Message="{}") == "allowed"


def test_role_when_the_topic_is_no_successors_then_it_may_not_publish(guarded, probe):
    """`second_function` never publishes to the entry."""
    topic = guarded.topic(SAMPLE, "initial_function")

    assert probe("sns", HOME, "publish", TopicArn=topic, Message="{}") == DENIED["sns"]


@pytest.mark.parametrize("who", ["nobody", "another", "staged", "half"])
def test_publisher_when_he_may_publish_to_all_topics_then_he_may_not_to_internal_ones(guarded, outsiders, who):
    """Whatever his own policy says: another workflow's role, another stage's, one without the tags; any region."""
    internal = [("initial_function", HOME), ("sync_function", HOME), ("sync_function", NORTH)]
    for function, region in internal:
        topic = guarded.topic(SAMPLE, function, region)
        assert outsiders[who]("sns", region, "publish", TopicArn=topic, Message="{}") == DENIED["sns"]
        entries = [{"Id": "1", "Message": "{}"}]
        said = outsiders[who]("sns", region, "publish_batch", TopicArn=topic, PublishBatchRequestEntries=entries)
        assert said == DENIED["sns"]


def test_operator_when_he_is_the_account_s_root_then_he_may_not_publish_to_internal_topics_either(guarded):
    """Nobody is exempt but the workflow's roles."""
    with pytest.raises(ClientError, match="AuthorizationError"):
        guarded.cloud.client("sns").publish(TopicArn=guarded.topic(SAMPLE, "initial_function"), Message="{}")


@pytest.mark.parametrize("make", [envelope_in_a_run, start_of_a_run], ids=["envelope", "start"])
def test_publisher_when_he_sends_what_looks_like_ours_then_it_is_the_payload_of_a_new_run(guarded, outsiders, make):
    """The run that it names keeps its state and its payload; the new one is named by the message, and by nobody."""
    victim, before = f"guarded-victim-{make.__name__}", set(guarded.states(SAMPLE))
    guarded.start(SAMPLE, {"limit": 1000}, victim)
    assert guarded.ended(SAMPLE, victim) == "SUCCEEDED"
    item = item_of(guarded, victim)
    text, topic = make(guarded, victim).to_text(), guarded.start_topic(SAMPLE)

    assert outsiders["nobody"]("sns", HOME, "publish", TopicArn=topic, Message=text) == "allowed"

    def begun():
        return set(guarded.states(SAMPLE)) - before - {victim}

    (name,) = eventually(begun, "a run of the publisher's message")
    assert guarded.ended(SAMPLE, name) is not None
    assert item_of(guarded, victim) == item
    (record, *_) = eventually(lambda: [r for r in guarded.records(SAMPLE) if r["run_id"] == name], "its first record")
    assert record["bytes_in"] == len(payloads.encode(json.loads(text)).encode())


def test_publisher_when_he_names_a_run_that_is_there_then_nothing_of_it_changes(guarded, outsiders):
    """A name is the first start's that has it."""
    guarded.start(SAMPLE, {"limit": -1}, "guarded-taken")
    assert guarded.ended(SAMPLE, "guarded-taken") == "FAILED"
    item = item_of(guarded, "guarded-taken")
    said, topic = {"DataType": "String", "StringValue": "guarded-taken"}, guarded.start_topic(SAMPLE)
    call = outsiders["nobody"]
    for _ in range(2):
        arguments = {"TopicArn": topic, "Message": '{"limit": 1}', "MessageAttributes": {RUN_ID_ATTRIBUTE: said}}
        assert call("sns", HOME, "publish", **arguments) == "allowed"
    guarded.start(SAMPLE, {"limit": 1}, "guarded-later")

    assert guarded.ended(SAMPLE, "guarded-later") == "SUCCEEDED"
    assert item_of(guarded, "guarded-taken") == item


def test_role_when_the_table_is_its_own_then_it_may_read_it_and_no_other_workflows(guarded, probe):
    """Sync state and runs of another workflow are out of reach."""
    other = WorkflowNames("other")
    for table in (other.sync_table, other.run_table):
        guarded.cloud.client("dynamodb").create_table(
            TableName=table, KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}], BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        )  # fmt: skip
        for call in ("get_item", "delete_item"):
            said = probe("dynamodb", HOME, call, TableName=table, Key={"id": {"S": "x"}})
            assert said == DENIED["dynamodb"]
    own = {"id": {"S": "x"}, "part": {"S": "y"}}
    table = WorkflowNames(SAMPLE).sync_table
    assert probe("dynamodb", HOME, "get_item", TableName=table, Key=own) == "allowed"
    assert probe("dynamodb", HOME, "delete_item", TableName=table, Key=own) == DENIED["dynamodb"]


def test_role_when_runs_or_locks_are_not_its_to_begin_then_it_may_only_change_runs(probe):
    """The entry begins and reads runs, the sweeper lists them, operators take the lock."""
    table, key = WorkflowNames(SAMPLE).run_table, {"run_id": {"S": "guarded-x"}}
    lock, control = ControlNames().lock_table, "us-west-2"
    said = [
        probe("dynamodb", HOME, "get_item", TableName=table, Key=key),
        probe("dynamodb", HOME, "put_item", TableName=table, Item=key),
        probe("dynamodb", HOME, "delete_item", TableName=table, Key=key),
        probe("dynamodb", HOME, "scan", TableName=table),
        probe("dynamodb", control, "put_item", TableName=lock, Item={"workflow": {"S": SAMPLE}}),
    ]
    assert said == [DENIED["dynamodb"]] * len(said)
    change = {"UpdateExpression": "SET failed_node = :n", "ExpressionAttributeValues": {":n": {"S": "n"}}}
    never = {"ConditionExpression": "attribute_exists(run_id)"}
    changed = probe("dynamodb", HOME, "update_item", TableName=table, Key=key, **change, **never)
    assert changed == "ConditionalCheckFailedException"


def test_role_when_the_region_is_outside_the_manifest_then_it_may_do_nothing_there(guarded, probe):
    """A topic, a table and a bucket of the right names, in a region that the manifest does not allow."""
    names, account = WorkflowNames(SAMPLE), guarded.cloud.account
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
