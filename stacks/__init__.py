"""The CDK stacks: they only compose constructs. An app is `synthesise(now=…)`."""

from caribou.stacks.app import synthesise

__all__ = ["synthesise"]
