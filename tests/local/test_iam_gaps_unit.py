"""The resources on which calls that list are authorised, as AWS names them."""

import json

import pytest

from caribou.local.iam_gaps import listed_resource


@pytest.mark.parametrize(
    ("target", "request_", "resource"),
    [
        ("AmazonSSM.GetParametersByPath", {"Path": "/caribou/dev/workflows"}, "parameter/caribou/dev/workflows"),
        ("AmazonSSM.GetParametersByPath", {}, "parameter/"),
        ("AmazonSSM.GetParametersByPath", None, "parameter/"),
        ("Logs_20140328.DescribeLogGroups", {}, "log-group::log-stream:"),
        ("AmazonSSM.DescribeParameters", {"Path": "/x"}, None),
        ("", {}, None),
    ],
)
def test_call_when_it_lists_then_its_resource_is_what_it_lists(target, request_, resource):
    """Other calls keep what the emulator found."""
    assert listed_resource(target, json.dumps(request_).encode()) == resource
