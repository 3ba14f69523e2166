"""Chaos's workflow for payloads: two functions that note what they were given."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from caribou.runtime import CaribouWorkflow

FOLDER = Path(os.environ.get("STORM_FOLDER", "/tmp/storm"))

workflow = CaribouWorkflow(name="sizes", version="0.0.1")


@workflow.serverless_function(name="take", entry_point=True)
def take(event: Any) -> None:
    """Hands it on as it is."""
    note("take", event)
    workflow.invoke_serverless_function(keep, event)


@workflow.serverless_function(name="keep")
def keep(event: Any) -> None:
    """Is in another region."""
    note("keep", event)


def note(node: str, event: Any) -> None:
    """Note the digest of a payload of text or bytes."""
    data = event if isinstance(event, bytes) else str(event).encode()
    said = {"node": node, "kind": type(event).__name__, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    with (FOLDER / f"{workflow.get_run_id()}.jsonl").open("a") as file:
        file.write(json.dumps(said) + "\n")
