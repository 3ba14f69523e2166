"""The CDK stacks: they only compose constructs."""
