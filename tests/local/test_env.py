import subprocess
from pathlib import Path

import pytest

from caribou.cli.local import shell_lines
from caribou.local import LocalCloud
from caribou.model.errors import InvalidInputError


@pytest.fixture
def cloud():
    """A local cloud as an object; nothing runs."""
    return LocalCloud(Path("/state of mine"), "http://127.0.0.1:4000", "111111111111", "secret", pid=0)


def test_env_replaces_every_setting_that_leads_past_the_local_cloud(cloud, monkeypatch):
    """No real credential, profile or service endpoint reaches a subprocess; the rest of the environment does."""
    monkeypatch.setenv("AWS_PROFILE", "work")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "secret")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SNS", "https://sns.example")
    monkeypatch.setenv("AWS_PAGER", "cat")
    monkeypatch.setenv("MINE", "kept")

    environment = cloud.env()

    assert not {"AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_SNS"} & set(environment)
    assert environment["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4000"
    assert environment["AWS_ACCESS_KEY_ID"] == "111111111111"
    assert (environment["AWS_PAGER"], environment["MINE"]) == ("cat", "kept")


def test_variables_are_in_the_region_asked_for(cloud):
    """Both names of the region are set, since tools differ in which they read."""
    variables = cloud.variables("eu-west-1")

    assert variables["AWS_REGION"] == variables["AWS_DEFAULT_REGION"] == "eu-west-1"


def test_variables_behind_a_proxy_keep_loopback_out_of_it(cloud, monkeypatch):
    """With a proxy set, 127.0.0.1 joins the hosts that are reached directly."""
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    monkeypatch.setenv("no_proxy", "internal")

    assert cloud.variables()["no_proxy"] == "internal,127.0.0.1,localhost"


def test_shell_lines_survive_any_value():
    """Quotes, spaces, dollars and newlines come out of `eval` as they went in."""
    value = "a 'b' \"c\" $HOME `d` \\ \n;e"
    lines = "\n".join(shell_lines({"AWS_ENDPOINT_URL": value}, {}))

    script = 'eval "$1"; printf %s "$AWS_ENDPOINT_URL"'
    done = subprocess.run(["sh", "-uc", script, "sh", lines], capture_output=True, text=True, check=True)

    assert done.stdout == value


def test_shell_lines_unset_what_gets_in_the_way():
    """Settings of the real cloud are unset, and only names that a shell can unset."""
    current = {"AWS_ENDPOINT_URL_S3": "x", "AWS_ODD-NAME": "x", "AWS_PAGER": "x", "AWS_REGION": "x"}

    lines = shell_lines({"AWS_REGION": "us-east-1"}, current)

    assert lines[0] == "unset AWS_PROFILE AWS_SESSION_TOKEN AWS_ENDPOINT_URL_S3"
    assert lines[1] == "export AWS_REGION=us-east-1"


@pytest.mark.parametrize("account", ["", "12345678901", "1234567890123", "12345678901x", "\uff11" * 12])
def test_as_account_with_a_wrong_account_says_so(cloud, account):
    """An account is twelve digits; anything else would silently be the default account."""
    with pytest.raises(InvalidInputError, match="use 12 digits"):
        cloud.as_account(account)


def test_start_with_an_unknown_region_says_so_before_anything_starts(tmp_path):
    """A misspelt region is refused, and no state folder is made."""
    with pytest.raises(InvalidInputError, match="us-esat-1"):
        LocalCloud.start(tmp_path / "state", regions=("us-esat-1",))

    assert not (tmp_path / "state").exists()
