"""What IAM is asked when AWS is called: the calls that botocore makes, and whether policies allow them."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain

import boto3
import pytest
from botocore import handlers
from builders import ROOT

FREE = frozenset({"sts:GetCallerIdentity"})
"""Calls that need no permission."""


_ON_THE_PAGE = "111122223333"


@dataclass(frozen=True, order=True)
class Asked:
    """An action on a resource, which IAM must allow."""

    action: str
    resource: str


def asked_of(service, operation, parameters, region, account):
    """What IAM is asked for a call: the service authorization reference, for the calls that Caribou makes."""
    found = _ASKED[service](operation, parameters, f"{region}:{account}")
    return [one for one in found if one.action not in FREE]


def _cloudformation(operation, parameters, place):
    name = parameters.get("StackName")
    if name is None:  # all stacks: CloudFormation asks for both, on everything
        return [Asked(f"cloudformation:{action}", "*") for action in (operation, "ListStacks")]
    stack = name if name.startswith("arn:") else f"arn:aws:cloudformation:{place}:stack/{name}/id"
    return [Asked(f"cloudformation:{operation}", stack)]


def _dynamodb(operation, parameters, place):
    if operation == "TransactWriteItems":  # each action is asked for by itself
        actions = [action for item in parameters["TransactItems"] for action in item.items()]
        return [one for name, own in actions for one in _dynamodb(f"{name}Item", own, place)]
    tables = parameters["RequestItems"] if "RequestItems" in parameters else [parameters["TableName"]]
    index = f"/index/{parameters['IndexName']}" if "IndexName" in parameters else ""
    return [Asked(f"dynamodb:{operation}", f"arn:aws:dynamodb:{place}:table/{table}{index}") for table in tables]


def _s3(operation, parameters, place):
    del place
    bucket = f"arn:aws:s3:::{parameters.get('Bucket')}"
    match operation:
        case "ListBuckets":
            return [Asked("s3:ListAllMyBuckets", "*")]
        case "GetObject":  # without the second, S3 answers 403 for a key that is not there
            return [Asked("s3:GetObject", f"{bucket}/{parameters['Key']}"), Asked("s3:ListBucket", bucket)]
        case "DeleteObjects":  # the first always, the second for versions: S3's API reference
            keys = {one["Key"] for one in parameters["Delete"]["Objects"]}
            actions = ("s3:DeleteObject", "s3:DeleteObjectVersion")
            return [Asked(action, f"{bucket}/{key}") for key in keys for action in actions]
        case "ListObjectsV2" | "ListObjectVersions" | "CreateBucket" | "DeleteBucket":
            names = {"ListObjectsV2": "ListBucket", "ListObjectVersions": "ListBucketVersions"}
            return [Asked(f"s3:{names.get(operation, operation)}", bucket)]
    return [Asked(f"s3:{operation}", f"{bucket}/{parameters['Key']}")]


def _logs(operation, parameters, place):
    if operation == "DescribeLogGroups":
        return [Asked(f"logs:{operation}", f"arn:aws:logs:{place}:log-group::log-stream:")]
    group = f"arn:aws:logs:{place}:log-group:{parameters['logGroupName']}"
    return [Asked(f"logs:{operation}", f"{group}:log-stream:")]


def _ssm(operation, parameters, place):
    return [Asked(f"ssm:{operation}", f"arn:aws:ssm:{place}:parameter{parameters.get('Name', parameters.get('Path'))}")]


def _sqs(operation, parameters, place):
    name = parameters["QueueName"] if "QueueName" in parameters else parameters["QueueUrl"].rpartition("/")[2]
    return [Asked(f"sqs:{operation}", f"arn:aws:sqs:{place}:{name}")]


def _lambda(operation, parameters, place):
    action = {"Invoke": "InvokeFunction"}.get(operation, operation)
    return [Asked(f"lambda:{action}", f"arn:aws:lambda:{place}:function:{parameters['FunctionName']}")]


_ASKED = {
    "cloudformation": _cloudformation,
    "dynamodb": _dynamodb,
    "lambda": _lambda,
    "logs": _logs,
    "s3": _s3,
    "sns": lambda operation, parameters, _: [Asked(f"sns:{operation}", parameters["TopicArn"])],
    "sqs": _sqs,
    "ssm": _ssm,
    "sts": lambda operation, _, __: [Asked(f"sts:{operation}", "*")],
}


@contextmanager
def recorded(account):
    """Within it, what IAM is asked by this process's clients that are made in it is added to the set that it gives."""
    found = set()

    def note(params, model, context, **_):
        service = model.service_model.service_name
        found.update(asked_of(service, model.name, params, context["client_region"], account))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(handlers, "BUILTIN_HANDLERS", [*handlers.BUILTIN_HANDLERS, ("before-parameter-build", note)])
        patch.setattr(boto3, "DEFAULT_SESSION", None)
        yield found


def allows(policy, asked):
    """Whether a statement of a policy document allows an action on a resource. Its conditions are not looked at."""
    return any(
        _any_matches(statement["Action"], asked.action) and _any_matches(statement["Resource"], asked.resource)
        for statement in policy["Statement"]
    )


def actions_of(policy):
    """Every action that a policy document names."""
    return sorted(chain.from_iterable(map(_listed, (statement["Action"] for statement in policy["Statement"]))))


def _any_matches(patterns, value):
    return any(_matches(pattern, value) for pattern in _listed(patterns))


def _listed(values):
    return [values] if isinstance(values, str) else values


def _matches(pattern, value):
    """As IAM does: `*` stands for any text, `?` for one character."""
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), value) is not None


def policies_of_the_page(account):
    """docs/permissions.md: each heading, without marks of code, to the policies below it, for an account."""
    found = {}
    for section in re.split(r"^## ", (ROOT / "docs" / "permissions.md").read_text(), flags=re.MULTILINE)[1:]:
        heading, _, text = section.partition("\n")
        blocks = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
        found[heading.replace("`", "")] = [json.loads(block.replace(_ON_THE_PAGE, account)) for block in blocks]
    return found
