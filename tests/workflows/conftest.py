"""The benchmark workflows, loaded as Lambda would load them: from their own folder."""

import importlib.util
import sys
from pathlib import Path

import pytest

WORKFLOWS = Path(__file__).parents[2] / "workflows"


@pytest.fixture
def load(monkeypatch):
    """A function that loads a module of a workflow, under a name of its own: each workflow has an app.py."""

    def load(workflow, module="app"):
        folder = WORKFLOWS / workflow
        monkeypatch.syspath_prepend(folder)
        spec = importlib.util.spec_from_file_location(f"{workflow}_{module}", folder / f"{module}.py")
        loaded = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, loaded)
        spec.loader.exec_module(loaded)
        return loaded

    return load
