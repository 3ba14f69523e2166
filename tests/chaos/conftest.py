"""Workflows of chaos's own on a local cloud behind a fault proxy, one for all tests of a session."""

import importlib.util
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest


def _storm():
    spec = importlib.util.spec_from_file_location("chaos_storm", Path(__file__).with_name("storm.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def storm():
    """The campaign and the project that it plays in: see storm.py."""
    return _storm()


@dataclass(frozen=True)
class Place:
    """A project whose functions' calls pass through a proxy."""

    project: object
    proxy: object


@pytest.fixture(scope="session")
def place(storm, tmp_path_factory):
    """The storm's two workflows and the one for payloads, deployed; this process's AWS settings lead there."""
    root = tmp_path_factory.mktemp("chaos")
    workflows = (storm.STORM, storm.SAMPLE, "sizes", "crowd")
    with storm.project_in_a_storm(root, *workflows) as (project, proxy), pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        for name, value in project.cloud.variables().items():
            patch.setenv(name, value)
        yield Place(project, proxy)


@pytest.fixture
def calm(place, storm):
    """The place with no faults, whatever a test before it has left."""
    place.proxy.weather = storm.Weather()
    yield place
    place.proxy.weather = storm.Weather()
