"""The manifest's file: what is read, what the defaults are, and what is refused, where and with which remedy."""

import copy
import json
import textwrap
from dataclasses import asdict
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from caribou.model.errors import InvalidManifestError
from caribou.model.graph import Function, Graph, Node
from caribou.model.manifest import ExternalData, Limit, Manifest, RegionRules
from caribou.model.metric import Metric
from caribou.model.names import checked_stage
from caribou.model.regions import KNOWN_REGIONS
from caribou.model.schema.environment import LONGEST_STAGE
from caribou.model.schema.manifest import (
    DEFAULT_MEMORY_MB,
    DEFAULT_TIMEOUT_S,
    manifest_json_schema,
    parse_manifest,
    read_manifest,
)

ROOT = Path(__file__).parents[3]
FILE = "config.yml"
MINIMAL = {
    "workflow_name": "shop",
    "workflow_version": "0.0.1",
    "home_region": {"provider": "aws", "region": "us-east-1"},
}
REFERENCE = """
workflow_name: "shop"
workflow_version: "0.0.1"
environment_variables:
  - key: "BUCKET"
    value: "pictures"
iam_policy_file: "iam_policy.json"
home_region:
  provider: "aws"
  region: "us-east-1"
estimated_invocations_per_month: 1000000
constraints:
  hard_resource_constraints: # null for none
    cost:
      type: "absolute"
      value: 0.5
    runtime:
      type: "relative"
      value: 110
    carbon: null
  soft_resource_constraints:
    cost: null
    runtime: null
    carbon: null
  priority_order:
    - cost
    - carbon
    - runtime
regions_and_providers:
  allowed_regions:
    - provider: "aws"
      region: "us-east-1"
    - provider: "aws"
      region: "ca-central-1"
  disallowed_regions:
  providers:
    aws:
      config:
        timeout: 300
        memory: 2048
"""


def graph_with(**function: object) -> Graph:
    """A graph of one function, `start` in app.py, with these fields."""
    only = Function("start", "app", "start", entry_point=True, **function)
    return Graph("shop", "0.0.1", (only,), (Node("start:entry_point:0", "start"),), ())


def parsed(change: dict | None = None, **function: object) -> Manifest:
    """The minimal manifest with the changed top-level keys."""
    return parse_manifest({**MINIMAL, **(change or {})}, FILE, graph_with(**function))


def message_of(change: dict | None = None, **function: object) -> str:
    """The message with which the manifest is refused."""
    with pytest.raises(InvalidManifestError) as caught:
        parsed(change, **function)
    return str(caught.value)


def aws(*regions: str) -> list[dict[str, str]]:
    """Regions as the file lists them."""
    return [{"provider": "aws", "region": region} for region in regions]


def folder_with(tmp_path: Path, text: str) -> Path:
    """A workflow's folder with that manifest."""
    (tmp_path / ".caribou").mkdir()
    (tmp_path / ".caribou" / "config.yml").write_text(textwrap.dedent(text))
    return tmp_path


def test_manifest_when_it_asks_for_a_robust_placement_then_carbon_has_to_come_first():
    """The corners are of carbon; as listed, it is first."""
    asking = {**MINIMAL, "caribou": {"robust": True}}
    assert parse_manifest(asking, FILE, graph_with()).robust
    with pytest.raises(InvalidManifestError, match=r"cost comes first.*To fix: put carbon first, or take robust out"):
        parse_manifest({**asking, "constraints": {"priority_order": ["cost", "carbon"]}}, FILE, graph_with())


DATABASE = {"service": "rds", "region": "us-west-2", "functions": ["start"], "calls": 3, "mb_out": 0.5, "mb_in": 2}


def near_to(what, *allowed):
    """A change of the manifest: a database, and functions near something."""
    regions = {"keep_near": what, **({"allowed_regions": aws(*allowed)} if allowed else {})}
    return {"caribou": {"external_data": {"orders": DATABASE}}, "regions_and_providers": regions}


