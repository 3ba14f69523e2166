"""The Lambda handler of every function of every workflow: `caribou.runtime.handler.handle`."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from caribou.runtime.aws import aws_ports
from caribou.runtime.event import unpack
from caribou.runtime.external import ExternalBytes
from caribou.runtime.node import NodeRunner
from caribou.runtime.placement import load_placement
from caribou.runtime.record_log import RecordLog
from caribou.runtime.settings import load_settings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

_ENTRY_MODULE = "app"


def handle(event: Any, context: LambdaContext) -> Mapping[str, str]:  # noqa: ANN401 - any event
    """Run what the event asks for; raises what user code raised, so that Lambda retries."""
    cold_start = _runner.cache_info().currsize == 0
    _, partition, _, _, account, *_ = context.invoked_function_arn.split(":")  # may end in a qualifier, at times
    runner = _runner(partition, account, int(context.memory_limit_in_mb))
    settings = runner.settings
    delivery = unpack(event, names=settings.names, function=settings.function, request_id=context.aws_request_id)
    return runner.handle(delivery, cold_start=cold_start)


@cache
def _runner(partition: str, account: str, memory_mb: int) -> NodeRunner:
    """What lasts as long as the process."""
    settings = load_settings()
    external = ExternalBytes.of_default_session()
    log = RecordLog()  # before user code can do anything to the streams
    importlib.import_module(_ENTRY_MODULE)  # registers the functions, in the order that the user's modules expect
    function = settings.graph.function(settings.function)
    return NodeRunner(
        settings=settings,
        ports=aws_ports(settings, partition=partition, account=account),
        placement=load_placement(settings),
        user_function=getattr(importlib.import_module(function.module), function.handler),
        memory_mb=memory_mb,
        emit=log.emit,
        external_bytes=external.total,
    )
