"""What every test may use, and how tests are spread over processes."""

import os
from pathlib import PurePosixPath

import boto3
import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

from caribou.local import LocalCloud

# The same examples each time, as quick or slow as the machine is. More of them, which the two variables ask for, are
# drawn anew.
settings.register_profile(
    "steady",
    derandomize=not {"CARIBOU_EXAMPLES", "CARIBOU_FUZZ"} & os.environ.keys(),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("steady")

TOGETHER = ("chaos", "solver", "stacks")
"""Folders whose tests share what takes long to make: each goes to one process as a whole."""
LONGEST_FIRST = ("chaos", "e2e", "solver", "stacks", "local")
"""Folders that are begun first, so that no process is left with a long one at the end."""


class ByFile(LoadScopeScheduling):
    """Spreads tests over processes: a file, or a folder of TOGETHER, stays in one.

    In place of `--dist loadgroup`, whose groups pytest-xdist 3.8 writes where pytest 9.2 does not look any more.
    """

    def _split_scope(self, nodeid):
        path = nodeid.partition("::")[0]
        return _folder(path) if _folder(path) in TOGETHER else path


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Asked for with `-n`."""
    return ByFile(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Begin with what takes longest, after pytest-randomly has shuffled."""
    items.sort(key=lambda item: _rank(_folder(item.nodeid)))


def _folder(nodeid):
    """The folder below tests/ that a test is in; a user's own test elsewhere is in none."""
    head, *rest = PurePosixPath(nodeid.partition("::")[0]).parts
    return rest[0] if head == "tests" and len(rest) > 1 else ""


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