def test_external_data_when_it_is_declared_then_it_is_read_with_what_is_known_of_its_size():
    """A call, and no sizes, unless it says more."""
    known = parsed({"caribou": {"external_data": {"orders": DATABASE}}}).external_data["orders"]
    assert known == ExternalData("rds", "us-west-2", ("start",), 3, 0.5, 2.0)
    least = {"service": "s3", "region": "us-west-2", "functions": ["start"]}
    [unknown] = parsed({"caribou": {"external_data": {"photos": least}}}).external_data.values()
    assert (unknown.calls, unknown.mb_out, unknown.mb_in, unknown.has_sizes) == (1, None, None, False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"functions": ["strat"]},
            "external_data.orders.functions[0]: is no function of the workflow (found: strat). To",
        ),
        ({"functions": ["strat"]}, "perhaps start is meant"),
        ({"functions": []}, "external_data.orders.functions"),
        ({"region": "us-east-9"}, "external_data.orders.region"),
        ({"calls": 0}, "external_data.orders.calls"),
        ({"mb_in": -1}, "external_data.orders.mb_in"),
        ({"gb_in": 1}, "external_data.orders.gb_in: is not a known key"),
        ({"calls": 1000, "mb_in": 100_000}, "is more than 1,048,576 MB an execution"),
    ],
)
def test_external_data_when_something_of_it_is_wrong_then_the_message_says_where(change, message):
    """With the value that was found, and what to do."""
    assert message in message_of({"caribou": {"external_data": {"orders": {**DATABASE, **change}}}})


@pytest.mark.parametrize("name", ["us-east-1", "a.b", "", "1st", "x" * 101])
def test_external_data_when_its_name_could_be_another_things_then_it_is_refused(name):
    """A region's, or that of an endpoint that was metered."""
    assert "is no name for an endpoint" in message_of({"caribou": {"external_data": {name: DATABASE}}})


@pytest.mark.parametrize("what", ["orders", "us-west-2"])
def test_function_when_it_is_kept_near_something_then_it_runs_there_or_at_home(what):
    """An endpoint's region, or a region; home is where every function is."""
    manifest = parsed(near_to(what))
    assert manifest.regions_of("start", KNOWN_REGIONS) == ("us-east-1", "us-west-2")
    assert manifest.functions["start"].regions.kept_in == "us-west-2"


def test_function_when_its_decorator_keeps_it_near_something_else_then_that_counts():
    """As with all settings."""
    manifest = parsed(near_to("orders"), regions_and_providers={"keep_near": "us-east-1"})
    assert manifest.regions_of("start", KNOWN_REGIONS) == ("us-east-1",)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            near_to("ordres"),
            "keep_near: is neither an endpoint of caribou.external_data nor a region that Caribou knows",
        ),
        (near_to("ordres"), "perhaps orders is meant"),
        (near_to("orders", "us-east-1", "ca-central-1"), "it is in us-west-2, where the function may not run"),
        (near_to("orders", "us-east-1", "ca-central-1"), "allow us-west-2, or keep it near us-east-1, which is home"),
    ],
)
def test_function_when_it_can_not_be_kept_near_something_then_the_message_says_why(change, message):
    """A typing error, or a region that is not allowed."""
    assert message in message_of(change)


def test_manifest_when_it_is_the_reference_systems_then_it_is_read_as_it_is(tmp_path):
    """The reference system's file, with its nulls and comments, needs no change."""
    folder = folder_with(tmp_path, REFERENCE)
    (folder / ".caribou" / "iam_policy.json").write_text("{}")
    manifest = read_manifest(folder, graph_with())
    assert manifest.home_region == "us-east-1"
    assert manifest.hard == {"cost": Limit("absolute", 0.5), "runtime": Limit("relative", 110)}
    assert manifest.soft == {}
    assert manifest.priority == ("cost", "carbon", "runtime")
    assert manifest.iam_policy_file == "iam_policy.json"
    assert manifest.estimated_invocations_per_month == 1_000_000
    settings = manifest.functions["start"]
    assert (settings.timeout_s, settings.memory_mb) == (300, 2048)
    assert settings.regions == RegionRules(("us-east-1", "ca-central-1"))
    assert settings.environment_variables == {"BUCKET": "pictures"}
    assert manifest.allowed_regions(KNOWN_REGIONS) == ("us-east-1", "ca-central-1")


