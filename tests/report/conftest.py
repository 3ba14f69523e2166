"""What the report's tests share: made-up problems, the same as the solver's tests use."""

import problem_instances
import pytest


@pytest.fixture(scope="session")
def instances():
    """Made-up problems: see problem_instances.py."""
    return problem_instances
