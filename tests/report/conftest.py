"""What the report's tests share: made-up problems, the same as the solver's tests use."""

import importlib.util
from pathlib import Path

import pytest

INSTANCES = Path(__file__).parents[1] / "solver" / "instances.py"


@pytest.fixture(scope="session")
def instances():
    """Made-up problems: see tests/solver/instances.py."""
    spec = importlib.util.spec_from_file_location("report_instances", INSTANCES)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