def test_manifest_when_it_has_docker_commands_then_they_are_taken_for_a_warning():
    """The reference system's images need them; here they are kept, warned of, and not run."""
    config = {"memory": 512, "timeout": 60, "additional_docker_commands": ["yum update -y"]}
    manifest = parsed({"regions_and_providers": {"providers": {"aws": {"config": config}}}})
    assert manifest.functions["start"].docker_commands == ("yum update -y",)
    assert parsed().functions["start"].docker_commands == ()


def test_manifest_when_it_is_minimal_then_everything_else_has_its_default():
    """Name, version and home are enough."""
    manifest = parsed()
    settings = manifest.functions["start"]
    assert (settings.timeout_s, settings.memory_mb) == (DEFAULT_TIMEOUT_S, DEFAULT_MEMORY_MB)
    assert manifest == Manifest("shop", "0.0.1", "us-east-1", {"start": settings})
    assert manifest.regions_of("start", KNOWN_REGIONS) == KNOWN_REGIONS


@pytest.mark.parametrize(
    "change",
    [
        {"constraints": None},
        {"constraints": {"hard_resource_constraints": None, "soft_resource_constraints": {}, "priority_order": []}},
        {"regions_and_providers": None},
        {"regions_and_providers": {"allowed_regions": [], "disallowed_regions": None, "providers": None}},
        {"regions_and_providers": {"providers": {"aws": None}}},
        {"regions_and_providers": {"providers": {"aws": {"config": None}}}},
        {"environment_variables": None, "iam_policy_file": None, "estimated_invocations_per_month": None},
        {"caribou": None},
        {"caribou": {"schema": "caribou.manifest/1"}},
        {"deployment_algorithm": "stochastic_heuristic_deployment_algorithm"},
    ],
)
def test_manifest_when_a_section_is_null_or_empty_then_it_is_as_if_it_were_not_there(change):
    """Nulls and empty sections, which the reference system's files have, change nothing."""
    assert parsed(change) == parsed()


def test_manifest_when_it_has_our_keys_then_they_are_read():
    """The settings under `caribou` are the manifest's fields of the same names."""
    ours = {
        "architecture": "arm64",
        "python_version": "3.12",
        "home_share": 0.25,
        "message_limit_bytes": 1024,
        "run_deadline_s": 60,
        "deduplicate": False,
        "placement_days": 1,
        "log_retention_days": 90,
    }
    manifest = parsed({"caribou": ours})
    read = {**asdict(manifest), **asdict(manifest.runs)}
    assert {key: read[key] for key in ours} == ours


def test_estimate_when_it_has_the_reference_systems_other_name_then_it_is_read():
    """`num_calls_in_one_month` is the estimate, unless `estimated_invocations_per_month` is there too."""
    assert parsed({"num_calls_in_one_month": 5}).estimated_invocations_per_month == 5
    both = {"num_calls_in_one_month": 5, "estimated_invocations_per_month": 7}
    assert parsed(both).estimated_invocations_per_month == 7


def test_override_when_the_decorator_has_one_then_each_of_its_keys_replaces_the_manifests():
    """A function's regions, time and memory go over the manifest's, key by key; its environment is added."""
    change = {
        "environment_variables": [{"key": "SIZE", "value": "1"}, {"key": "MODE", "value": "a"}],
        "regions_and_providers": {
            "allowed_regions": aws("us-east-1", "us-west-2"),
            "disallowed_regions": aws("eu-west-1"),
            "providers": {"aws": {"config": {"timeout": 10, "memory": 512}}},
        },
    }
    override = {
        "allowed_regions": aws("us-east-1", "ca-central-1"),
        "providers": {"aws": {"config": {"memory": 256}}},
    }
    settings = parsed(change, regions_and_providers=override, environment_variables={"MODE": "b"}).functions["start"]
    assert settings.regions == RegionRules(("us-east-1", "ca-central-1"), ("eu-west-1",))
    assert (settings.timeout_s, settings.memory_mb) == (10, 256)
    assert settings.environment_variables == {"SIZE": "1", "MODE": "b"}


