"""What every test may use, and how tests are spread over processes."""

import os

import boto3
import pytest

from caribou.local import LocalCloud

TOGETHER = ("chaos", "solver", "stacks")
"""Folders whose tests share what takes long to make: each goes to one process as a whole."""
LONGEST_FIRST = ("chaos", "e2e", "local")
"""Folders that are begun first, so that no process is left with a long one at the end."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    """Group tests for `pytest -n 2 --dist loadgroup`: a file, or a folder of TOGETHER, stays in one process."""
    for item in items:
        folder = _folder(item, config)
        item.add_marker(pytest.mark.xdist_group(folder if folder in TOGETHER else str(item.path)))
    items.sort(key=lambda item: _rank(_folder(item, config)))


def _folder(item, config):
    """The folder below tests/ that a test is in; a user's own test elsewhere is in none."""
    root = config.rootpath / "tests"
    return item.path.relative_to(root).parts[0] if item.path.is_relative_to(root) else ""


def _rank(folder):
    return LONGEST_FIRST.index(folder) if folder in LONGEST_FIRST else len(LONGEST_FIRST)


@pytest.fixture(scope="session")
def local_cloud(tmp_path_factory):
    """One local cloud for all tests of a session, with three regions bootstrapped.

    Tests share it: use names of your own, or `local_cloud.as_account(...)`. It ends with the session, and with
    this process however that ends.
    """
    state = tmp_path_factory.mktemp("local-cloud")
    with LocalCloud.start(state, regions=("us-east-1", "us-west-2", "ca-central-1")) as cloud:
        yield cloud


@pytest.fixture
def led_to(monkeypatch):
    """`led_to(cloud, region=…)`: let this process's AWS clients talk to a cloud, as its account, for this test."""

    def lead(cloud, region="us-east-1"):
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            monkeypatch.delenv(name)
        for name, value in cloud.variables(region).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # another test's would keep that one's account
        return cloud

    return lead
