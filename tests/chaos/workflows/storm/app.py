"""Chaos's own workflow: it does as each run's orders say, and notes every execution in a file that tests read.

An order is a list by node, an entry an execution: `raise`, `kill`, `sleep`, or `poison`, which raises until someone
puts a file called `healed` beside the notes.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from caribou.runtime import CaribouWorkflow

FOLDER = Path(os.environ.get("STORM_FOLDER", "/tmp/storm"))

workflow = CaribouWorkflow(name="storm", version="0.0.1")


class StormError(Exception):
    """What user code raises when it is ordered to."""


@workflow.serverless_function(name="start", entry_point=True)
def start(event: dict[str, Any]) -> None:
    """Calls four: two that go to the sync node, one whose branch is nested, and the sync node itself."""
    with executing("start", event):
        workflow.invoke_serverless_function(left, event)
        workflow.invoke_serverless_function(right, event, event["right"])
        workflow.invoke_serverless_function(side, event, event["side"])
        workflow.invoke_serverless_function(join, {**event, "from": "start"})


@workflow.serverless_function(name="left")
def left(event: dict[str, Any]) -> None:
    """Goes to the sync node."""
    with executing("left", event):
        workflow.invoke_serverless_function(join, {**event, "from": "left", "text": "é" * event["pad"]})


@workflow.serverless_function(name="right")
def right(event: dict[str, Any]) -> None:
    """Goes to the sync node, with bytes as they are."""
    with executing("right", event):
        workflow.invoke_serverless_function(join, {**event, "from": "right"})


@workflow.serverless_function(name="side")
def side(event: dict[str, Any]) -> None:
    """Goes on to a node of which the sync node hears nothing if it is skipped."""
    with executing("side", event):
        workflow.invoke_serverless_function(late, event, event["late"])


@workflow.serverless_function(name="late")
def late(event: dict[str, Any]) -> None:
    """Goes to the sync node, late."""
    with executing("late", event):
        workflow.invoke_serverless_function(join, {**event, "from": "late"})


@workflow.serverless_function(name="join")
def join(event: object) -> None:  # noqa: ARG001 - a sync node reads its predecessors' data
    """Waits for all, and passes on to the last node who came."""
    data = workflow.get_predecessor_data()
    with executing("join", data[0], came=[item["from"] for item in data]):
        came = [[item["from"], len(item.pop("text", ""))] for item in data]
        workflow.invoke_serverless_function(last, {**data[0], "came": came})


@workflow.serverless_function(name="last")
def last(event: dict[str, Any]) -> None:
    """Notes what came: the output of the run."""
    with executing("last", event, output=event["came"]):
        pass


@contextmanager
def executing(node: str, event: dict[str, Any], **said: Any) -> Iterator[None]:
    """Note an execution, then do as it was ordered, in the middle of user code."""
    notes = FOLDER / f"{workflow.get_run_id()}.jsonl"
    before = notes.read_text().count(f'"node": "{node}"') if notes.exists() else 0
    with notes.open("a") as file:
        file.write(json.dumps({"node": node, "pid": os.getpid(), **said}) + "\n")
    busy = FOLDER / "busy" / str(os.getpid())
    busy.touch()
    try:
        time.sleep(event["seconds"])
        yield
        _obey(dict(enumerate(event["orders"].get(node, []))).get(before), event["orders"].get(node, []))
        time.sleep(event["seconds"])
    finally:
        busy.unlink(missing_ok=True)


def _obey(order: str | None, orders: list[str]) -> None:
    """After the calls, of which all but the last are on their way: where an error hurts most."""
    if "poison" in orders and not (FOLDER / "healed").exists():
        raise StormError("poison")
    if order == "raise":
        raise StormError("as ordered")
    if order == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if order == "sleep":
        time.sleep(600)
