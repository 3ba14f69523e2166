"""Letters are weighed, stamped and sorted: payloads of all kinds, hyphens, sync nodes that call, other modules."""

import json
import logging
import os
from typing import Any

from caribou.deployment.client import CaribouWorkflow

logger = logging.getLogger()
logger.setLevel(logging.INFO)

workflow = CaribouWorkflow(name="post_office", version="0.0.1")

from src.weights import grams_of  # noqa: E402 - as people write it
from stamps import stamp  # noqa: E402 - which imports the workflow from here


@workflow.serverless_function(
    name="Front-Desk",
    entry_point=True,
    regions_and_providers={
        "allowed_regions": [
            {
                "provider": "aws",
                "region": "us-east-1",
            }
        ],
        "disallowed_regions": None,
        "providers": {
            "aws": {
                "config": {
                    "timeout": 30,
                    "memory": 256,
                },
            },
        },
    },
    environment_variables=[{"key": "GREETING", "value": "Good morning"}],
)
def front_desk(event: dict[str, Any], metadata: dict[str, Any]) -> dict[str, Any]:
    """Take an event, or one as JSON text, and the metadata."""
    if isinstance(event, str):
        event = json.loads(event)

    if "sender" in event:
        sender = event["sender"]
    else:
        raise ValueError("No sender provided")

    logger.info("%s, %s", os.environ.get("GREETING", "Hello"), sender)

    payload = "a postcard"

    workflow.invoke_serverless_function(weigh, payload)

    payload = {
        "sender": sender,
        "seal": b"\x00\xffseal",
        "pages": [[1, [b"first", None]], [2, [b"second", {"deep": [b"", 0.5]}]]],
        "by_number": {7: "seven"},
        "postage": float("inf"),
    }

    workflow.invoke_serverless_function(stamp, payload)

    payload["sender"] = "nobody: the payload has been taken"

    workflow.invoke_serverless_function(ring_bell)

    payload = "a parcel" if "parcel" in event else None
    workflow.invoke_serverless_function(weigh, payload, "parcel" in event)

    return {"status": 200, "node": metadata["current_instance_name"], "run": metadata["run_id"]}


@workflow.serverless_function(name="Weigh")
def weigh(event: str) -> dict[str, Any]:
    """Get a text, and call one sync node twice."""
    workflow.invoke_serverless_function(sort_mail, {"item": event, "grams": grams_of(event)})
    workflow.invoke_serverless_function(sort_mail, {"item": event, "fragile": event.endswith("parcel")}, True)  # noqa: FBT003
    return {"status": 200}


@workflow.serverless_function(name="Ring-Bell")
def ring_bell(event: dict[str, Any]) -> dict[str, Any]:
    """Get no payload."""
    loud = event["loud"] if "loud" in event else False  # noqa: SIM401 - as people write it

    workflow.invoke_serverless_function(archive, [loud, len(event)])

    return {"status": 200}


@workflow.serverless_function(name="Sort-Mail")
def sort_mail(event: dict[str, Any]) -> dict[str, Any]:
    """A sync node that calls a plain node, and another sync node on a condition."""
    items = workflow.get_predecessor_data()

    workflow.invoke_serverless_function(deliver, items)
    workflow.invoke_serverless_function(archive, len(items), len(items) > 3)

    return {"status": 200, "event": event}


@workflow.serverless_function(name="Deliver")
def deliver(event: list[Any]) -> dict[str, Any]:
    """A leaf, which gets a list."""
    print(event)  # noqa: T201 - as people write it
    return {"status": 200, "items": event}


@workflow.serverless_function(name="Archive")
def archive(event: dict[str, Any], metadata: dict[str, Any]) -> dict[str, Any]:
    """A sync node and a leaf, with metadata."""
    kept = workflow.get_predecessor_data()
    same_run = metadata["run_id"] == workflow.get_run_id()
    return {"status": 200, "event": event, "kept": kept, "same_run": same_run}