def test_override_when_its_list_is_empty_then_the_manifests_regions_stay():
    """An empty list in a decorator never widens what the manifest allows."""
    change = {"regions_and_providers": {"allowed_regions": aws("us-east-1")}}
    settings = parsed(change, regions_and_providers={"allowed_regions": []}).functions["start"]
    assert settings.regions == RegionRules(("us-east-1",))


def nested(path: str, value: object) -> dict:
    """`a.b` and a value as nested mappings."""
    for key in reversed(path.split(".")):
        value = {key: value}
    return value


HARD = "constraints.hard_resource_constraints"
CONFIG = "regions_and_providers.providers.aws.config"


@pytest.mark.parametrize(
    ("path", "value", "place", "text"),
    [
        (
            "workflow_nam",
            "x",
            "workflow_nam",
            "is not a known key (found: workflow_nam). To fix: perhaps workflow_n",
        ),
        (f"{HARD}.foo", 1, f"{HARD}.foo", "is not a known key (found: foo). To fix: use one of carbon, cost, runtime"),
        (f"{HARD}.carbn", 1, f"{HARD}.carbn", "perhaps carbon is meant"),
        ("caribou.home_shar", 1, "caribou.home_shar", "perhaps home_share is meant"),
        ("caribou.schem", "x", "caribou.schem", "perhaps schema is meant"),
        ("caribou.schema", "caribou.manifest/2", "caribou.schema", "write 'caribou.manifest/1'"),
        ("regions_and_providers.providers.gcp", {}, "regions_and_providers.providers.gcp", "use one of aws"),
        (f"{CONFIG}.timout", 3, f"{CONFIG}.timout", "perhaps timeout is meant"),
        (f"{CONFIG}.timeout", 0, f"{CONFIG}.timeout", "greater than or equal to 1 (found: 0)"),
        (f"{CONFIG}.timeout", 901, f"{CONFIG}.timeout", "less than or equal to 900 (found: 901)"),
        (f"{CONFIG}.memory", 127, f"{CONFIG}.memory", "greater than or equal to 128 (found: 127)"),
        (f"{CONFIG}.memory", 10241, f"{CONFIG}.memory", "less than or equal to 10240 (found: 10241)"),
        (f"{CONFIG}.memory", "512", f"{CONFIG}.memory", "is not a whole number (found: '512')"),
        (f"{HARD}.cost", {"type": "relative", "value": 1.1}, f"{HARD}.cost", "To fix: write 110 for 1.1 times home"),
        (f"{HARD}.cost", {"type": "relative", "value": 9.9}, f"{HARD}.cost", "looks like a factor"),
        (f"{HARD}.cost", {"type": "percentage", "value": 110}, f"{HARD}.cost.type", "write 'absolute' or 'relative'"),
        (f"{HARD}.cost", {"type": "absolute", "value": 0}, f"{HARD}.cost.value", "greater than 0"),
        (f"{HARD}.cost", {"type": "absolute", "value": "1e-3"}, f"{HARD}.cost.value", "(1.0e-3, not 1e-3)"),
        (f"{HARD}.cost", {"type": "absolute", "value": float("inf")}, f"{HARD}.cost.value", "is not a finite number"),
        (f"{HARD}.cost", {"value": 1}, f"{HARD}.cost.type", "is missing. To fix: add it"),
        (f"{HARD}.cost", 15, f"{HARD}.cost", "is not a mapping (found: 15)"),
        ("constraints.priority_order", ["cost", "cost"], "constraints", "priority_order names a metric twice"),
        (
            "constraints.priority_order",
            ["speed"],
            "constraints.priority_order[0]",
            "write 'carbon', 'cost' or 'runtime'",
        ),
        ("home_region", {"provider": "aws", "region": "us-east-9"}, "home_region.region", "perhaps us-east-"),
        ("home_region", {"provider": "gcp", "region": "us-east-1"}, "home_region.provider", "To fix: write aws."),
        ("home_region", None, "home_region", "is not a mapping"),
        ("workflow_version", "0.0.2", "workflow_version", "source, 0.0.1 (found: 0.0.2)"),
        ("workflow_name", "shops", "workflow_name", "source, shop (found: shops)"),
        ("workflow_version", 0.1, "workflow_version", "is not a text (found: 0.1)"),
        ("environment_variables", [{"key": "A_B", "value": 1}], "environment_variables[0].value", "is not a text"),
        ("environment_variables", [{"key": "1A", "value": ""}], "environment_variables[0].key", "is not a name"),
        ("environment_variables", [{"key": "AWS_REGION", "value": ""}], "environment_variables[0].key", "is reserved"),
        ("environment_variables", [{"key": "CARIBOU_X", "value": ""}], "environment_variables[0].key", "is reserved"),
        (
            "environment_variables",
            [{"key": "AWS_ENDPOINT_URL", "value": ""}],
            "environment_variables[0].key",
            "elsewhere",
        ),
        ("environment_variables", {"A": "b"}, "environment_variables", "is not a list"),
        ("caribou.python_version", 3.13, "caribou.python_version", "write '3.11', '3.12', '3.13' or '3.14'"),
        ("caribou.home_share", 1, "caribou.home_share", "less than 1"),
        ("regions_and_providers.keep_near", "", "regions_and_providers.keep_near", "at least 1"),
        ("caribou.message_limit_bytes", 2**20, "caribou.message_limit_bytes", "less than or equal to 262144"),
        ("caribou.log_retention_days", 31, "caribou.log_retention_days", "is not a retention"),
        ("caribou.run_deadline_s", 1.5, "caribou.run_deadline_s", "is not a whole number"),
        ("caribou.deduplicate", "no", "caribou.deduplicate", "is not true or false"),
        (
            "regions_and_providers",
            {"allowed_regions": aws("us-west-2"), "disallowed_regions": aws("us-west-2")},
            "regions_and_providers",
            "us-west-2 is both allowed and disallowed",
        ),
        (
            "regions_and_providers.allowed_regions",
            aws("us-east-1", "eu-nord-1"),
            "regions_and_providers.allowed_regions[1].region",
            "perhaps eu-north-1",
        ),
        (
            "regions_and_providers.allowed_regions",
            aws("us-west-2"),
            "regions_and_providers",
            "the home region is not allowed",
        ),
        (
            "regions_and_providers.disallowed_regions",
            aws("us-east-1"),
            "regions_and_providers",
            "the home region is not allowed, but every function always exists there (found: us-east-1)",
        ),
    ],
)
def test_manifest_when_a_value_is_wrong_then_the_error_has_its_place_and_a_remedy(path, value, place, text):
    """Each wrong key, unit, range or name is one message with the key's path in the file."""
    message = message_of(nested(path, value))
    assert message.startswith(f"{FILE}: {place}: ")
    assert text in message
    assert ". To fix: " in message


