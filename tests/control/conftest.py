"""The deployed workflow that the control room's tests look at: see deployed_world.py."""

import pytest
from botocore.exceptions import ClientError
from deployed_world import aws, cloud, placed_fixture, workflow, world, written_workflow_fixture  # noqa: F401 - fixtures


@pytest.fixture
def refused(world, monkeypatch):
    """Make CloudFormation of a region refuse the credentials with an error code, to the world's clients."""

    def refuse(region, code):
        def answer(**_):
            raise ClientError({"Error": {"Code": code, "Message": "refused"}}, "DescribeStacks")

        monkeypatch.setattr(world.aws.cloudformation(region), "describe_stacks", answer)
        monkeypatch.setattr(world.aws.cloudformation(region), "get_paginator", lambda _: _Refusing(answer))

    return refuse


class _Refusing:
    def __init__(self, paginate):
        self.paginate = paginate
