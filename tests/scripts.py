"""The scripts in benchmarks/, as modules."""

import importlib.util
import sys
from functools import cache

from builders import ROOT


@cache
def script(name):
    """A script as a module, whose `__main__` part does not run."""
    path = ROOT / "benchmarks" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"benchmarks_{name}", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module
