"""The names that users import: they may be added to, and what is here stays."""

import importlib

import pytest

PUBLIC = {
    "caribou.runtime": ["CaribouWorkflow"],
    "caribou.runtime.testing": [
        *("Disorder", "InMemoryClock", "InMemoryCloud", "LocalRunner", "RunItem", "RunResult", "RunState"),
        *("load_functions", "run_folder", "run_workflow"),
    ],
    "caribou.stacks": ["synthesise"],
}
CONSTRUCTS = {
    "placement_layer": ["PlacementLayer"],
    "registration_parameter": ["RegistrationParameter"],
    "run_state": ["RunState"],
    "scheduled_function": ["ScheduledFunction", "ScheduledProps"],
    "sync_state": ["SyncState"],
    "workflow_function": ["FunctionProps", "WorkflowFunction"],
    "workflow_role": ["RoleProps", "WorkflowRole"],
}
"""Each file of `caribou.constructs` with the construct that it is for, and its props."""


@pytest.mark.parametrize("package", PUBLIC)
def test_package_when_imported_then_its_public_names_are_these(package):
    """`__all__` is what a user may rely on, and all of it is there."""
    module = importlib.import_module(package)
    assert sorted(module.__all__) == PUBLIC[package]
    assert all(hasattr(module, name) for name in module.__all__)


@pytest.mark.parametrize("file", CONSTRUCTS)
def test_construct_when_imported_then_its_file_has_it_and_its_props(file):
    """One construct a file, named alike."""
    module = importlib.import_module(f"caribou.constructs.{file}")
    own = [name for name, value in vars(module).items() if getattr(value, "__module__", None) == module.__name__]
    classes = [name for name in own if isinstance(getattr(module, name), type)]
    assert sorted(classes) == CONSTRUCTS[file]
