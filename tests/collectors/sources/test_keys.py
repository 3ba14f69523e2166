"""Keys: where they are read from, and that nothing shows them."""

import json
import logging
import pickle
import traceback

import boto3
import pytest
from botocore.stub import Stubber

from caribou.collectors.sources import keys
from caribou.collectors.sources.keys import Key, KeyRing, checked_place
from caribou.model.errors import InvalidInputError, OperationFailedError

SECRET = "s3cret-k3y"
REGION = "us-west-2"
ARN = "arn:aws-us-gov:secretsmanager:us-gov-west-1:111122223333:secret:grids/eia-AbC123"


@pytest.fixture
def stores(monkeypatch):
    """Stubbed Parameter Store and Secrets Manager, which answer what a test says."""
    made = {}
    for name, maker in (("ssm", "parameters_of"), ("secretsmanager", "secrets_of")):
        client = boto3.client(name, region_name=REGION, aws_access_key_id="x", aws_secret_access_key="x")
        made[name] = Stubber(client)
        made[name].activate()
        monkeypatch.setattr(keys, maker, lambda _, client=client: client)
    return made


def test_key_when_the_environment_has_it_then_that_counts_first(tmp_path):
    """Whatever the project says."""
    (tmp_path / "key").write_text("other")
    ring = KeyRing(REGION, {"CARIBOU_EIA_KEY": f" {SECRET}\n"}, tmp_path)
    assert ring.key_of("eia", "file:key").reveal() == SECRET
    assert ring.key_of("entsoe", "file:key").reveal() == "other"


def test_key_when_it_is_in_aws_then_it_is_read_there(stores):
    """A SecureString decrypted, a secret as it is, or a field of it."""
    asked = {"Name": "/caribou/eia", "WithDecryption": True}
    stores["ssm"].add_response("get_parameter", {"Parameter": {"Value": SECRET}}, asked)
    assert KeyRing(REGION, {}).key_of("eia", "ssm:/caribou/eia").reveal() == SECRET
    for text, place in ((SECRET, "secretsmanager:eia"), (json.dumps({"key": SECRET}), "secretsmanager:eia#key")):
        stores["secretsmanager"].add_response("get_secret_value", {"SecretString": text}, {"SecretId": "eia"})
        assert KeyRing(REGION, {}).key_of("eia", place).reveal() == SECRET


def test_key_when_aws_refuses_it_then_the_error_says_where_and_why(stores):
    """The code of AWS's answer."""
    stores["ssm"].add_client_error("get_parameter", "ParameterNotFound")
    with pytest.raises(OperationFailedError, match=r"ssm:/eia in us-west-2: ParameterNotFound"):
        KeyRing(REGION, {}).key_of("eia", "ssm:/eia")
    stores["secretsmanager"].add_response("get_secret_value", {"SecretString": SECRET})
    with pytest.raises(OperationFailedError, match="no JSON object with a text at key") as caught:
        KeyRing(REGION, {}).key_of("eia", "secretsmanager:eia#key")
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("text", ["", "two\nlines", "x" * 5000, "schlüssel"])
def test_key_when_what_is_there_is_none_then_it_is_not_shown(text, tmp_path):
    """It may be a key with something beside it."""
    (tmp_path / "key").write_text(text)
    with pytest.raises(OperationFailedError) as caught:
        KeyRing(REGION, {}, tmp_path).key_of("eia", "file:key")
    assert not text or text not in str(caught.value)


def test_key_when_there_is_none_then_the_error_says_how_to_give_one(tmp_path):
    """By the environment, or the project's file; a file that is not there, or not here."""
    with pytest.raises(OperationFailedError, match=r"set CARIBOU_EIA_KEY.*caribou:source_keys"):
        KeyRing(REGION, {}).key_of("eia", None)
    with pytest.raises(OperationFailedError, match="No such file"):
        KeyRing(REGION, {}, tmp_path).key_of("eia", "file:none")
    with pytest.raises(OperationFailedError, match="another machine"):
        KeyRing(REGION, {}).key_of("eia", "file:key")


def test_key_when_its_file_is_in_the_home_folder_then_it_is_read_there(tmp_path, monkeypatch):
    """A path that begins with ~ is none below the project's folder."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "key").write_text(f"{SECRET}\n")
    assert KeyRing(REGION, {}, tmp_path / "project").key_of("eia", "file:~/key").reveal() == SECRET
    with pytest.raises(OperationFailedError, match="No such file"):
        KeyRing(REGION, {}, tmp_path).key_of("eia", "file:~nobody-of-that-name/key")


def test_key_when_it_is_shown_or_written_then_it_is_not(caplog):
    """Print, log, pickle, the ring's own form."""
    key = Key(SECRET)
    logging.getLogger("x").warning("%s %r", key, key)
    assert SECRET not in f"{key} {key!r} {[key]} {caplog.text} {KeyRing(REGION, {'CARIBOU_EIA_KEY': SECRET})}"
    with pytest.raises(TypeError):
        pickle.dumps(key)


def test_key_when_its_secret_is_named_by_arn_then_it_is_read_in_the_arns_region(stores, monkeypatch):
    """Another region's Secrets Manager does not know it."""
    asked = []
    monkeypatch.setattr(keys, "secrets_of", lambda region, made=keys.secrets_of: asked.append(region) or made(region))
    stores["secretsmanager"].add_response("get_secret_value", {"SecretString": SECRET}, {"SecretId": ARN})
    assert KeyRing(REGION, {}).key_of("eia", f"secretsmanager:{ARN}").reveal() == SECRET
    assert asked == ["us-gov-west-1"]


@pytest.mark.parametrize(
    "place",
    [
        *("ssm:eia", "ssm:/caribou/eia", "secretsmanager:eia", "secretsmanager:grids/eia@1#key of eia"),
        *(f"secretsmanager:{ARN}", f"secretsmanager:{ARN}#key", "file:~/a key", "file:C:/key"),
    ],
)
def test_place_when_aws_or_a_disk_has_such_names_then_it_is_one(place):
    """As it was written."""
    assert checked_place(place, "cdk.json") == place


@pytest.mark.parametrize(
    "place",
    [
        *("ssm:caribou/eia", "ssm:/caribou/eia/", "ssm:/eia:3", "ssm:arn:aws:ssm:us-west-2:111122223333:parameter/eia"),
        *("ssm:/*", "ssm:ei?", "secretsmanager:*", "secretsmanager:eia#", "secretsmanager:#key"),
        *("secretsmanager:${aws:username}", f"secretsmanager:{ARN[:-7]}", f"secretsmanager:{ARN[:-6]}??????"),
    ],
)
def test_place_when_no_right_to_read_it_can_be_given_by_its_name_then_it_is_none(place):
    """Parameter Store has no such name, IAM would compare another one, or it is a pattern: a right to read others'."""
    with pytest.raises(InvalidInputError, match=r"ssm:/PATH/NAME.*whole ARN"):
        checked_place(place, "cdk.json: context caribou:source_keys.eia")


@pytest.mark.parametrize("place", [SECRET, "ssm:", "s3:bucket", "", ":x"])
def test_place_when_it_is_none_then_the_error_does_not_show_it(place):
    """Somebody may have written the key itself."""
    with pytest.raises(InvalidInputError, match="never the key itself") as caught:
        checked_place(place, "cdk.json: context caribou:source_keys.eia")
    assert SECRET not in str(caught.value)
