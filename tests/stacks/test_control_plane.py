"""The control plane's stack: which source each collector of facts takes, when it runs, what it may read and write."""

import json
import logging
import re

import pytest
from builders import ROOT

from caribou.collectors.bodies import KINDS
from caribou.collectors.sources.registry import SOURCES, Row
from caribou.collectors.sources.snapshot import CarbonSnapshot
from caribou.model.errors import InvalidInputError
from caribou.model.log_reader import LogReading
from caribou.model.project.collect_at import SHORTEST
from caribou.model.regions import KNOWN_REGIONS

CONTROL = "CaribouControlPlane"
SECRET = "s3cret-k3y-of-a-test"
WRITES_ITS_LOG = {"logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogGroups"}
"""What a collector may besides, of its own log; and find those of workflows."""


@pytest.fixture
def sources(synthesised):
    """Given a context, the source that each collector's variable names, by the function's name."""

    def read(**context):
        assembly = synthesised(**context)
        functions = assembly.properties(CONTROL, "AWS::Lambda::Function")
        return {f["FunctionName"]: f["Environment"]["Variables"].get("CARIBOU_SOURCE") for f in functions}

    return read


def test_collectors_when_no_source_is_chosen_then_facts_come_from_the_snapshots(sources):
    """The collector of run records has no choice."""
    assert sources() == {
        "caribou-dev-collector-carbon": "snapshot",
        "caribou-dev-collector-provider": "snapshot",
        "caribou-dev-collector-performance": "snapshot",
        "caribou-dev-collector-workflow": None,
    }


def test_collectors_when_a_source_is_chosen_then_that_kinds_collector_takes_it(sources, monkeypatch):
    """`caribou:carbon_source` of cdk.json reaches the function as its variable."""
    monkeypatch.setitem(SOURCES.carbon, "other", SOURCES.carbon["snapshot"])
    chosen = sources(**{"caribou:carbon_source": "other"})
    assert chosen["caribou-dev-collector-carbon"] == "other"
    assert chosen["caribou-dev-collector-provider"] == "snapshot"


def test_collector_of_carbon_when_marginal_intensity_is_chosen_then_it_hears_of_it_and_may_read_its_key(synthesised):
    """Where the key rests, never the key; other collectors hear nothing of it."""
    context = {
        "caribou:marginal_source": "watttime",
        "caribou:source_keys": '{"watttime": "ssm:/caribou/watttime"}',
    }
    assembly = synthesised(**context)
    functions = assembly.properties(CONTROL, "AWS::Lambda::Function")
    variables = {f["FunctionName"]: f["Environment"]["Variables"] for f in functions}
    carbon = variables.pop("caribou-dev-collector-carbon")
    assert carbon["CARIBOU_MARGINAL_SOURCE"] == "watttime"
    assert carbon["CARIBOU_SOURCE_SETTINGS"] == '{"watttime":{"key":"ssm:/caribou/watttime"}}'
    assert not [name for name, given in variables.items() if "MARGINAL" in str(given)]
    policies = assembly.resources(CONTROL, "AWS::IAM::Policy")
    (policy,) = (p["Properties"] for key, p in policies.items() if key.startswith("CarbonCollector"))
    (statement,) = (s for s in policy["PolicyDocument"]["Statement"] if "ssm" in str(s["Action"]))
    assert statement["Action"] == "ssm:GetParameter"
    assert "parameter/caribou/watttime" in str(statement["Resource"])


def test_control_plane_when_a_key_is_on_somebodys_machine_then_it_is_not_deployed(synthesised):
    """A collector could not read it."""
    (error,) = synthesised(**{"caribou:marginal_source": "watttime"}).messages(CONTROL, "error")
    assert re.search(r"key of the source watttime.*CARIBOU_WATTTIME_KEY.*Parameter Store", error)


def test_collector_when_a_key_is_named_by_its_secrets_arn_then_its_role_may_read_that_one(synthesised):
    """The whole ARN, of whatever region and partition; the field of it is none of IAM's matter."""
    arn = "arn:aws-us-gov:secretsmanager:us-gov-west-1:111122223333:secret:grids/watttime-AbC123"
    said = {
        "caribou:marginal_source": "watttime",
        "caribou:source_keys": f'{{"watttime": "secretsmanager:{arn}#pair"}}',
    }
    policies = synthesised(**said).resources(CONTROL, "AWS::IAM::Policy")
    statements = [s for p in policies.values() for s in p["Properties"]["PolicyDocument"]["Statement"]]
    assert [s["Resource"] for s in statements if s["Action"] == "secretsmanager:GetSecretValue"] == [arn]


