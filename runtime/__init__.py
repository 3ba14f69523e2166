"""What runs inside a user's Lambda function. Users import `CaribouWorkflow`."""

from caribou.runtime.programming_model import CaribouWorkflow

__all__ = ["CaribouWorkflow"]
