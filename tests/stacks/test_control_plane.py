"""The control plane's stack: which source each collector of facts takes, and what it may write."""

import pytest

from caribou.collectors.bodies import KINDS
from caribou.collectors.sources.registry import SOURCES
from caribou.model.errors import InvalidInputError

CONTROL = "CaribouControlPlane"


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


def test_control_plane_when_a_key_is_on_somebodys_machine_then_synth_refuses_it(synthesised):
    """A collector could not read it."""
    with pytest.raises(InvalidInputError, match=r"key of the source watttime.*CARIBOU_WATTTIME_KEY.*Parameter Store"):
        synthesised(**{"caribou:marginal_source": "watttime"})


@pytest.mark.parametrize("kind", KINDS)
def test_collector_of_facts_when_synthesised_then_its_role_writes_facts_of_its_kind_alone(synthesised, kind):
    """The kind is the partition key; a collector that is taken over spoils nothing but its own facts."""
    policies = synthesised().resources(CONTROL, "AWS::IAM::Policy")
    (policy,) = (p["Properties"] for key, p in policies.items() if key.startswith(f"{kind.capitalize()}Collector"))
    (statement,) = (s for s in policy["PolicyDocument"]["Statement"] if "dynamodb" in str(s["Action"]))
    assert statement["Action"] == "dynamodb:PutItem"
    assert statement["Condition"] == {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [kind]}}