@pytest.mark.parametrize("kind", KINDS)
def test_collector_of_facts_when_synthesised_then_its_role_writes_facts_of_its_kind_alone(synthesised, kind):
    """The kind is the partition key; a collector that is taken over spoils nothing but its own facts."""
    policies = synthesised().resources(CONTROL, "AWS::IAM::Policy")
    (policy,) = (p["Properties"] for key, p in policies.items() if key.startswith(f"{kind.capitalize()}Collector"))
    (statement,) = (s for s in policy["PolicyDocument"]["Statement"] if "dynamodb" in str(s["Action"]))
    assert statement["Action"] == ["dynamodb:PutItem", "dynamodb:Query"]
    assert statement["Condition"] == {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [kind]}}


@pytest.fixture
def schedules(synthesised):
    """Given a context, collector to its schedule's properties."""

    def read(**context):
        found = synthesised(**context).properties(CONTROL, "AWS::Scheduler::Schedule")
        return {each["Description"].rpartition("-")[2]: each for each in found}

    return read


def test_collectors_when_the_project_says_when_then_they_run_then_in_utc(schedules):
    """The others as ever; that it is UTC stands in the template."""
    said = schedules(caribou__collect_at='{"carbon": "cron(10 * * * ? *)", "provider": "rate(7 days)"}')
    assert {name: each["ScheduleExpression"] for name, each in said.items()} == {
        "carbon": "cron(10 * * * ? *)",
        "provider": "rate(7 days)",
        "performance": "rate(1 day)",
        "workflow": "rate(1 hour)",
    }
    assert {each["ScheduleExpressionTimezone"] for each in said.values()} == {"Etc/UTC"}


def test_collectors_when_they_are_made_then_each_knows_how_often_all_of_them_come(synthesised):
    """Log collection says by it what is old, the others for how long a source will have given nothing."""
    context = {"caribou__collect_at": '{"carbon": "cron(10 * * * ? *)", "provider": "rate(7 days)"}'}
    functions = synthesised(**context).properties(CONTROL, "AWS::Lambda::Function")
    known = [json.loads(each["Environment"]["Variables"]["CARIBOU_EVERY_H"]) for each in functions]
    assert known == [{"carbon": 1.0, "provider": 168.0, "performance": 24.0, "workflow": 1.0}] * 4
    assert {each["Timeout"] for each in functions} == {SHORTEST.total_seconds()}


def test_collectors_when_a_live_source_of_carbon_is_chosen_then_it_comes_each_three_hours(schedules, monkeypatch):
    """Else each day; what the project says goes before both."""
    assert schedules()["carbon"]["ScheduleExpression"] == "rate(1 day)"
    monkeypatch.setitem(SOURCES.carbon, "live", Row(lambda *_: CarbonSnapshot(), url="https://example.org"))
    chosen = {"caribou__carbon_source": "live, snapshot"}
    assert schedules(**chosen)["carbon"]["ScheduleExpression"] == "rate(3 hours)"
    said = {**chosen, "caribou__collect_at": '{"carbon": "rate(6 hours)"}'}
    assert schedules(**said)["carbon"]["ScheduleExpression"] == "rate(6 hours)"


@pytest.fixture
def keyed(monkeypatch):
    """Two live sources that take keys, one of which is in this process's environment too."""
    for name in ("first", "second"):
        row = Row(lambda *_: CarbonSnapshot(), url="https://example.org", takes_key=True)
        monkeypatch.setitem(SOURCES.carbon, name, row)
    monkeypatch.setenv("CARIBOU_FIRST_KEY", SECRET)
    return {
        "caribou__carbon_source": "first, second, snapshot",
        "caribou__source_keys": '{"first": "ssm:/caribou/first", "second": "secretsmanager:grid#key"}',
    }


def test_key_when_the_environment_of_synth_has_it_then_nothing_that_synth_makes_or_says_does(
    keyed, synthesised, caplog, capfd
):
    """Every file of the assembly, what is said and logged; only where keys rest is in the collector's variables."""
    caplog.set_level(logging.DEBUG)
    assembly = synthesised(**keyed)
    files = [path for path in assembly.folder.rglob("*") if path.is_file()]
    assert len(files) > 10
    assert [path for path in files if SECRET.encode() in path.read_bytes()] == []
    assert SECRET not in caplog.text + "".join(capfd.readouterr())
    (carbon,) = (
        each["Environment"]["Variables"]
        for each in assembly.properties(CONTROL, "AWS::Lambda::Function")
        if each["FunctionName"].endswith("-carbon")
    )
    assert json.loads(carbon["CARIBOU_SOURCE_SETTINGS"]) == {
        "first": {"key": "ssm:/caribou/first"},
        "second": {"key": "secretsmanager:grid#key"},
    }


