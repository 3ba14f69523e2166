"""What the app makes of its context and of the project: the right placement, or one message that helps."""

import json
import os
import re
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from aws_cdk import RemovalPolicy, Stack, Validations
from aws_cdk import aws_s3 as s3
from builders import topic_in
from cdk_nag import AwsSolutionsChecks

from caribou.local.tools import cdk_env
from caribou.model.errors import CaribouError
from caribou.model.project.settings import CONTEXT_KEYS
from caribou.stacks.app import add_stacks
from caribou.stacks.context import read_context

HOME_STACK = "Workflow-city_tour"
WEST, CANADA = "us-west-2", "ca-central-1"
MAIN = """
from datetime import UTC, datetime

from caribou.stacks import synthesise

synthesise(now=datetime(2026, 1, 2, tzinfo=UTC))
"""


@pytest.fixture
def refusal(new_app, project, now):
    """What is said of a project and a context that are refused; keys with `__` for `:`."""

    def refused(root=project, **context):
        app = new_app(**{name.replace("__", ":"): value for name, value in context.items()})
        with pytest.raises(CaribouError) as caught:
            add_stacks(app, root, now)
        assert caught.value.exit_code == 2
        assert "To fix: " in str(caught.value)
        return str(caught.value)

    return refused


def regions_of(assembly):
    """The regions of the placement that is deployed."""
    return assembly.template(HOME_STACK)["Outputs"]["PlacementRegions"]["Value"]


@pytest.mark.parametrize(
    ("context", "said"),
    [
        ({"caribou__stagee": "beta"}, "key caribou:stagee: is unknown to Caribou. To fix: did you mean caribou:stage?"),
        ({"caribou__stages": "prod"}, "caribou:stages: is not a mapping (found: prod)"),
        ({"caribou__stages": {"prod": {}}}, "stage: there is no such stage (found: dev). To fix: use one of prod"),
        ({"caribou__stages": {"prod": {}}, "caribou__stage": "prd"}, "(found: prd). To fix: did you mean prod?"),
        ({"caribou__stages": {"dev": {"acount": "1"}}}, "stages.dev.acount: is not a known key. To fix: did you"),
        ({"caribou__stages": {"dev": {"account": "12"}}}, "stages.dev.account: is no account of AWS (found: 12)"),
        ({"caribou__stages": {"dev": {"account": 111122223333}}}, "account: is not a text (found: 111122223333)"),
        ({"caribou__stages": {"dev": {"control_region": "moon-1"}}}, "stages.dev.control_region: is not a region that"),
        ({"caribou__stages": {"my-stage": {}}}, "caribou:stages: is no name for a stage (found: my-stage)"),
        ({"caribou__project": "my project"}, "caribou:project: is no id for a project (found: my project)"),
        ({"caribou__stage": 3}, "caribou:stage: is not a text (found: 3)"),
        ({"caribou__stage": "My stage"}, "caribou:stage: is no name for a stage (found: My stage)"),
        ({"caribou__stage": "under_score"}, "is no name for a stage"),
        ({"caribou__control_region": "moon-1"}, "caribou:control_region: is not a region that Caribou knows"),
        ({"caribou__carbon_source": "moon"}, "context key caribou:carbon_source: is no source of carbon facts"),
        ({"caribou__collect_at": {"carbon": "daily"}}, "key caribou:collect_at.carbon: is no schedule expression"),
        (
            {"caribou__log_reader": "insight"},
            "is no reader of logs (found: insight). To fix: did you mean insights",
        ),
        ({"caribou__alarm_topic": "on-call"}, "context key caribou:alarm_topic: is not the ARN of an SNS topic"),
        ({"workflow": "village"}, "village: is no workflow of this project. To fix: use one of city_tour"),
        ({"placement": "nowhere.json"}, "nowhere.json: can't be read (found: No such file or directory)"),
        ({"placement": "workflows"}, "workflows: can't be read (found: Is a directory)"),
    ],
)
def test_context_when_a_value_is_wrong_then_the_message_says_which(refusal, context, said):
    """A wrong key or value is one message with where, what was found and a remedy."""
    assert said in refusal(**context)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"expires_at": "2026-01-01T23:59:59Z"}, "has expired (found: 2026-01-01 23:59:59+00:00)"),
        ({"workflow_version": "0.0.2"}, "is for another version of the workflow (found: 0.0.2, expected 0.0.1)"),
        ({"workflow": "village"}, "village: is no workflow of this project"),
        ({"home_region": "eu-west-1"}, "has another home region"),
        ({"schema": "caribou.placement/9"}, "schema: is not one of the known words (found: 'caribou.placement/9')"),
        ({"plans": []}, "plans: "),
    ],
)
def test_placement_when_it_does_not_fit_then_the_message_says_why(new_project, solved, refusal, changes, said):
    """A placement for something else, or for a time that is over, is refused."""
    root = new_project("city_tour")
    (root / "bad.json").write_text(json.dumps({**solved(root, {}), **changes}))
    assert said in refusal(root, placement="bad.json")


