"""Two first deployments at once, before there is a table to lock in; the CDK is played."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from waiting import BACKSTOP_S

from caribou.control.deploy.checks import PlacedWorkflow
from caribou.control.deploy.deploy import Rollout
from caribou.control.target import Target
from caribou.model.errors import OperationFailedError

pytestmark = pytest.mark.local_cloud
NEW = Target("new", "us-west-2")
"""A stage at which nothing is deployed."""


class Cdk:
    """Deploys nothing, but does something meanwhile."""

    def __init__(self, meanwhile=lambda: None):
        self._meanwhile, self.deployed = meanwhile, []

    def deploy(self, request):
        """Note what was asked for."""
        self._meanwhile()
        self.deployed.append(request.workflow)


@pytest.fixture
def first(aws, tmp_path, monkeypatch, written_workflow, placed):
    """`first(name, cdk, notify)`: deploy a workflow for the first time."""
    monkeypatch.setenv("CARIBOU_CACHE_DIR", str(tmp_path))
    workflows = {name: written_workflow(tmp_path, name) for name in ("shop", "bakery")}

    def deploy(name, cdk, notify=lambda _: None):
        wanted = PlacedWorkflow(workflows[name], placed(name=name))
        Rollout(aws, NEW, cdk, notify).deploy([wanted], force=False, everything=False)

    return deploy


def test_first_deploys_when_two_are_of_one_workflow_then_the_second_is_refused_and_says_who_is_at_it(first):
    """There is no run table and no control plane to lock in."""
    second = Cdk()

    def meanwhile():
        with pytest.raises(OperationFailedError, match=r"Workflow-shop: process \d+ has been deploying since"):
            first("shop", second)

    cdk = Cdk(meanwhile)
    first("shop", cdk)
    assert (cdk.deployed, second.deployed) == (["shop"], [])


def test_first_deploys_when_two_workflows_need_the_control_plane_then_the_second_waits_until_it_is_there(first):
    """One makes it; both would have, and one of them failed in CloudFormation."""
    waits, said = Event(), []

    def notify(message):
        said.append(message)
        waits.set()

    with ThreadPoolExecutor() as threads:
        second = Cdk()
        others = []

        def meanwhile():
            others.append(threads.submit(first, "bakery", second, notify))
            assert waits.wait(BACKSTOP_S)
            assert second.deployed == []

        first("shop", Cdk(meanwhile))
        others[0].result(BACKSTOP_S)
    assert second.deployed == ["bakery"]
    assert "CaribouControlPlane: process" in said[0]
