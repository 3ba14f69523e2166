"""The press: what a registered function does, in a module of its own."""

from typing import Any

from caribou.deployment.client import CaribouWorkflow


def press(workflow: CaribouWorkflow, event: dict[str, Any], bottle: Any, drink: Any) -> dict[str, Any]:  # noqa: ANN401
    """Press the apples of all predecessors; the first five litres are bottled."""
    responses: list[dict[str, Any]] = workflow.get_predecessor_data()

    litres = 0
    for response in responses:
        litres += sum(response["clean"])

    fill(workflow, bottle, min(litres, 5))
    workflow.invoke_serverless_function(drink, litres - 5, litres > 5)

    return {"status": 200, "event": event, "batches": len(responses)}


def fill(flow: CaribouWorkflow, target: Any, litres: int) -> None:  # noqa: ANN401
    """Hand the workflow on: to a helper of a helper."""
    flow.invoke_serverless_function(target, {"litres": litres})
