"""The control plane's roles under IAM as it is enforced: each collector can do what it does, and nothing else."""

import io
import json
import time
import zipfile

import pytest
from builders import ROOT, record_of
from deployed import SAMPLE
from local_project import Project

from caribou.collectors.bodies import KINDS
from caribou.local import LocalCloud
from caribou.model.names import WorkflowNames
from caribou.model.project.workflow import read_workflow
from caribou.model.regions import KNOWN_REGIONS
from caribou.model.registration import ControlNames, Registration
from caribou.runtime.record_log import record_line

pytestmark = [pytest.mark.local_cloud, pytest.mark.slow]

REGION = "us-west-2"  # the control region, and in these tests the workflow's only one
NAMES, OF_SAMPLE = ControlNames(), WorkflowNames(SAMPLE)
COLLECTORS = (*KINDS, "workflow")
SECRET = "s3cret-k3y"
PROBE = """
import boto3
from botocore.exceptions import ClientError
def handler(calls, context):
    said = []
    for service, call, arguments in calls:
        try:
            getattr(boto3.client(service), call)(**arguments)
        except ClientError as error:
            said.append(error.response["Error"]["Code"])
        else:
            said.append("allowed")
    return said
"""
CONTEXT = {
    "caribou:carbon_source": "electricity_maps, snapshot",
    "caribou:marginal_source": "watttime",
    "caribou:source_urls": dict.fromkeys(("electricity_maps", "watttime"), "http://127.0.0.1:9"),
    "caribou:source_keys": {"electricity_maps": "ssm:/caribou/maps", "watttime": "secretsmanager:grid#key"},
}
"""Two live sources with keys in either store, at an address where nobody listens."""
OF_SSM = ("ssm", "get_parameter", {"Name": "/caribou/maps", "WithDecryption": True})
OF_SECRETS_MANAGER = ("secretsmanager", "get_secret_value", {"SecretId": "grid"})
KEYS = [OF_SSM, OF_SECRETS_MANAGER]
DENIED = {"AccessDenied", "AccessDeniedException", "AuthorizationError"}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    """The control plane where nobody may do what no policy allows, with what there is to reach."""
    root = tmp_path_factory.mktemp("control")
    with LocalCloud.start(root / "cloud", regions=(REGION,), enforce_iam=True) as cloud:
        (root / "project").mkdir()
        project = Project.in_folder(root / "project", cloud)
        (project.root / "cdk.json").write_text(json.dumps({"app": "python app.py", "context": CONTEXT}))
        project.deploy("CaribouControlPlane")
        _make_what_there_is_to_reach(cloud)
        yield cloud


def _make_what_there_is_to_reach(cloud):
    """A workflow's registration, log, run table and topic, and a parameter of somebody else's."""
    workflow = read_workflow(ROOT / "workflows" / SAMPLE)
    registration = json.dumps(Registration.of(workflow.graph, workflow.manifest).to_json())
    for name, value in ((OF_SAMPLE.registration, registration), ("/another/secret", "x")):
        cloud.client("ssm", REGION).put_parameter(Name=name, Value=value, Type="String")
    cloud.client("ssm", REGION).put_parameter(Name="/caribou/maps", Value=SECRET, Type="SecureString")
    secret = json.dumps({"key": f"user:{SECRET}"})
    for name in ("grid", "another"):
        cloud.client("secretsmanager", REGION).create_secret(Name=name, SecretString=secret)
    cloud.client("dynamodb", REGION).create_table(
        TableName=OF_SAMPLE.run_table, BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "run_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "run_id", "AttributeType": "S"}],
    )  # fmt: skip
    cloud.client("sns", REGION).create_topic(Name=OF_SAMPLE.topic("initial_function"))
    for group in (OF_SAMPLE.log_group("initial_function"), "/aws/lambda/another"):
        cloud.client("logs", REGION).create_log_group(logGroupName=group)
        cloud.client("logs", REGION).create_log_stream(logGroupName=group, logStreamName="s")
    cloud.client("s3", REGION).put_object(Bucket=_bucket(cloud), Key=f"{SAMPLE}/solved.json", Body=b"{}")


