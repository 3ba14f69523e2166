"""The simulator's modules can be imported, and processes do not ask the machine for its CPU time, which is slow."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from caribou.runtime import node


@pytest.fixture(autouse=True)
def cpu_time(monkeypatch):
    """CPU time is none of the simulator's business."""
    monkeypatch.setattr(node, "cpu_s", lambda: 0.0)