@pytest.mark.parametrize(
    ("override", "text"),
    [
        ({"allowed_region": []}, "regions_and_providers: allowed_region: is not a known key"),
        ({"allowed_regions": aws("us-east-x")}, "allowed_regions[0].region: is not a known AWS region"),
        ({"allowed_regions": aws("me-central-1")}, "allowed_regions[0].region: is disrupted since March 2026"),
        ({"allowed_regions": aws("me-south-1")}, "allowed_regions[0].region: is disrupted since March 2026"),
        ({"allowed_regions": aws("eusc-de-east-1")}, "allowed_regions[0].region: is in AWS's partition aws-eusc"),
        ({"allowed_regions": aws("cn-north-1")}, "allowed_regions[0].region: is in AWS's partition aws-cn"),
        ({"allowed_regions": aws("us-west-2")}, "the home region is not allowed"),
        ({"providers": {"aws": {"config": {"timeout": 1000}}}}, "providers.aws.config.timeout: is wrong"),
    ],
)
def test_override_when_it_is_wrong_then_the_error_points_at_the_decorator(override, text):
    """What a decorator overrides keeps the manifest's rules, and its errors say which decorator it is."""
    message = message_of(regions_and_providers=override)
    assert message.startswith("app.py, decorator of start: ")
    assert text in message


