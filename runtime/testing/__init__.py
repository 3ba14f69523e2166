"""Workflows without a cloud: the ports in memory, and a runner that plays a whole workflow in one process.

    result = run_folder(Path("workflows/small_sync_example"), {"limit": 100})
    assert result.state == "SUCCEEDED"

The product's own code routes, joins and skips; only what is outside the process is replaced. For unreachable regions,
and messages that come twice or in any order, make a `LocalRunner` yourself. Nothing of this folder is bundled.
"""

from caribou.model.run.item import RunItem, RunState
from caribou.runtime.testing.memory import InMemoryClock, InMemoryCloud
from caribou.runtime.testing.runner import Disorder, LocalRunner, RunResult, load_functions, run_folder, run_workflow

__all__ = [
    "Disorder",
    "InMemoryClock",
    "InMemoryCloud",
    "LocalRunner",
    "RunItem",
    "RunResult",
    "RunState",
    "load_functions",
    "run_folder",
    "run_workflow",
]