def _bucket(cloud):
    return NAMES.placement_bucket(cloud.account, REGION)


@pytest.fixture(scope="module")
def probe(cloud):
    """Makes calls with a collector's role, and returns how each ended."""
    functions, code = cloud.client("lambda", REGION), io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("app.py", PROBE)
    for collector in COLLECTORS:
        role = functions.get_function_configuration(FunctionName=NAMES.collector(collector))["Role"]
        functions.create_function(
            FunctionName=f"probe-{collector}", Runtime="python3.13", Handler="app.handler", Timeout=60, Role=role,
            Code={"ZipFile": code.getvalue()},
        )  # fmt: skip

    def call(collector, calls):
        answer = functions.invoke(FunctionName=f"probe-{collector}", Payload=json.dumps(calls).encode())
        return json.loads(answer["Payload"].read())

    return call


def collected(cloud, collector):
    """What a collector answers."""
    answer = cloud.client("lambda", REGION).invoke(FunctionName=NAMES.collector(collector), Payload=b"{}")
    said = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, said
    return said


def items(cloud, table):
    """Every item of a table."""
    pages = cloud.client("dynamodb", REGION).get_paginator("scan").paginate(TableName=table)
    return [item for page in pages for item in page["Items"]]


@pytest.mark.parametrize("kind", KINDS)
def test_collector_of_facts_when_iam_is_enforced_then_it_writes_its_facts(cloud, kind):
    """One item a region, of its own kind."""
    said = collected(cloud, kind)

    written = [item for item in items(cloud, NAMES.fact_table) if item["kind"]["S"] == kind]
    assert said["facts"] == len(written) > 0


def test_collector_of_records_when_iam_is_enforced_then_it_reads_registrations_and_logs_and_writes_records(cloud):
    """A record in a workflow's log is in the record table afterwards, with the cursor of its log."""
    now_s = time.time()
    record = record_of(
        "initial_function:0", workflow=SAMPLE, function="initial_function", region=REGION, started_at=now_s - 60
    )
    cloud.client("logs", REGION).put_log_events(
        logGroupName=OF_SAMPLE.log_group("initial_function"), logStreamName="s",
        logEvents=[{"timestamp": int((now_s - 30) * 1000), "message": record_line(record).decode()}],
    )  # fmt: skip

    said = collected(cloud, "workflow")

    assert (said["failures"], said["workflows"][0]["records"]) == ([], 1), said
    written = items(cloud, NAMES.record_table)
    assert len(written) == 2
    assert {item["workflow"]["S"] for item in written} == {SAMPLE}


def beyond_every_collector(cloud):
    """What no collector may do: to placements, registrations, runs, messages, functions, tables, stacks."""
    run, topic = {"run_id": {"S": "r"}}, OF_SAMPLE.topic("initial_function")
    stored = {"Bucket": _bucket(cloud), "Key": f"{SAMPLE}/solved.json"}
    return [
        ("s3", "get_object", stored),
        ("s3", "put_object", {**stored, "Body": "{}"}),
        ("s3", "delete_object", stored),
        ("s3", "list_objects_v2", {"Bucket": _bucket(cloud)}),
        ("ssm", "put_parameter", {"Name": OF_SAMPLE.registration, "Value": "{}", "Type": "String", "Overwrite": True}),
        ("ssm", "delete_parameter", {"Name": OF_SAMPLE.registration}),
        ("ssm", "get_parameter", {"Name": "/another/secret"}),
        ("ssm", "get_parameters_by_path", {"Path": "/", "Recursive": True}),
        ("secretsmanager", "get_secret_value", {"SecretId": "another"}),
        ("secretsmanager", "list_secrets", {}),
        ("dynamodb", "get_item", {"TableName": OF_SAMPLE.run_table, "Key": run}),
        ("dynamodb", "scan", {"TableName": OF_SAMPLE.run_table}),
        ("dynamodb", "put_item", {"TableName": OF_SAMPLE.run_table, "Item": run}),
        ("dynamodb", "delete_table", {"TableName": NAMES.fact_table}),
        ("dynamodb", "delete_table", {"TableName": NAMES.record_table}),
        ("sns", "publish", {"TopicArn": f"arn:aws:sns:{REGION}:{cloud.account}:{topic}", "Message": "{}"}),
        ("lambda", "invoke", {"FunctionName": NAMES.collector("carbon"), "Payload": "{}"}),
        ("lambda", "update_function_configuration", {"FunctionName": NAMES.collector("carbon"), "Timeout": 1}),
        ("logs", "delete_log_group", {"logGroupName": OF_SAMPLE.log_group("initial_function")}),
        ("logs", "filter_log_events", {"logGroupName": "/aws/lambda/another"}),
        ("cloudformation", "delete_stack", {"StackName": "CaribouControlPlane"}),
        ("iam", "list_roles", {}),
    ]