def test_override_when_its_environment_is_reserved_then_the_error_points_at_the_decorator():
    """A decorator can't set what Lambda sets."""
    message = message_of(environment_variables={"AWS_REGION": "x"})
    assert message.startswith("app.py, decorator of start: environment_variables: key: is reserved")


def test_manifest_when_much_is_wrong_then_one_message_has_the_first_few():
    """Three findings are shown, in one error, and the others are counted."""
    message = message_of(dict.fromkeys(("aa", "bb", "cc", "dd", "ee"), 1))
    assert message.count("is not a known key") == 3
    assert message.endswith("And 2 more.")


def test_manifest_when_a_key_is_misspelt_then_that_comes_before_the_missing_one():
    """An unknown key hides behind no key that is missing because of it."""
    data = {"workflow_nam" if key == "workflow_name" else key: value for key, value in MINIMAL.items()}
    with pytest.raises(InvalidManifestError, match=r"^config\.yml: workflow_nam: is not a known key .* is missing"):
        parse_manifest(data, FILE, graph_with())


@pytest.mark.parametrize(
    ("text", "place", "what"),
    [
        ("a: 1\nb: [1\nc: 2\n", "config.yml:3: ", "this is not YAML that can be read"),
        ("workflow_name: a\nhome_region:\n  region: a\n  region: b\n", "config.yml:4: ", "the key region stands twice"),
        ("? [a, b]\n: 1\n", "config.yml:1: ", "unhashable"),
        ("a: !!python/object:os.system x\n", "config.yml:1: ", "could not determine a constructor"),
        ("a: \x01\n", "config.yml:1: ", "this is not YAML that can be read"),
        ("", "config.yml: ", "is not a mapping"),
        ("- a\n", "config.yml: ", "is not a mapping"),
        ("1: a\n", "config.yml: ", "has a key that is not a text (found: 1)"),
    ],
)
def test_manifest_when_it_is_not_such_yaml_then_the_error_has_its_line(tmp_path, text, place, what):
    """A file that is no YAML, or no mapping, is one message and no traceback."""
    with pytest.raises(InvalidManifestError) as caught:
        read_manifest(folder_with(tmp_path, text), graph_with())
    assert place in str(caught.value)
    assert what in str(caught.value)


def variables(**values):
    """A manifest with these environment variables."""
    return {**MINIMAL, "environment_variables": [{"key": key, "value": value} for key, value in values.items()]}


def test_environment_when_it_is_larger_than_lambda_takes_then_the_error_has_the_sum_and_the_largest():
    """Lambda would find it in mid-deploy. It counts the names, the quotes, and Caribou's own."""
    large = "x" * 3990
    assert parse_manifest(variables(LARGE=large), FILE, graph_with()).functions["start"].environment_variables
    with pytest.raises(InvalidManifestError, match=r"take 4,\d+ bytes.*\(found: LARGE, the largest, has 4,090\)"):
        parse_manifest(variables(LARGE=large + "x" * 100, SMALL="1"), FILE, graph_with())


def test_environment_when_the_decorators_makes_it_too_large_then_the_error_points_there_too():
    """Both add up; the letters are counted as bytes."""
    own = graph_with(environment_variables={"OWN": "é" * 100})
    with pytest.raises(InvalidManifestError, match=r"decorator of start, and config\.yml: environment_var"):
        parse_manifest(variables(LARGE="x" * 3900), FILE, own)
    changed = graph_with(environment_variables={"LARGE": "short"})
    assert parse_manifest(variables(LARGE="x" * 3900), FILE, changed).functions["start"].environment_variables


