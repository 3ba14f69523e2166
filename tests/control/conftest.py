"""The deployed workflow that the control room's tests look at: see deployed_world.py."""

from deployed_world import aws, cloud, placed_fixture, refused, workflow, world, written_workflow_fixture  # noqa: F401 - fixtures
