"""What the solver's tests share: made-up problems, and a second implementation of the model to compare with."""

import importlib.util
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def _module(name):
    spec = importlib.util.spec_from_file_location(f"solver_{name}", HERE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def instances():
    """Made-up problems: see instances.py."""
    return _module("instances")


@pytest.fixture(scope="session")
def reference():
    """The model in plain Python, run by run: see reference.py."""
    return _module("reference")


@pytest.fixture(scope="session")
def shipped():
    """The folder of the shipped instances; skips where it is absent."""
    folder = HERE.parents[1] / "../shared/problems"
    if not folder.is_dir():
        pytest.skip(f"no shipped problem instances at {folder}")
    return folder
