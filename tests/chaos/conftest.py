"""Workflows of chaos's own on a local cloud behind a fault proxy, one for all tests of a session."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for the modules beside this one

from deployed import CROWD, SAMPLE, SIZES, STORM, Deployed, behind_a_proxy
from faults import FaultProxy, Weather


@dataclass(frozen=True)
class Place:
    """Workflows whose functions' calls pass through a proxy."""

    project: Deployed
    proxy: FaultProxy


@pytest.fixture(scope="session")
def place(tmp_path_factory):
    """The storm's two workflows, and those for payloads, deployed; this process's AWS settings lead there."""
    root = tmp_path_factory.mktemp("chaos")
    with behind_a_proxy(root, STORM, SAMPLE, SIZES, CROWD) as (project, proxy), pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        for name, value in project.cloud.variables().items():
            patch.setenv(name, value)
        yield Place(project, proxy)


@pytest.fixture
def calm(place):
    """The place with no faults, whatever a test before it has left."""
    place.proxy.weather = Weather()
    yield place
    place.proxy.weather = Weather()
