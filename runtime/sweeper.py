"""The Lambda handler of the sweeper: `caribou.runtime.sweeper.handle`, on a schedule, at home."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import cache

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from caribou.runtime.aws import aws_ports
from caribou.runtime.settings import load_settings
from caribou.runtime.sweeping import Sweeper


def handle(event: object, context: LambdaContext) -> Mapping[str, int]:
    """One sweep; its numbers."""
    del event
    _, partition, _, _, account, *_ = context.invoked_function_arn.split(":")
    sweeper, logger = _sweeper(partition, account)
    swept = asdict(sweeper.sweep())
    if any(swept.values()):
        logger.info("swept", extra=swept)
    return swept


@cache
def _sweeper(partition: str, account: str) -> tuple[Sweeper, Logger]:
    settings = load_settings()
    logger = Logger(service=f"caribou-{settings.graph.workflow}", level="INFO")
    return Sweeper(settings, aws_ports(settings, partition=partition, account=account)), logger
