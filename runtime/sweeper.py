"""The Lambda handler of the sweeper: `caribou.runtime.sweeper.handle`, on a schedule and by order."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config

from caribou.model.health.metrics import EXPIRES_SOON_H, HealthMetric
from caribou.model.run.order import CancelAnswer, CancelOrder, Order, RedriveAnswer, parse_order
from caribou.model.template_contract import EXPIRY_VARIABLE
from caribou.runtime.aws import aws_ports
from caribou.runtime.cancelling import Canceller
from caribou.runtime.clients import Clients
from caribou.runtime.ports import Ports
from caribou.runtime.redriving import Redriver
from caribou.runtime.settings import Settings, load_settings
from caribou.runtime.sweeping import Sweeper, health_of

_IN_HAND_MS = 20_000
"""A step makes up to five calls, each of which is given up after three seconds: no step begins with less left."""
_CLIENTS = Config(connect_timeout=1, read_timeout=3, retries={"mode": "standard", "total_max_attempts": 1})
"""What is not answered now is asked for by the next sweep."""


def handle(event: object, context: LambdaContext) -> Mapping[str, Any]:
    """One sweep; its numbers. Or what an operator orders; what became of it. Raises InvalidOrderError."""
    order = parse_order(event)
    _, partition, _, _, account, *_ = context.invoked_function_arn.split(":")
    settings, ports, clients, logger = _made(partition, account)
    clients.ask_all_again()  # each sweep asks a region once, and so does each order, whatever the one before met
    sweeper = Sweeper(settings, ports, has_time=lambda: context.get_remaining_time_in_millis() > _IN_HAND_MS)
    if order is not None:
        answer = _carried_out(order, sweeper).to_json()
        logger.info("ordered", extra={"order": order.to_json(), "answer": answer})
        return answer
    swept = sweeper.sweep()
    if values := health_of(swept) | expiry(ports.clock.now()):
        ports.metrics.put(values)
    numbers = asdict(swept)
    if any(numbers.values()):
        logger.info("swept", extra=numbers)
    return numbers


def expiry(now: float, environment: Mapping[str, str] = os.environ) -> dict[HealthMetric, float]:
    """The hours that the deployed placement has left, if these are few; below 0 it has expired, and runs stay home."""
    if EXPIRY_VARIABLE not in environment:
        return {}
    hours = (datetime.fromisoformat(environment[EXPIRY_VARIABLE]).timestamp() - now) / 3600
    return {HealthMetric.PLACEMENT_EXPIRES: hours} if hours < EXPIRES_SOON_H else {}


def _carried_out(order: Order, sweeper: Sweeper) -> RedriveAnswer | CancelAnswer:
    if isinstance(order, CancelOrder):
        return Canceller(sweeper.settings, sweeper.ports, sweeper.has_time).carry_out(order)
    return Redriver(sweeper).carry_out(order)


@cache
def _made(partition: str, account: str) -> tuple[Settings, Ports, Clients, Logger]:
    """What lasts as long as the process."""
    settings = load_settings()
    logger = Logger(service=f"caribou-{settings.graph.workflow}", level="INFO")
    clients = Clients.deployed(settings.home_region, _CLIENTS)
    ports = aws_ports(settings, partition=partition, account=account, clients=clients)
    return settings, ports, clients, logger
