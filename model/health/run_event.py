"""The EventBridge event of a run that failed or expired. Of its error it has the type: texts stay in their region."""

from __future__ import annotations

from typing import Any

from caribou.model.run.item import RunItem, RunState
from caribou.model.run.text import error_type, storable

SOURCE = "caribou"
DETAIL_TYPES = {RunState.FAILED: "Run failed", RunState.EXPIRED: "Run expired"}
_LONGEST_TEXT = 500
"""Characters: a function may write anything into its run's item, and a call that is too large is refused as a whole."""


def detail_of(item: RunItem, workflow: str, stage: str) -> dict[str, Any]:
    """The event's detail. `node` and `error_type` are null of a run that expired."""
    node = None if item.failed_node is None else storable(item.failed_node, _LONGEST_TEXT)
    is_failed = item.state is RunState.FAILED
    return {
        "workflow": workflow,
        "stage": stage,
        "version": storable(item.run.workflow_version, _LONGEST_TEXT),
        "run_id": item.run.run_id,
        "node": node if is_failed else None,
        "error_type": error_type(item.error) if is_failed else None,
    }