def test_placement_when_it_is_another_workflows_then_it_is_refused(new_project, solved, refusal):
    """A placement for one workflow is not applied to another that is asked for."""
    root = new_project("city_tour", "village")
    (root / "bad.json").write_text(json.dumps(solved(root, {}, "village")))
    said = refusal(root, placement="bad.json", workflow="city_tour")
    assert "bad.json: is for another workflow (found: village, expected city_tour)" in said


def test_placement_when_it_names_an_unknown_node_then_it_is_refused(new_project, solved, refusal):
    """A node that the workflow does not have is named, with those that it has."""
    root = new_project("city_tour")
    placement = solved(root, {})
    placement["plans"][5]["regions"]["museum:start_0_0:1"] = "us-east-1"
    (root / "bad.json").write_text(json.dumps(placement))
    assert "does not have (found: museum:start_0_0:1). To fix: use" in refusal(root, placement="bad.json")


def test_placement_when_a_function_may_not_run_there_then_it_is_refused(new_project, solved, refusal):
    """The manifest's regions hold, the decorator's override included: `near` may not run in eu-west-1, `far` may."""
    root = new_project("city_tour")
    (root / "bad.json").write_text(json.dumps(solved(root, {"near": ["eu-west-1"] * 24})))
    said = refusal(root, placement="bad.json")
    assert "places near:start_0_0:1 in a region that the manifest does not allow (found: eu-west-1)" in said


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"[]", b"null"])
def test_placement_when_the_file_is_damaged_then_it_is_refused(new_project, refusal, content):
    """A damaged file is a message, asked for or committed."""
    root = new_project("city_tour")
    (root / "bad.json").write_bytes(content)
    assert re.search("bad.json: is (not |UTF-16)", refusal(root, placement="bad.json"))
    (root / "workflows" / "city_tour" / ".caribou" / "placement.json").write_bytes(content)
    assert re.search("placement.json: is (not |UTF-16)", refusal(root))


def test_committed_placement_when_nothing_is_asked_for_then_it_is_used(new_project, solved, synthesised):
    """A plain deploy never moves anything; `placement=home` says home."""
    root = new_project("city_tour")
    committed = root / "workflows" / "city_tour" / ".caribou" / "placement.json"
    committed.write_text(json.dumps(solved(root, {"far": ["us-west-2"] * 24})))
    plain = synthesised(root)
    assert regions_of(plain) == "us-east-1,us-west-2"
    assert not plain.messages(HOME_STACK)
    assert regions_of(synthesised(root, placement="home")) == "us-east-1"


def test_committed_placement_when_it_is_another_stages_then_it_is_not_used(new_project, solved, synthesised, refusal):
    """Each stage has a file of its own; one that nobody would read is refused."""
    root = new_project("city_tour")
    files = root / "workflows" / "city_tour" / ".caribou"
    (files / "placement.beta.json").write_text(json.dumps(solved(root, {"far": ["us-west-2"] * 24})))
    assert regions_of(synthesised(root, caribou__stage="beta")) == "us-east-1,us-west-2"
    assert regions_of(synthesised(root)) == "us-east-1"
    (files / "placement.beta.json").rename(files / "placement.dev.json")
    assert "placement.dev.json: is not where the placement of dev is. To fix: call it placement.json" in refusal(root)


def test_stage_when_the_environment_says_it_then_it_counts_unless_the_context_contradicts(new_app, monkeypatch):
    """Synth can't see what stands in a file and what was given with the command."""
    monkeypatch.setenv("CARIBOU_STAGE", "beta")
    assert read_context(new_app()).settings.stage == "beta"
    assert read_context(new_app(**{"caribou:stage": "beta"})).settings.stage == "beta"
    with pytest.raises(CaribouError, match=r"CARIBOU_STAGE: is another .*\(found: beta, caribou:stage: prod\)"):
        read_context(new_app(**{"caribou:stage": "prod"}))


