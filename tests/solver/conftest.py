"""What the solver's tests share: made-up problems, and a second implementation of the model to compare with."""

import importlib.util
import sys
from pathlib import Path

import problem_instances
import pytest

HERE = Path(__file__).parent


def _module(name):
    spec = importlib.util.spec_from_file_location(f"solver_{name}", HERE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def instances():
    """Made-up problems: see problem_instances.py."""
    return problem_instances


@pytest.fixture(scope="session")
def reference():
    """The model in plain Python, run by run: see reference.py."""
    return _module("reference")


@pytest.fixture(scope="session")
def observed_reference():
    """What a placement changes of an observed run, in plain Python: see observed_reference.py."""
    return _module("observed_reference")


@pytest.fixture(scope="session")
def oracle():
    """Closed-form expectations of trees: see oracle.py."""
    sys.path.insert(0, str(HERE))
    try:
        return _module("oracle")
    finally:
        sys.path.remove(str(HERE))


@pytest.fixture(scope="session")
def shipped():
    """The folder of the shipped instances; skips where it is absent."""
    if not problem_instances.SHIPPED.is_dir():
        pytest.skip(f"no shipped problem instances at {problem_instances.SHIPPED}")
    return problem_instances.SHIPPED
