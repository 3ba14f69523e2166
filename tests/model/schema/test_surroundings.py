"""Keys of the manifest about the account around: what is taken, and what is refused with place and remedy."""

import pytest
from builders import graph_of

from caribou.model.errors import InvalidManifestError
from caribou.model.manifest import Network
from caribou.model.schema.manifest import parse_manifest
from caribou.model.schema.surroundings import MOST_TAGS

HOME, WEST = "us-east-1", "us-west-2"
WHERE = "config.yml"
KEY = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
MULTI = "arn:aws:kms:us-west-2:111122223333:key/mrk-0123456789abcdef0123456789abcdef"
NETWORK = {"subnet_ids": ["subnet-0123456789abcdef0"], "security_group_ids": ["sg-01234567"]}


def parsed(settings, *regions):
    """The manifest with some settings under `caribou`, for home and some regions."""
    graph = graph_of({"start": "end"})
    data = {
        "workflow_name": graph.workflow,
        "workflow_version": graph.version,
        "home_region": {"provider": "aws", "region": HOME},
        "regions_and_providers": {"allowed_regions": [{"provider": "aws", "region": r} for r in (HOME, *regions)]},
        "caribou": settings,
    }
    return parse_manifest(data, WHERE, graph)


def refused(settings, *regions):
    """What is said of settings that are refused."""
    with pytest.raises(InvalidManifestError) as caught:
        parsed(settings, *regions)
    return str(caught.value)


def test_surroundings_when_they_are_right_then_they_are_in_the_manifest():
    """Each region's network and key; a boundary; tags."""
    manifest = parsed(
        {
            "vpc": {HOME: NETWORK, WEST: NETWORK},
            "kms_key": {HOME: KEY, WEST: MULTI},
            "permissions_boundary": "arn:aws:iam::111122223333:policy/team/limits",
            "tags": {"cost centre": "42", "größe": "klein"},
        },
        WEST,
    )
    assert manifest.vpc[WEST] == Network(("subnet-0123456789abcdef0",), ("sg-01234567",))
    assert manifest.kms_key == {HOME: KEY, WEST: MULTI}
    assert manifest.permissions_boundary == "arn:aws:iam::111122223333:policy/team/limits"
    assert manifest.tags == {"cost centre": "42", "größe": "klein"}
    assert parsed({"vpc": None, "kms_key": {}, "permissions_boundary": None, "tags": None}).kms_key == {}
    assert parsed({"permissions_boundary": "limits"}).permissions_boundary == "limits"


@pytest.mark.parametrize(("key", "value"), [("vpc", {HOME: NETWORK}), ("kms_key", {HOME: KEY})])
def test_surroundings_when_they_lack_regions_in_which_functions_may_run_then_the_message_lists_them(key, value):
    """No function may come to run outside of the network, or beside the key, that its owner wants."""
    said = refused({key: value}, WEST, "eu-west-1")
    assert f"{WHERE}: caribou.{key}: lacks regions in which functions may run (found: us-west-2, eu-west-1)" in said
    assert "To fix: add them there, or leave them out of allowed_regions" in said


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"vpc": {HOME: {**NETWORK, "subnet_ids": ["vpc-1"]}}}, "caribou.vpc.us-east-1.subnet_ids[0]: is not the id"),
        ({"vpc": {HOME: {**NETWORK, "security_group_ids": []}}}, "caribou.vpc.us-east-1.security_group_ids"),
        ({"vpc": {HOME: {**NETWORK, "security_group_ids": ["web"]}}}, "write it as EC2 does: sg-0123456789abcdef0"),
        ({"vpc": {HOME: {"subnets": ["subnet-01234567"]}}}, "is not a known key (found: subnets). To fix: perhaps"),
        ({"vpc": {"us-east-9": NETWORK}}, "is not a known AWS region"),
        ({"kms_key": {HOME: "alias/shop"}}, "caribou.kms_key: has no ARN of a KMS key at us-east-1 (found"),
        ({"kms_key": {HOME: MULTI}}, "caribou.kms_key: has a key of us-west-2 at us-east-1"),
        ({"kms_key": {HOME: 3}}, "caribou.kms_key.us-east-1: is not a text"),
        ({"kms_key": KEY}, "caribou.kms_key: is not a mapping"),
        ({"permissions_boundary": "a limit"}, "is neither the name nor the ARN of an IAM policy"),
        ({"permissions_boundary": "arn:aws:iam::1:policy/a"}, "caribou.permissions_boundary: is neither"),
        ({"tags": {"caribou:stage": "x"}}, "caribou.tags: has the key caribou:stage, which is not yours"),
        ({"tags": {"AWS:x": "x"}}, "has the key AWS:x, which is not yours"),
        ({"tags": {"a": 42}}, "caribou.tags.a: is not a text (found: 42). To fix: write a text, in quotes"),
        ({"tags": {"a&b": "c"}}, "has a tag that AWS does not take: a&b"),
        ({"tags": {"": "c"}}, "has a tag that AWS does not take"),
        ({"tags": {"a": "c" * 257}}, "has too long a value at a"),
        ({"tags": {f"t{i}": "" for i in range(MOST_TAGS + 1)}}, "caribou.tags: has 41 tags"),
    ],
)
def test_surroundings_when_something_of_them_is_wrong_then_the_message_says_where(settings, message):
    """With what was found, and what to write."""
    assert message in refused(settings)
