"""The Lambda handler of every function of every workflow: `caribou.runtime.handler.handle`."""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from caribou.runtime.aws import aws_ports
from caribou.runtime.event import unpack
from caribou.runtime.external import ExternalCalls
from caribou.runtime.node import NodeRunner
from caribou.runtime.placement import load_placement
from caribou.runtime.record_log import RecordLog
from caribou.runtime.settings import Settings, load_settings
from caribou.runtime.startup import Startup, cpu_s, process_age_s

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

_ENTRY_MODULE = "app"
_IN_LAMBDA = "AWS_LAMBDA_FUNCTION_NAME"
"""Lambda sets it before it imports the handler."""


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
    loaded = _loaded()
    return NodeRunner(
        settings=loaded.settings,
        ports=aws_ports(loaded.settings, partition=partition, account=account, log=loaded.log),
        placement=load_placement(loaded.settings),
        user_function=loaded.user_function,
        memory_mb=memory_mb,
        emit=loaded.log.emit,
        exchanges=loaded.external.totals,
        startup=loaded.startup,
    )


class _Loaded(NamedTuple):
    """What needs no event: user code among it."""

    settings: Settings
    log: RecordLog
    external: ExternalCalls
    user_function: Callable[..., Any]
    startup: Startup


@cache
def _loaded() -> _Loaded:
    settings = load_settings()
    external, log = _meters()
    begun_s, cpu_begun_s = time.monotonic(), cpu_s()
    importlib.import_module(_ENTRY_MODULE)  # registers the functions, in the order that the user's modules expect
    function = settings.graph.function(settings.function)
    user_function = getattr(importlib.import_module(function.module), function.handler)
    took = Startup(process_age_s(), time.monotonic() - begun_s, cpu_s() - cpu_begun_s)
    return _Loaded(settings, log, external, user_function, took)


@cache
def _meters() -> tuple[ExternalCalls, RecordLog]:
    """Those of this process: before user code makes a session, or does anything to the streams."""
    return ExternalCalls.of_all_sessions(), RecordLog()


def _load_in_init_phase() -> None:
    """Import user code while Lambda starts the process, with the CPU of a whole machine whatever the memory.

    What goes wrong goes wrong again in the invocation, as an error of the function.
    """
    with suppress(Exception, SystemExit):
        _loaded()


if _IN_LAMBDA in os.environ:
    _load_in_init_phase()