def test_committed_placement_when_it_has_expired_then_it_is_used_with_a_warning(new_project, solved, synthesised, now):
    """The runtime serves from home by itself, so a code fix is still deployed."""
    root = new_project("city_tour")
    committed = root / "workflows" / "city_tour" / ".caribou" / "placement.json"
    committed.write_text(json.dumps(solved(root, {"far": ["us-west-2"] * 24})))
    expired = synthesised(root, now + timedelta(days=30))
    assert regions_of(expired) == "us-east-1,us-west-2"
    (warning,) = expired.messages(HOME_STACK)
    assert "expired at 2026-01-08" in warning
    assert expired.text(HOME_STACK) == synthesised(root, now).text(HOME_STACK)


@pytest.mark.parametrize(("verdict", "said"), [("saves", 0), ("too few runs to say", 1)])
def test_placement_when_it_is_not_known_to_save_then_synth_warns_of_it(new_project, solved, synthesised, verdict, said):
    """The CDK asks nobody."""
    root = new_project("city_tour")
    corner = {"transmission_kwh_per_gb": 0.001, "intra_region_kwh_per_gb": 0.0, "intensity": "average"}
    sensitivity = {
        "verdict": verdict,
        "corners": [{**corner, "saving": 0.1, "ci95": None}],
        "marginal_unknown": [],
        "break_even_kwh_per_gb": None,
        "runs": 8,
    }
    file = root / "solved.json"
    file.write_text(json.dumps({**solved(root, {"far": ["us-west-2"] * 24}), "sensitivity": sensitivity}))
    warnings = synthesised(root, placement="solved.json").messages(HOME_STACK)
    assert len([w for w in warnings if "its runs are too few to say whether it saves carbon" in w]) == said


def test_manifest_when_it_has_docker_commands_then_synth_warns_that_nobody_runs_them(new_project, synthesised):
    """The reference system's file is taken as it is, and its owner hears what is missing."""
    root = new_project("sight_seeing")
    manifest = root / "workflows" / "sight_seeing" / ".caribou" / "config.yml"
    config = 'providers: {aws: {config: {additional_docker_commands: ["yum install -y libGL"]}}}'
    text = manifest.read_text().replace("regions_and_providers:\n", f"regions_and_providers:\n  {config}\n")
    manifest.write_text(text)
    (warning,) = synthesised(root).messages("Workflow-sight_seeing")
    assert "additional_docker_commands are not run" in warning


def test_manifest_when_a_time_limit_is_too_short_to_go_home_then_synth_warns_of_it(new_project, synthesised):
    """A region that is silent takes some seconds to be given up."""
    root = new_project("sight_seeing")
    manifest = root / "workflows" / "sight_seeing" / ".caribou" / "config.yml"
    config = "providers: {aws: {config: {timeout: 14}}}"
    text = manifest.read_text().replace("regions_and_providers:\n", f"regions_and_providers:\n  {config}\n")
    manifest.write_text(text)
    (warning,) = synthesised(root).messages("Workflow-sight_seeing")
    assert "with a timeout under 15 s" in warning


def test_placement_when_there_is_none_then_everything_is_at_home(synthesised):
    """Without a file, asked for or committed, every function is at home only."""
    assert regions_of(synthesised()) == "us-east-1"


def test_workflow_when_asked_for_then_only_its_stacks_are_synthesised(new_project, synthesised, solved):
    """`-c workflow=NAME`, or a placement's own workflow, leaves the others out."""
    root = new_project("city_tour", "village")
    (root / "solved.json").write_text(json.dumps(solved(root, {}, "village")))
    both, named = synthesised(root), synthesised(root, workflow="village")
    assert {"Workflow-village", "Workflow-city_tour"} <= set(both.stacks)
    only = {"CaribouControlPlane", "Workflow-village", "Workflow-village-registration"}
    assert set(named.stacks) == only
    assert set(synthesised(root, placement="solved.json").stacks) == only


