"""Answers to a survey: the system under its older name, without a manifest's niceties."""

import json

from multi_x_serverless.deployment.client import MultiXServerlessWorkflow

workflow = MultiXServerlessWorkflow(name="survey", version="0.0.1")


@workflow.serverless_function(name="Ask-All", entry_point=True)
def ask_all(event, context):
    """Ask three times, with one payload that changes."""
    if isinstance(event, str):
        event = json.loads(event)

    payload = {"question": event["question"]}

    payload["who"] = 1
    workflow.invoke_serverless_function(ask, payload)

    payload["who"] = 2
    workflow.invoke_serverless_function(ask, payload)

    payload["who"] = 3
    workflow.invoke_serverless_function(ask, payload, event.get("everyone", True))

    return {"status": 200, "metadata": sorted(context)}


@workflow.serverless_function(name="Ask")
def ask(event, context):
    """Answer."""
    workflow.invoke_serverless_function(count, [event["question"], event["who"]])
    return {"status": 200, "where": context["current_region"]}


@workflow.serverless_function(name="Count")
def count(event, context):
    """Collect the answers."""
    responses = workflow.get_predecessor_data()
    return {"status": 200, "answers": responses, "event": event, "of": context["workflow_name"]}