def test_environment_when_a_key_stands_twice_or_a_value_has_a_nul_then_it_is_refused():
    """The last one won, and AWS refused the other in mid-deploy."""
    twice = {**MINIMAL, "environment_variables": [{"key": "LIMIT", "value": "1"}, {"key": "LIMIT", "value": "2"}]}
    with pytest.raises(InvalidManifestError, match=r"environment_variables: the key LIMIT stands twice"):
        parse_manifest(twice, FILE, graph_with())
    with pytest.raises(InvalidManifestError, match=r"environment_variables\[0\]\.value: has a NUL in it"):
        parse_manifest(variables(NUL="a\0b"), FILE, graph_with())
    with pytest.raises(InvalidManifestError, match=r"decorator of start: environment_variables: value: has a NUL"):
        parse_manifest(MINIMAL, FILE, graph_with(environment_variables={"NUL": "a\0b"}))


def test_environment_when_the_stage_has_the_longest_name_then_it_is_counted():
    """The manifest holds for every stage."""
    assert checked_stage("s" * LONGEST_STAGE, "here")


def test_manifest_when_there_is_none_then_the_error_says_where_it_should_be(tmp_path):
    """A workflow needs a manifest."""
    with pytest.raises(InvalidManifestError, match=r"config\.yml: the workflow has no manifest"):
        read_manifest(tmp_path, graph_with())


def test_manifest_when_it_is_not_utf8_then_it_is_an_error(tmp_path):
    """Other encodings are refused in words."""
    folder = folder_with(tmp_path, "")
    (folder / ".caribou" / "config.yml").write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidManifestError, match="is UTF-16, not UTF-8"):
        read_manifest(folder, graph_with())


def test_policy_when_its_file_is_missing_then_it_is_an_error(tmp_path):
    """A policy that is named must be there, beside the manifest."""
    folder = folder_with(tmp_path, yaml.safe_dump({**MINIMAL, "iam_policy_file": "policy.json"}))
    with pytest.raises(InvalidManifestError, match=r"iam_policy_file: the file is not there \(found: policy\.json\)"):
        read_manifest(folder, graph_with())
    (folder / ".caribou" / "policy.json").write_text("{}")
    assert read_manifest(folder, graph_with()).iam_policy_file == "policy.json"


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=3),
    max_leaves=6,
)


@given(junk, st.data())
def test_manifest_when_any_value_is_replaced_then_it_is_read_or_refused_in_words(value, data):
    """No value at any place of the file leads to another error than InvalidManifestError."""
    document = copy.deepcopy(yaml.safe_load(REFERENCE))
    place = document
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(place[key], dict | list) or data.draw(st.booleans()):
            place[key] = value
            break
        place = place[key]
    try:
        manifest = parse_manifest(document, FILE, graph_with())
    except InvalidManifestError as error:
        assert ". To fix: " in str(error)  # noqa: PT017 - either outcome is right
    else:
        assert set(manifest.priority) <= set(Metric)
        assert "us-east-1" in manifest.regions_of("start", KNOWN_REGIONS)


def test_schema_when_it_is_published_then_it_is_the_models():
    """docs/schemas/manifest.schema.json is what the models give; write it anew when they change."""
    published = json.loads((ROOT / "docs/schemas/manifest.schema.json").read_text())
    assert published == manifest_json_schema()


def keys_of(schema: dict) -> set[str]:
    """The names of all properties in a JSON Schema."""
    return {key for part in (schema, *schema["$defs"].values()) for key in part.get("properties", {})}


def test_docs_when_the_manifest_has_a_key_then_they_describe_it():
    """Every key has a heading or a row of a table in docs/writing-workflows.md."""
    text = (ROOT / "docs/writing-workflows.md").read_text()
    lines = [line for line in text.splitlines() if line.startswith(("#", "|"))]
    missing = {key for key in keys_of(manifest_json_schema()) if not any(f"`{key}`" in line for line in lines)}
    assert not missing
