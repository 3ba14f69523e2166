"""A function that is registered in a module beside app.py."""

from typing import Any

from app import workflow


@workflow.serverless_function(name="Stamp")
def stamp(event: dict[str, Any]) -> dict[str, Any]:
    """Get bytes, nested lists and numbers as keys, and pass them on."""
    from app import archive, sort_mail

    event["seal"] = event["seal"] + b"!"
    workflow.invoke_serverless_function(sort_mail, event)
    workflow.invoke_serverless_function(archive, event["seal"])
    return {"status": 200}
