"""The names that users and apps import: a name that goes, or comes, is a change that somebody meant."""

import importlib
import inspect
import pkgutil
from types import ModuleType

import pytest
from constructs import Construct

import caribou

EXPORTED = {
    "caribou.runtime": {"CaribouWorkflow"},
    "caribou.runtime.testing": {
        *("Disorder", "InMemoryClock", "InMemoryCloud", "LocalRunner", "RunItem", "RunResult", "RunState"),
        *("load_functions", "run_folder", "run_workflow"),
    },
    "caribou.stacks": {"WorkflowStacks", "add_workflows", "synthesise"},
    "caribou.local": {"DEFAULT_REGIONS", "LocalCloud"},
}
CONSTRUCTS = {
    "alarms": {"Alarms"},
    "placement_layer": {"PlacementLayer"},
    "registration_parameter": {"RegistrationParameter"},
    "run_state": {"RunState"},
    "scheduled_function": {"ScheduledFunction"},
    "start_topic": {"StartTopic"},
    "sync_state": {"SyncState"},
    "workflow_function": {"WorkflowFunction"},
    "workflow_role": {"WorkflowRole"},
}
"""The constructs by module: `caribou.constructs` is a namespace, which exports nothing itself (ADR 1)."""


def public_names(module):
    """What a module has that is neither private nor a module."""
    return {n for n, value in vars(module).items() if not n.startswith("_") and not isinstance(value, ModuleType)}


def constructs_of(module):
    """The public constructs that a module defines."""
    classes = inspect.getmembers(module, inspect.isclass)
    mine = {name: value for name, value in classes if value.__module__ == module.__name__ and not name.startswith("_")}
    return {name for name, value in mine.items() if issubclass(value, Construct)}


@pytest.mark.parametrize("package", sorted(EXPORTED))
def test_package_when_its_names_are_listed_then_they_are_those_that_it_exports(package):
    """`__all__` is all that is there, and in the order of the alphabet."""
    module = importlib.import_module(package)

    assert set(module.__all__) == EXPORTED[package]
    assert public_names(module) == EXPORTED[package]
    assert module.__all__ == sorted(module.__all__)


@pytest.mark.parametrize(("package", "name"), sorted((p, name) for p, names in EXPORTED.items() for name in names))
def test_exported_name_when_help_is_asked_then_there_is_some(package, name):
    """Classes and functions have a docstring of their own."""
    value = getattr(importlib.import_module(package), name)

    assert not callable(value) or value.__doc__


def test_constructs_when_their_modules_are_looked_through_then_they_are_those_listed():
    """Whoever composes stacks of their own imports a construct from its module."""
    names = [module.name for module in pkgutil.iter_modules([f"{caribou.__path__[0]}/constructs"])]
    modules = {name: importlib.import_module(f"caribou.constructs.{name}") for name in names}

    found = {name: constructs_of(module) for name, module in modules.items()}
    assert {name: classes for name, classes in found.items() if classes} == CONSTRUCTS
