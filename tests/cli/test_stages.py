"""Stages as a user chooses them: by option, variable and `cdk.json`; and the account that is checked first."""

import ast
import json
import os
from types import SimpleNamespace

import pytest
from botocore.exceptions import ConnectTimeoutError
from builders import ROOT

from caribou.cli.cdk_deployer import stage_arguments
from caribou.cli.environment import environment_of
from caribou.cli.main import main
from caribou.cli.project import project_root, settings
from caribou.collectors.bodies import KINDS
from caribou.collectors.sources.registry import source_key
from caribou.control.aws import Aws
from caribou.model.errors import InvalidInputError, OperationFailedError
from caribou.model.project.settings import CONTEXT_KEYS, SOURCE_KEYS, ProjectSettings

ACCOUNT, OTHER = "111122223333", "444455556666"
CREDENTIALS = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "CARIBOU_STAGE")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project to stand in; `project(key=value)` writes its context, with `__` for `:`."""
    monkeypatch.chdir(tmp_path)
    for name in CREDENTIALS:
        monkeypatch.setenv(name, "")  # what a test's command sets is taken back
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "aws"))
    (tmp_path / "aws").write_text("[profile shop-prod]\naws_access_key_id = A\naws_secret_access_key = B\n")

    def write(**context):
        named = {key.replace("__", ":"): value for key, value in context.items()}
        (tmp_path / "cdk.json").write_text(json.dumps({"context": named}))
        return tmp_path

    return write


def said(capsys, *arguments, code=2):
    """What a command says that ends with `code`."""
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    assert ended.value.code == code
    return capsys.readouterr().err


def test_stage_when_the_option_says_it_then_commands_in_messages_say_it_too(project, monkeypatch, capsys):
    """A command that is copied is about the same stage then; the variable and the file hold for it anyway."""
    project(caribou__stages={"prod": {}})
    expected = "make one with `caribou --stage prod new_workflow`"
    assert expected in said(capsys, "--stage", "prod", "lock", "shop")
    assert expected in said(capsys, "lock", "shop", "--stage", "prod")
    monkeypatch.setenv("CARIBOU_STAGE", "prod")
    assert "make one with `caribou new_workflow`" in said(capsys, "lock", "shop")


def test_stage_when_it_is_said_in_several_places_then_the_nearest_counts(project, monkeypatch, capsys):
    """The option, the variable, the file, the default; each wrong value names its place."""
    root = project(caribou__stages={"beta": {}})
    assert "context caribou:stage: there is no such stage (found: dev)" in said(capsys, "list")
    monkeypatch.setenv("CARIBOU_STAGE", "bet")
    assert "CARIBOU_STAGE: there is no such stage (found: bet). To fix: did you mean beta?" in said(capsys, "list")
    for arguments in (
        ("--stage", "prod", "list"),
        ("list", "--stage", "prod"),
        ("--stage", "x", "list", "--stage", "prod"),
    ):
        assert "--stage: there is no such stage (found: prod)" in said(capsys, *arguments)
    assert "--stage: is no name for a stage (found: B!)" in said(capsys, "--stage", "B!", "list")
    monkeypatch.setenv("CARIBOU_STAGE", "beta")
    assert settings(root).stage == "beta"
    assert stage_arguments() == ["-c", "caribou:stage=beta"]
    monkeypatch.delenv("CARIBOU_STAGE")
    assert stage_arguments() == []


@pytest.mark.parametrize(
    "verb",
    [("list",), ("deploy", "x"), ("lock", "x"), ("data_collect", "all"), ("problem", "x", "-o", "y"), ("trace", "1")],
)
def test_context_when_a_key_is_unknown_then_every_verb_of_a_project_says_so(project, capsys, verb):
    """One message with the file, the key and the one that may be meant; keys that are not ours are left alone."""
    root = project(caribou__control_regoin="eu-west-1", other__key=1)
    message = said(capsys, *verb)
    assert f"{root / 'cdk.json'}: context caribou:control_regoin: is unknown to Caribou" in message
    assert "did you mean caribou:control_region?" in message


def test_context_when_a_kind_of_facts_has_a_source_then_its_key_is_known():
    """The keys stand in the model, the kinds in the collectors."""
    assert {source_key(kind) for kind in KINDS} < set(SOURCE_KEYS)


@pytest.mark.parametrize("key", CONTEXT_KEYS)
def test_context_when_a_key_is_known_then_the_docs_have_it(key):
    """In the one table of all keys."""
    rows = [line for line in (ROOT / "docs" / "stages.md").read_text(encoding="utf-8").splitlines() if line[:1] == "|"]
    assert [row for row in rows if f"`{key}`" in row.split("|")[1]]


def test_settings_when_a_stage_has_an_environment_then_it_counts_there_only(project):
    """Its control region before the common one."""
    prod = {"account": ACCOUNT, "profile": "shop-prod", "control_region": "eu-west-1"}
    root = project(
        caribou__stages={"dev": {}, "prod": prod}, caribou__control_region="us-east-1", caribou__project="p-1"
    )
    assert settings(root) == ProjectSettings("dev", "us-east-1", None, None, "p-1")
    root = project(caribou__stages={"prod": prod}, caribou__stage="prod", caribou__control_region="us-east-1")
    assert settings(project_root()) == ProjectSettings("prod", "eu-west-1", ACCOUNT, "shop-prod", None)


@pytest.mark.parametrize("room", ["cli", "control", "stacks"])
def test_workflow_when_our_source_reads_one_then_it_says_at_which_stage(room):
    """Without it, the default stage's manifest would be taken."""
    calls = [
        (path.name, node.lineno)
        for path in sorted((ROOT / room).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in {"read_workflow", "read_manifest"}
        if len(node.args) + len(node.keywords) < {"read_workflow": 2, "read_manifest": 3}[node.func.id]
    ]
    assert calls == []


class Known(Aws):
    """Credentials of an account; regions that do not answer are named."""

    def __init__(self, account, silent, asked):
        super().__init__()
        self.known, self.silent, self.asked = account, silent, asked

    def _sts(self, region):
        """Who the credentials are of, from a region that answers."""

        def answer():
            self.asked.append(region)
            if region in self.silent:
                raise ConnectTimeoutError(endpoint_url="x")
            return {"Account": self.known, "Arn": f"arn:aws:iam::{self.known}:root"}

        return SimpleNamespace(get_caller_identity=answer)


@pytest.fixture
def credentials(monkeypatch):
    """Let the clients have an account's credentials."""

    def have(account, silent=()):
        asked = []
        monkeypatch.setattr("caribou.cli.environment.Aws", lambda: Known(account, silent, asked))
        return Known(account, silent, asked)

    return have


@pytest.mark.usefixtures("project")
def test_account_when_it_is_another_than_the_stages_then_nothing_is_done(credentials):
    """One message with both accounts; without an account in `cdk.json` nobody is asked."""
    asked = credentials(OTHER)
    with pytest.raises(InvalidInputError) as caught, environment_of(ProjectSettings("prod", account=ACCOUNT)):
        pytest.fail("it went on")
    assert caught.value.exit_code == 2
    assert "stage prod: the credentials are of another account than caribou:stages says" in str(caught.value)
    assert f"(found: account {OTHER}, expected {ACCOUNT})" in str(caught.value)
    with environment_of(ProjectSettings("prod", account=OTHER)), environment_of(ProjectSettings("dev")):
        assert asked.asked == ["us-west-2"] * 2


@pytest.mark.usefixtures("project")
def test_account_when_the_control_region_is_silent_then_it_is_asked_elsewhere(credentials):
    """Whose credentials they are is the same everywhere."""
    asked = credentials(ACCOUNT, ("us-west-2", "us-east-1"))
    with environment_of(ProjectSettings("prod", account=ACCOUNT)):
        assert asked.asked == ["us-west-2", "us-east-1", "eu-west-1"]
    credentials(ACCOUNT, ("us-west-2", "us-east-1", "eu-west-1"))
    with pytest.raises(OperationFailedError), environment_of(ProjectSettings("prod", account=ACCOUNT)):
        pytest.fail("it went on")


@pytest.mark.usefixtures("project")
def test_profile_when_the_environment_has_no_credentials_then_it_is_used_by_all(monkeypatch):
    """Also by the CDK, which inherits the environment; what is there already counts more."""
    with environment_of(ProjectSettings("prod", profile="shop-prod")):
        assert os.environ["AWS_PROFILE"] == "shop-prod"
    monkeypatch.delenv("AWS_PROFILE")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "C")
    with environment_of(ProjectSettings("prod", profile="shop-prod")):
        assert "AWS_PROFILE" not in os.environ
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with (
        pytest.raises(InvalidInputError, match="shop-prd"),
        environment_of(ProjectSettings("prod", profile="shop-prd")),
    ):
        pytest.fail("it went on")


def test_command_in_a_message_when_a_stage_was_given_then_it_carries_it(project, capsys, monkeypatch):
    """Copied as it stands, it works where the one before did; a stage of the environment holds for it anyway."""
    project()
    for words, copied in (
        (["solve", "--stage", "prod"], "`caribou --stage prod solve my_flow`"),
        (["--stage", "prod", "solve"], "`caribou --stage prod solve my_flow`"),
        (["solve"], "`caribou solve my_flow`"),
    ):
        with pytest.raises(SystemExit):
            main(words)
        assert copied in capsys.readouterr().err
    monkeypatch.setenv("CARIBOU_STAGE", "prod")
    with pytest.raises(SystemExit):
        main(["solve"])
    assert "`caribou solve my_flow`" in capsys.readouterr().err
