"""What a deployment meets, read from the local cloud."""

from dataclasses import replace

import pytest

from caribou.control.deploy.checks import PlacedWorkflow
from caribou.control.deploy.situation import situation_of
from caribou.model.manifest import RegionRules

pytestmark = pytest.mark.local_cloud
WEST = "us-west-2"


def test_situation_when_the_manifest_takes_a_region_from_a_function_then_it_is_among_those_that_leave(
    world, placed, written_workflow, tmp_path
):
    """The function stands in a stack whose next template lacks it; a placement never makes it leave."""
    world.home(placed(WEST))
    world.region(WEST, "first", "last")
    workflow = written_workflow(tmp_path, world.name)
    met = situation_of(world.aws, PlacedWorkflow(workflow, placed(WEST, name=world.name)), world.target)
    assert met.leaving == ()

    first = replace(workflow.manifest.functions["first"], regions=RegionRules(disallowed=(WEST,)))
    functions = {**workflow.manifest.functions, "first": first}
    narrower = replace(workflow, manifest=replace(workflow.manifest, functions=functions))
    met = situation_of(world.aws, PlacedWorkflow(narrower, placed(WEST, name=world.name)), world.target)
    assert met.leaving == ((world.names.function("first"), WEST),)
