"""The reader of the DAG: from a workflow's source to its graph. Nothing of it runs in Lambda."""