@pytest.mark.parametrize(
    "names",
    [("x", "x_us_west_2"), ("x", "x_registration"), ("a_b", "A_b"), ("x_ca_central_1_registration", "x_ca_central_1")],
)
def test_names_when_those_of_two_workflows_fall_together_then_both_are_named(new_project, refusal, names):
    """Wherever they are placed today, two workflows may never come to have one stack or bucket."""
    said = refusal(new_project(*names))
    assert "two workflows would have a stack of the same name" in said
    assert all(name in said for name in names)


def test_names_when_the_stage_makes_a_function_too_long_then_it_is_refused(new_project, refusal):
    """The limit of Lambda holds at every stage, not only at the default one."""
    root = new_project("a_workflow_with_a_name_of_forty_digits__")
    assert "longer than 64 characters" in refusal(root, caribou__stage="production12345")


def test_names_when_the_folder_has_another_than_the_workflow_then_it_is_refused(new_project, refusal):
    """A copied folder is refused, instead of two workflows of one name."""
    root = new_project("city_tour")
    shutil.copytree(root / "workflows" / "city_tour", root / "workflows" / "copy")
    assert "copy: holds a workflow of another name (found: city_tour)" in refusal(root)


def test_names_when_functions_differ_in_hyphens_only_then_each_has_its_own_resources(new_project, synthesised):
    """Logical ids drop hyphens and underscores, but end in a digest of the whole path."""
    root = new_project("hyphens")
    app = root / "workflows" / "hyphens" / "app.py"
    text = app.read_text()
    for old, new in (("near", "Go-By-Tram"), ("far", "Go_By_Tram"), ("join", "GoByTram")):
        text = text.replace(f'name="{old}"', f'name="{new}"')
    app.write_text(text)
    assembly = synthesised(root)
    functions = assembly.properties("Workflow-hyphens", "AWS::Lambda::Function")
    names = {f["FunctionName"].removeprefix("caribou-dev-hyphens-") for f in functions if "FunctionName" in f}
    assert names == {"start", "Go-By-Tram", "Go_By_Tram", "GoByTram"}


def test_names_when_functions_are_called_like_parts_of_the_stack_then_both_have_their_place(new_project, synthesised):
    """A function may be called Runs, Syncs or Placement."""
    root = new_project("city_tour")
    app = root / "workflows" / "city_tour" / "app.py"
    text = app.read_text()
    for old, new in (("near", "Runs"), ("far", "Syncs"), ("join", "Placement")):
        text = text.replace(f"{old}(", f"{new}(").replace(f"({old},", f"({new},").replace(f'"{old}"', f'"{new}"')
    app.write_text(text)
    functions = synthesised(root).properties(HOME_STACK, "AWS::Lambda::Function")
    names = {p["FunctionName"].rpartition("-")[2] for p in functions if "FunctionName" in p}
    assert names == {"start", "Runs", "Syncs", "Placement"}


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("{", "policy.json: is not JSON"),
        ("[]", "is not an IAM policy document"),
        ('{"Statement": ["Allow"]}', "has a statement that is none of a role's (found: Allow)"),
        ('{"Statement": [{"Effect": "Allow", "Action": "s3:GetObject"}]}', "give it Effect, Action and Resource"),
        (
            '{"Statement": [{"Effect": "Maybe", "Action": "s3:GetObject", "Resource": "*"}]}',
            "give it Effect, Action and Resource, texts or lists of texts, and no Principal",
        ),
        (
            '{"Statement": [{"Effect": "Allow", "Action": [["s3:*"]], "Resource": "*"}]}',
            "give it Effect, Action and Resource, texts or lists of texts, and no Principal",
        ),
        (
            '{"Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Principal": "*"}]}',
            "give it Effect, Action and Resource, texts or lists of texts, and no Principal",
        ),
    ],
)
def test_user_policy_when_it_is_wrong_then_the_message_says_how(new_project, refusal, document, said):
    """The policy that a manifest names is checked before CDK sees it."""
    assert said in refusal(with_policy(new_project, document))


def test_user_policy_when_it_is_right_then_every_function_gets_its_statements(new_project, synthesised):
    """What the manifest's policy allows stands beside what Caribou needs, `NotAction` included."""
    right = {"Effect": "Deny", "NotAction": ["s3:GetObject"], "Resource": "arn:aws:s3:::photos-*"}
    root = with_policy(new_project, json.dumps({"Version": "2012-10-17", "Statement": [right]}))
    policies = synthesised(root).properties(HOME_STACK, "AWS::IAM::Policy")
    found = [p for p in policies if any(s["Effect"] == "Deny" for s in p["PolicyDocument"]["Statement"])]
    assert len(found) == 4


