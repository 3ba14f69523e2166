"""What the reference system tells user code of a node's execution, and which functions want to be told."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from caribou.runtime.settings import Settings

_TIME_FORMAT = "%Y-%m-%d %H:%M:%S,%f%z"
_CPU_INFO = Path("/proc/cpuinfo")
_BY_POSITION = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def metadata(settings: Settings, run_id: str, node: str, started_at: float) -> dict[str, Any]:
    """The execution of a node in the reference system's words; the node's name is ours."""
    return {
        "workflow_name": f"{settings.graph.workflow}-{settings.graph.version}",
        "run_id": run_id,
        "current_instance_name": node,
        "current_provider": "aws",
        "current_region": settings.region,
        "cpu_model": cpu_model(),
        "function_start_time": datetime.fromtimestamp(started_at, UTC).strftime(_TIME_FORMAT),
    }


def wants_metadata(function: Callable[..., Any]) -> bool:
    """Whether a function has a second parameter that must be given: its first versions got the metadata there."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # a callable that Python can't look into
        return False
    return sum(p.kind in _BY_POSITION and p.default is p.empty for p in parameters) > 1


def cpu_model(path: Path = _CPU_INFO) -> str:
    """The processor's name as Linux tells it; empty where it doesn't, as on arm64."""
    with suppress(OSError), path.open(encoding="utf-8", errors="replace") as lines:
        return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return ""
