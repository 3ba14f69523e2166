"""Entries in a ledger: a payload within a text, metadata asked for, a branch that is skipped as a whole."""

import json
from tempfile import TemporaryDirectory
from typing import Any

from caribou.deployment.client.caribou_workflow import CaribouWorkflow

workflow = CaribouWorkflow(name="ledger", version="1.2")


@workflow.serverless_function(
    name="GetInput",
    entry_point=True,
    allow_placement_decision_override=True,
)
def get_input(event: dict[str, Any]) -> dict[str, Any]:
    """Find the payload within a text of the event."""
    request = json.loads(event["request"])

    if "amounts" in request:
        amounts = request["amounts"]
    else:
        raise ValueError("No amounts provided")

    with TemporaryDirectory() as tmp_dir:
        path = f"{tmp_dir}/amounts.json"

        with open(path, "w") as file:  # noqa: PTH123 - as people write it
            json.dump(amounts, file)

        with open(path) as file:  # noqa: PTH123
            payloads = [{"amount": amount} for amount in json.load(file)]

        # Entry 1
        workflow.invoke_serverless_function(enter, payloads[0])

        # Entry 2 (if there is one)
        payload = payloads[1] if len(payloads) > 1 else None
        workflow.invoke_serverless_function(enter, payload, len(payloads) > 1)

        # Correction (if there is something to correct)
        workflow.invoke_serverless_function(correct, payloads, conditional=any(p["amount"] < 0 for p in payloads))

        return {"status": 200}


@workflow.serverless_function(name="Enter")
def enter(event: dict[str, Any]) -> dict[str, Any]:
    """Get a payload that was made for it."""
    workflow.invoke_serverless_function(balance, event["amount"])
    return {"status": 200, "region": workflow.get_caribou_metadata()["current_region"]}


@workflow.serverless_function(name="Correct")
def correct(event: list[dict[str, Any]]) -> dict[str, Any]:
    """Lead to a sync node of its own, which is skipped with it."""
    for entry in event:
        entry["amount"] = max(entry["amount"], 0)

    workflow.invoke_serverless_function(review, event)
    workflow.invoke_serverless_function(review, "second opinion", len(event) > 1)

    return {"status": 200}


@workflow.serverless_function(name="Review")
def review(event: dict[str, Any]) -> dict[str, Any]:
    """A sync node that is reached through a condition only, and calls another one."""
    corrections = workflow.get_predecessor_data()
    workflow.invoke_serverless_function(balance, {"corrections": corrections, "event": event})
    return {"status": 200}


@workflow.serverless_function(name="Balance")
def balance(event: dict[str, Any]) -> dict[str, Any]:
    """A sync node for whatever has come."""
    entries = workflow.get_predecessor_data()
    return {"status": 200, "event": event, "entries": entries}