def test_collector_when_its_sources_take_keys_then_its_role_may_read_these_and_no_others(keyed, synthesised):
    """One action each, on one parameter and one secret, for the collector of that kind; nothing of KMS."""
    policies = synthesised(**keyed).resources(CONTROL, "AWS::IAM::Policy")
    reading = {
        name: [
            (statement["Action"], json.dumps(statement["Resource"]))
            for statement in policy["Properties"]["PolicyDocument"]["Statement"]
            if str(statement["Action"]).startswith(("ssm:", "secretsmanager:", "kms:"))
        ]
        for key, policy in policies.items()
        if (name := key.partition("Collector")[0]) in ("Carbon", "Provider", "Performance")
    }
    assert reading.pop("Provider") == reading.pop("Performance") == []
    (parameter, secret) = sorted(reading.pop("Carbon"), reverse=True)
    assert parameter[0] == "ssm:GetParameter"
    assert ":parameter/caribou/first" in parameter[1]
    assert secret[0] == "secretsmanager:GetSecretValue"
    assert ":secret:grid-??????" in secret[1]
    assert "*" not in parameter[1] + secret[1]


def test_control_plane_when_zones_are_more_than_a_functions_variables_hold_then_synth_refuses_them(
    synthesised, tmp_path
):
    """CloudFormation would say it in the middle of a deploy; a source that is not chosen costs nothing."""
    zones = dict.fromkeys(KNOWN_REGIONS, "zone of a long name, " * 8)
    (tmp_path / "zones.json").write_text(json.dumps({"neso": zones}))
    said = {"caribou:source_zones": str(tmp_path / "zones.json")}
    synthesised(**said)
    with pytest.raises(InvalidInputError, match=r"take 6,\d\d\d bytes with them.*4,096.*caribou:source_zones"):
        synthesised(**said, **{"caribou:carbon_source": "neso, snapshot"})


@pytest.mark.parametrize("place", [None, "file:key.txt"])
def test_control_plane_when_a_key_is_where_no_collector_can_read_it_then_it_alone_is_not_deployed(
    keyed, synthesised, place
):
    """A key of this environment is on this machine; the message says where to put it, and not what it is."""
    keyed["caribou__source_keys"] = json.dumps({"second": "ssm:/b", **({"first": place} if place else {})})
    assembly = synthesised(**keyed)
    (error,) = assembly.messages(CONTROL, "error")
    assert "not where a deployed collector can read it" in error
    assert SECRET not in error
    assert "ssm:NAME" in error
    assert not [stack for stack in assembly.stacks if stack != CONTROL and assembly.messages(stack, "error")]


@pytest.mark.parametrize("reading", LogReading)
def test_collector_of_records_when_a_log_reader_is_chosen_then_its_role_has_what_that_one_needs_alone(
    synthesised, reading
):
    """Its row of docs/permissions.md, and nothing of the others; the function has its name, and memory for it."""
    assembly = synthesised(caribou__log_reader=reading.value)
    policies = assembly.resources(CONTROL, "AWS::IAM::Policy")
    (policy,) = (p["Properties"] for key, p in policies.items() if key.startswith("WorkflowCollector"))
    statements = policy["PolicyDocument"]["Statement"]
    actions = {a for s in statements for a in ([s["Action"]] if isinstance(s["Action"], str) else s["Action"])}
    page = (ROOT / "docs" / "permissions.md").read_text()
    rows = {
        name: set(re.findall(r"`(\w+:\w+)`", row))
        for name, row in re.findall(r"^\| `(\w+)` \|(.*)\|$", page, re.MULTILINE)
    }
    others = {"dynamodb", "kms", "ssm", "xray"}
    assert {a for a in actions if a.split(":")[0] not in others} - WRITES_ITS_LOG == rows[reading]
    assert ("kms:Decrypt" in actions) == (reading is not LogReading.ATHENA)
    functions = assembly.properties(CONTROL, "AWS::Lambda::Function")
    memory_mb = {f["FunctionName"].rpartition("-")[2]: f["MemorySize"] for f in functions}
    assert memory_mb == {**dict.fromkeys(KINDS, 512), "workflow": 1024 if reading is LogReading.INSIGHTS else 512}
    named = {f["FunctionName"]: f["Environment"]["Variables"].get("CARIBOU_LOG_READER") for f in functions}
    assert {name: value for name, value in named.items() if value} == {"caribou-dev-collector-workflow": reading}