FACT = {"kind": {"S": "carbon"}, "region": {"S": REGION}}
RECORD = {"workflow": {"S": SAMPLE}, "id": {"S": "x"}}
OF_FACTS = [
    ("dynamodb", "get_item", {"TableName": NAMES.fact_table, "Key": FACT}),
    ("dynamodb", "delete_item", {"TableName": NAMES.fact_table, "Key": FACT}),
    ("dynamodb", "scan", {"TableName": NAMES.fact_table}),
]
OF_RECORDS = [
    ("dynamodb", "delete_item", {"TableName": NAMES.record_table, "Key": RECORD}),
    ("dynamodb", "update_item", {"TableName": NAMES.record_table, "Key": RECORD}),
    ("dynamodb", "scan", {"TableName": NAMES.record_table}),
]
WRITING_FACTS = ("dynamodb", "put_item", {"TableName": NAMES.fact_table, "Item": FACT})
WRITING_RECORDS = [
    ("dynamodb", "batch_write_item", {"RequestItems": {NAMES.record_table: [{"PutRequest": {"Item": RECORD}}]}}),
    ("dynamodb", "put_item", {"TableName": NAMES.record_table, "Item": RECORD}),
    ("dynamodb", "get_item", {"TableName": NAMES.record_table, "Key": RECORD}),
]
READING = [
    ("ssm", "get_parameters_by_path", {"Path": "/caribou/dev/workflows", "Recursive": True}),
    ("logs", "filter_log_events", {"logGroupName": OF_SAMPLE.log_group("initial_function")}),
    ("logs", "describe_log_groups", {"logGroupNamePrefix": "/aws/lambda/caribou-dev-"}),
]


@pytest.mark.parametrize("collector", COLLECTORS)
def test_collector_when_iam_is_enforced_then_it_may_do_nothing_else(cloud, probe, collector):
    """Nothing of runs, placements, other stores or stacks; those of facts see no logs, that of logs writes no facts."""
    others = [WRITING_FACTS] if collector == "workflow" else [*WRITING_RECORDS, *READING]
    keys = [] if collector == "carbon" else KEYS
    calls = [*beyond_every_collector(cloud), *OF_FACTS, *OF_RECORDS, *others, *keys]

    said = probe(collector, calls)

    assert [call for call, answer in zip(calls, said, strict=True) if answer not in DENIED] == []


def test_probe_when_a_call_is_allowed_then_it_says_so(probe):
    """What the test of denials asks would be answered, if it were allowed."""
    assert probe("workflow", READING) == ["allowed"] * len(READING)
    assert probe("carbon", [WRITING_FACTS]) == ["allowed"]


def test_collector_when_its_sources_take_keys_then_it_reads_these_under_iam_and_asks_with_them(cloud, probe):
    """A SecureString under AWS's own key, which needs no right of KMS, and a secret; but nobody listens."""
    assert probe("carbon", KEYS) == ["allowed"] * 2
    said = collected(cloud, "carbon")
    assert said["facts"] == len(KNOWN_REGIONS)
    for source in ("Electricity Maps", "WattTime"):
        assert any(source in text and "can't be reached" in text for text in said["fallbacks"]), said["fallbacks"]
    assert not any("can't be read" in text for text in said["fallbacks"]), said["fallbacks"]
    assert SECRET not in json.dumps(said)
