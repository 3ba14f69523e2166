"""What tests of verbs share: a deployed workflow, see deployed_world.py; made-up problems."""

import problem_instances
import pytest
from deployed_world import aws, cloud, placed_fixture, workflow, world, written_workflow_fixture  # noqa: F401 - fixtures
from run_records import diamond, make  # noqa: F401 - fixtures


@pytest.fixture(scope="session")
def instances():
    """Made-up problems: see problem_instances.py."""
    return problem_instances
