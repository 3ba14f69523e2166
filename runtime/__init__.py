"""What runs inside a user's Lambda function. Users import `CaribouWorkflow`."""

from caribou.runtime.workflow import CaribouWorkflow

__all__ = ["CaribouWorkflow"]