def test_user_policy_when_it_names_the_account_then_it_is_the_one_that_is_deployed_to(new_project, synthesised):
    """So that a policy can say whose buckets it means, in whatever account it ends up."""
    condition = {"StringEquals": {"aws:ResourceAccount": "${account}"}}
    right = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::p-${account}/*"}
    root = with_policy(new_project, json.dumps({"Statement": [{**right, "Condition": condition}]}))
    text = json.dumps(synthesised(root).properties(HOME_STACK, "AWS::IAM::Policy"))
    assert "${account}" not in text
    assert text.count('["arn:aws:s3:::p-", {"Ref": "AWS::AccountId"}, "/*"]') == 4


def with_policy(new_project, document):
    """A project whose manifest names a policy of its own."""
    root = new_project("city_tour")
    folder = root / "workflows" / "city_tour" / ".caribou"
    manifest = folder / "config.yml"
    manifest.write_text(manifest.read_text().replace("iam_policy_file: null", "iam_policy_file: policy.json"))
    (folder / "policy.json").write_text(document)
    return root


def test_requirements_when_they_cannot_be_met_then_the_message_is_uvs(new_project, new_app, now):
    """A requirement that does not exist is a message, not a traceback out of the CDK."""
    root = new_project("city_tour")
    (root / "workflows" / "city_tour" / "requirements.txt").write_text("no-such-package-here==1\n")
    app = new_app(**{"aws:cdk:bundling-stacks": [HOME_STACK], "workflow": "city_tour"})
    with pytest.raises(CaribouError, match=r"requirements\.txt: can't be met(.|\n)*no-such-package-here"):
        add_stacks(app, root, now)


@pytest.mark.parametrize("own_fault", [True, False])
def test_app_when_run_as_a_program_then_a_mistake_is_one_message_and_exit_code_2(project, tmp_path, own_fault):
    """What the CDK CLI runs: its context and folder come in variables, a mistake goes to standard error."""
    context = {"aws:cdk:bundling-stacks": [], "placement": "moved.json", **({"caribou:x": "1"} if own_fault else {})}
    environment = {**cdk_env(os.environ), "CDK_CONTEXT_JSON": json.dumps(context), "CDK_OUTDIR": str(tmp_path / "out")}
    command = [sys.executable, "-c", MAIN]
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    if own_fault:
        assert (done.returncode, done.stdout) == (2, "")
        keys = ", ".join(sorted(CONTEXT_KEYS))
        assert done.stderr == f"context key caribou:x: is unknown to Caribou. To fix: use one of {keys}.\n"
    else:
        assert (done.returncode, done.stderr) == (0, "")
        assert (tmp_path / "out" / "Workflow-city_tour-us-west-2.template.json").is_file()


def test_checks_when_cdk_nag_looks_then_every_finding_of_ours_is_acknowledged(new_app, new_project, solved, now):
    """In each stack only the bucket that the test adds is found; wildcards of a user's policy are that user's."""
    wild = {"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::photos-*"}
    other = {"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}
    root = with_policy(new_project, json.dumps({"Statement": [wild, other]}))
    moved = solved(root, {"near": [WEST] * 24, "join": [WEST] * 12 + [CANADA] * 12})
    (root / "workflows" / "city_tour" / ".caribou" / "placement.json").write_text(json.dumps(moved))
    app = new_app(**{"caribou:alarm_topic": f"{topic_in('us-east-1')},{topic_in(WEST)}"})
    add_stacks(app, root, now)
    stacks = [child for child in app.node.children if isinstance(child, Stack)]
    assert [stack.region for stack in stacks if stack.node.id.startswith(f"{HOME_STACK}-us-west")] == [WEST]
    buckets = [s3.Bucket(stack, "Plain", removal_policy=RemovalPolicy.DESTROY) for stack in stacks]
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    with pytest.raises(RuntimeError, match="ValidationFailed"):
        app.synth()
    report = json.loads((Path(app.outdir) / "validation-report.json").read_text())
    found = [
        v for plugin in report["pluginReports"] if plugin["pluginName"] == "AwsSolutions" for v in plugin["violations"]
    ]
    places = {place["constructPath"] for violation in found for place in violation["violatingConstructs"]}
    assert places == {f"{bucket.node.path}/Resource" for bucket in buckets}
    assert len(places) == 5
