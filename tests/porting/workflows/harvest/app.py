"""Apples become juice: a function's whole body stands in a helper, which gets the workflow."""

from typing import Any

from src.press import press

from caribou.deployment.client import CaribouWorkflow

workflow = CaribouWorkflow(name="harvest", version="0.0.1")


@workflow.serverless_function(name="Pick", entry_point=True)
def pick(event: dict[str, Any]) -> dict[str, Any]:
    """Send the apples to be washed, some of them to be sorted before, and ask for a label."""
    apples = event["apples"]

    workflow.invoke_serverless_function(wash, apples[:2])

    workflow.invoke_serverless_function(sort, apples[2:])

    workflow.invoke_serverless_function(label, event["name"])

    return {"status": 200}


@workflow.serverless_function(name="Wash")
def wash(event: list[int]) -> dict[str, Any]:
    """Wash apples."""
    workflow.invoke_serverless_function(press_all, {"clean": event})
    return {"status": 200}


@workflow.serverless_function(name="Sort")
def sort(event: list[int]) -> dict[str, Any]:
    """Sort apples, and have them washed."""
    workflow.invoke_serverless_function(wash, sorted(event))
    return {"status": 200}


@workflow.serverless_function(name="Press-All")
def press_all(event: dict[str, Any]) -> dict[str, Any]:
    """Press whatever has come."""
    return press(workflow, event, bottle, drink=drink)


@workflow.serverless_function(name="Label")
def label(event: str) -> dict[str, Any]:
    """Write a label."""
    workflow.invoke_serverless_function(bottle, {"label": f"{event}'s juice"})
    return {"status": 200}


@workflow.serverless_function(name="Drink")
def drink(event: int) -> dict[str, Any]:
    """Drink what no bottle has room for."""
    return {"status": 200, "drunk": event}


@workflow.serverless_function(name="Bottle")
def bottle(event: dict[str, Any]) -> dict[str, Any]:
    """Put label and juice together."""
    bottled: dict[str, Any] = {}

    for response in workflow.get_predecessor_data():
        bottled.update(response)

    return {"status": 200, "bottled": bottled, "event": event}
