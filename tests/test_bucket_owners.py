"""Buckets are ours: every call of S3 in our code says whose the bucket must be, every statement of ours too."""

import ast
import json
from itertools import chain

import pytest
from builders import ROOT

ROOMS = ("runtime", "control", "collectors", "cli", "solver", "local")
OWNER, CONDITION = "ExpectedBucketOwner", "aws:ResourceAccount"
WITHOUT_OWNER = {"create_bucket"}
"""Operations that have no such parameter: a bucket that is made is ours, or it is refused."""
POLICIES = sorted((ROOT / "workflows").glob("*/.caribou/iam_policy.json"))


def calls_of_s3(path):
    """The calls in a file that name a bucket to S3: their place, their name, and their arguments' names."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and any(keyword.arg == "Bucket" for keyword in node.keywords):
            yield f"{path.name}:{node.lineno}", node.func.attr, {keyword.arg for keyword in node.keywords}


def test_calls_of_s3_when_they_name_a_bucket_then_they_say_whose_it_must_be():
    """Anyone may have made a bucket of that name; nine or more calls, so that none is overlooked for a new spelling."""
    files = chain.from_iterable((ROOT / room).rglob("*.py") for room in ROOMS)
    calls = [call for path in files for call in calls_of_s3(path)]
    assert len(calls) >= 9
    assert [call for call in calls if OWNER not in call[2] and call[1] not in WITHOUT_OWNER] == []


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.parent.parent.name)
def test_sample_policies_when_they_name_buckets_then_they_are_of_the_account(path):
    """What users copy has the condition."""
    for statement in json.loads(path.read_text())["Statement"]:
        assert statement["Condition"]["StringEquals"][CONDITION] == "${account}"
