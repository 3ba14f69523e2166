"""Commands of the AWS CLI, as pages of the docs have them, read and given by boto3: the CLI is none of our tools."""

from __future__ import annotations

import shlex
from typing import Any, NamedTuple

import botocore.session
from botocore import xform_name


class AwsCommand(NamedTuple):
    """A call of AWS's API: boto3's names of service and method, its arguments, and the region, None if none is said."""

    service: str
    method: str
    arguments: dict[str, Any]
    region: str | None

    def give(self, cloud):
        """Make the call at a local cloud; its answer."""
        client = cloud.client(self.service) if self.region is None else cloud.client(self.service, self.region)
        return getattr(client, self.method)(**self.arguments)


def aws_command(text):
    """Read `aws SERVICE OPERATION --option value …`. AssertionError if AWS has no such operation, option, or need."""
    program, service, called, *rest = shlex.split(text)
    assert program == "aws"
    given = dict(zip(rest[::2], rest[1::2], strict=True))
    region = given.pop("--region", None)
    model = botocore.session.get_session().get_service_model(service)
    names = {xform_name(name, "-"): name for name in model.operation_names}
    assert called in names, text
    shape = model.operation_model(names[called]).input_shape
    members = {} if shape is None else {f"--{xform_name(name, '-')}": name for name in shape.members}
    assert given.keys() <= members.keys(), text
    arguments = {members[option]: _value(shape.members[members[option]], value) for option, value in given.items()}
    assert set(() if shape is None else shape.required_members) <= arguments.keys(), text
    return AwsCommand(service, xform_name(names[called]), arguments, region)


def _value(shape, text):
    match shape.type_name:
        case "integer":
            return int(text) if text.isdigit() else text
        case "list":
            return text.split()
    return text
