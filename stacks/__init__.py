"""The CDK stacks: they only compose constructs. An app is `synthesise(now=…)`; your own one takes `add_workflows`."""

from caribou.stacks.app import synthesise
from caribou.stacks.existing_app import add_workflows
from caribou.stacks.workflows import WorkflowStacks

__all__ = ["WorkflowStacks", "add_workflows", "synthesise"]
