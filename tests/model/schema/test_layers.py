"""A stage's manifest: its own file over `config.yml`, and in which file and line a message looks."""

import textwrap

import pytest
import yaml

from caribou.model.errors import InvalidManifestError
from caribou.model.graph import Function, Graph, Node
from caribou.model.schema.manifest import read_manifest

GRAPH = Graph(
    "shop", "0.0.1", (Function("start", "app", "start", entry_point=True),), (Node("start:entry_point:0", "start"),), ()
)
BASE = """
workflow_name: shop
workflow_version: 0.0.1
home_region: {provider: aws, region: us-east-1}
environment_variables: [{key: TABLE, value: toys}, {key: LEVEL, value: debug}]
caribou:
  run_deadline_s: 600
  log_retention_days: 30
constraints:
  hard_resource_constraints:
    cost: {type: relative, value: 120}
"""


@pytest.fixture
def folder(tmp_path):
    """A workflow's folder with the manifest."""
    (tmp_path / ".caribou").mkdir()
    (tmp_path / ".caribou" / "config.yml").write_text(BASE)
    return tmp_path


@pytest.fixture
def over(folder):
    """Read the manifest of stage `prod`, with this over it."""

    def read(text):
        (folder / ".caribou" / "config.prod.yml").write_text(textwrap.dedent(text))
        return read_manifest(folder, GRAPH, "prod")

    return read


def test_stage_when_it_has_a_file_then_mappings_are_merged_and_all_else_is_replaced(folder, over):
    """A key inside a mapping leaves its neighbours; a list is a whole one, and null takes away."""
    manifest = over("""
        home_region: {region: eu-west-1}
        environment_variables: [{key: TABLE, value: goods}]
        caribou: {run_deadline_s: 900}
        constraints: null
    """)
    assert manifest.home_region == "eu-west-1"
    assert manifest.functions["start"].environment_variables == {"TABLE": "goods"}
    assert (manifest.runs.run_deadline_s, manifest.log_retention_days) == (900, 30)
    assert not manifest.hard
    plain = read_manifest(folder, GRAPH)
    assert (plain.home_region, plain.runs.run_deadline_s) == ("us-east-1", 600)
    assert plain == read_manifest(folder, GRAPH, "beta")
    assert plain.hard


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "{}"])
def test_stage_when_its_file_is_empty_then_the_manifest_is_the_common_one(folder, over, text):
    """A file that says nothing changes nothing."""
    assert over(text) == read_manifest(folder, GRAPH)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [1\n", "config.prod.yml:2: this is not YAML"),
        ("- 1\n", "config.prod.yml: is not a mapping (found: [1]). To fix: write the keys that differ from those of c"),
        ("home_region:\n  region: eu-wst-1\n", "config.prod.yml:2: home_region.region: is not a known AWS region"),
        ("\n\nhome_regin: {}\n", "config.prod.yml:3: home_regin: is not a known key"),
        ("workflow_version: 0.0.2\n", "config.prod.yml:1: workflow_version: it is not the one in the workflow's so"),
        ("caribou: 3\n", "config.prod.yml:1: caribou: is not a mapping (found: 3)"),
        ("environment_variables:\n- key: A_B\n", "config.prod.yml:2: environment_variables[0].value: is missing"),
        ("iam_policy_file: p.json\n", "config.prod.yml:1: iam_policy_file: the file is not there"),
        ("regions_and_providers:\n  keep_near: moon\n", "config.prod.yml:1: regions_and_providers.keep_near: is neith"),
    ],
)
def test_stage_when_its_file_is_wrong_then_the_message_has_that_file_and_the_line(over, text, said):
    """And not `config.yml`, in which all is right."""
    with pytest.raises(InvalidManifestError) as caught:
        over(text)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("log_retention_days: 30", "log_retention_days: 31", "config.yml:8: caribou.log_retention_days: is not a ret"),
        ("log_retention_days: 30", "log_retention: 30", "config.yml:8: caribou.log_retention: is not a known key"),
        ("type: relative, ", "", "config.yml:11: constraints.hard_resource_constraints.cost.type: is missing"),
        ("us-east-1", "us-est-1", "config.yml:4: home_region.region: is not a known AWS region"),
    ],
)
def test_stage_when_the_common_file_is_wrong_then_the_message_has_that_one(folder, over, old, new, said):
    """Whatever the stage's file says beside it."""
    (folder / ".caribou" / "config.yml").write_text(BASE.replace(old, new))
    with pytest.raises(InvalidManifestError) as caught:
        over("caribou: {run_deadline_s: 900}\nconstraints: {priority_order: [cost]}\n")
    assert said in str(caught.value)


def test_stage_when_both_files_are_wrong_then_each_finding_names_its_own(over):
    """The first few are in one message."""
    with pytest.raises(InvalidManifestError) as caught:
        over("caribou: {run_deadline_s: no, home_share: 2.0}\nwrong: 1\n")
    for said in ("yml:3: wrong", "config.prod.yml:1: caribou.run_deadline_s", "config.prod.yml:1: caribou.home_share"):
        assert said.replace("yml:3", "yml:2") in str(caught.value)


def test_stage_when_the_common_file_is_no_mapping_then_that_is_said(folder, over):
    """The stage's file does not take its place."""
    (folder / ".caribou" / "config.yml").write_text("- 1\n")
    with pytest.raises(InvalidManifestError, match=r"config\.yml: is not a mapping"):
        over(yaml.safe_dump({"caribou": {}}))
