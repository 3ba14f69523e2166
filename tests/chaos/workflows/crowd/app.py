"""Chaos's workflow for a crowd: a hundred predecessors of one sync node, each with 300 KB."""

from __future__ import annotations

import json
import os
from pathlib import Path

from caribou.runtime import CaribouWorkflow

FOLDER = Path(os.environ.get("STORM_FOLDER", "/tmp/storm"))
SIZE = 300_000

workflow = CaribouWorkflow(name="crowd", version="0.0.1")


@workflow.serverless_function(name="call", entry_point=True)
def call(event: object) -> None:  # noqa: ARG001, PLR0915 - a hundred calls
    """Calls a hundred times; a loop can't be read out of the source."""
    workflow.invoke_serverless_function(bring, 0)
    workflow.invoke_serverless_function(bring, 1)
    workflow.invoke_serverless_function(bring, 2)
    workflow.invoke_serverless_function(bring, 3)
    workflow.invoke_serverless_function(bring, 4)
    workflow.invoke_serverless_function(bring, 5)
    workflow.invoke_serverless_function(bring, 6)
    workflow.invoke_serverless_function(bring, 7)
    workflow.invoke_serverless_function(bring, 8)
    workflow.invoke_serverless_function(bring, 9)
    workflow.invoke_serverless_function(bring, 10)
    workflow.invoke_serverless_function(bring, 11)
    workflow.invoke_serverless_function(bring, 12)
    workflow.invoke_serverless_function(bring, 13)
    workflow.invoke_serverless_function(bring, 14)
    workflow.invoke_serverless_function(bring, 15)
    workflow.invoke_serverless_function(bring, 16)
    workflow.invoke_serverless_function(bring, 17)
    workflow.invoke_serverless_function(bring, 18)
    workflow.invoke_serverless_function(bring, 19)
    workflow.invoke_serverless_function(bring, 20)
    workflow.invoke_serverless_function(bring, 21)
    workflow.invoke_serverless_function(bring, 22)
    workflow.invoke_serverless_function(bring, 23)
    workflow.invoke_serverless_function(bring, 24)
    workflow.invoke_serverless_function(bring, 25)
    workflow.invoke_serverless_function(bring, 26)
    workflow.invoke_serverless_function(bring, 27)
    workflow.invoke_serverless_function(bring, 28)
    workflow.invoke_serverless_function(bring, 29)
    workflow.invoke_serverless_function(bring, 30)
    workflow.invoke_serverless_function(bring, 31)
    workflow.invoke_serverless_function(bring, 32)
    workflow.invoke_serverless_function(bring, 33)
    workflow.invoke_serverless_function(bring, 34)
    workflow.invoke_serverless_function(bring, 35)
    workflow.invoke_serverless_function(bring, 36)
    workflow.invoke_serverless_function(bring, 37)
    workflow.invoke_serverless_function(bring, 38)
    workflow.invoke_serverless_function(bring, 39)
    workflow.invoke_serverless_function(bring, 40)
    workflow.invoke_serverless_function(bring, 41)
    workflow.invoke_serverless_function(bring, 42)
    workflow.invoke_serverless_function(bring, 43)
    workflow.invoke_serverless_function(bring, 44)
    workflow.invoke_serverless_function(bring, 45)
    workflow.invoke_serverless_function(bring, 46)
    workflow.invoke_serverless_function(bring, 47)
    workflow.invoke_serverless_function(bring, 48)
    workflow.invoke_serverless_function(bring, 49)
    workflow.invoke_serverless_function(bring, 50)
    workflow.invoke_serverless_function(bring, 51)
    workflow.invoke_serverless_function(bring, 52)
    workflow.invoke_serverless_function(bring, 53)
    workflow.invoke_serverless_function(bring, 54)
    workflow.invoke_serverless_function(bring, 55)
    workflow.invoke_serverless_function(bring, 56)
    workflow.invoke_serverless_function(bring, 57)
    workflow.invoke_serverless_function(bring, 58)
    workflow.invoke_serverless_function(bring, 59)
    workflow.invoke_serverless_function(bring, 60)
    workflow.invoke_serverless_function(bring, 61)
    workflow.invoke_serverless_function(bring, 62)
    workflow.invoke_serverless_function(bring, 63)
    workflow.invoke_serverless_function(bring, 64)
    workflow.invoke_serverless_function(bring, 65)
    workflow.invoke_serverless_function(bring, 66)
    workflow.invoke_serverless_function(bring, 67)
    workflow.invoke_serverless_function(bring, 68)
    workflow.invoke_serverless_function(bring, 69)
    workflow.invoke_serverless_function(bring, 70)
    workflow.invoke_serverless_function(bring, 71)
    workflow.invoke_serverless_function(bring, 72)
    workflow.invoke_serverless_function(bring, 73)
    workflow.invoke_serverless_function(bring, 74)
    workflow.invoke_serverless_function(bring, 75)
    workflow.invoke_serverless_function(bring, 76)
    workflow.invoke_serverless_function(bring, 77)
    workflow.invoke_serverless_function(bring, 78)
    workflow.invoke_serverless_function(bring, 79)
    workflow.invoke_serverless_function(bring, 80)
    workflow.invoke_serverless_function(bring, 81)
    workflow.invoke_serverless_function(bring, 82)
    workflow.invoke_serverless_function(bring, 83)
    workflow.invoke_serverless_function(bring, 84)
    workflow.invoke_serverless_function(bring, 85)
    workflow.invoke_serverless_function(bring, 86)
    workflow.invoke_serverless_function(bring, 87)
    workflow.invoke_serverless_function(bring, 88)
    workflow.invoke_serverless_function(bring, 89)
    workflow.invoke_serverless_function(bring, 90)
    workflow.invoke_serverless_function(bring, 91)
    workflow.invoke_serverless_function(bring, 92)
    workflow.invoke_serverless_function(bring, 93)
    workflow.invoke_serverless_function(bring, 94)
    workflow.invoke_serverless_function(bring, 95)
    workflow.invoke_serverless_function(bring, 96)
    workflow.invoke_serverless_function(bring, 97)
    workflow.invoke_serverless_function(bring, 98)
    workflow.invoke_serverless_function(bring, 99)


@workflow.serverless_function(name="bring")
def bring(number: int) -> None:
    """Brings 300 KB that say who brought them."""
    workflow.invoke_serverless_function(gather, f"{number:03}" + "x" * SIZE)


@workflow.serverless_function(name="gather")
def gather(event: object) -> None:  # noqa: ARG001 - a sync node reads its predecessors' data
    """Notes who came."""
    came = [[item[:3], len(item)] for item in workflow.get_predecessor_data()]
    with (FOLDER / f"{workflow.get_run_id()}.jsonl").open("a") as file:
        file.write(json.dumps({"node": "gather", "came": came}) + "\n")
