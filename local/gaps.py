"""What MiniStack 1.5.33 does otherwise than AWS, put right inside the emulator's process; see docs/local-cloud.md.

Runs on MiniStack's own Python, where there is no `caribou`: standard library only. Everything here replaces functions
of MiniStack by name, so `close_gaps` first checks that each name exists and refuses to start without.

1. SNS and EventBridge to Lambda: asynchronous, as on AWS: two more attempts, then the on-failure destination. A
   message to a function that is gone goes to its subscription's dead-letter queue.
2. Asynchronous invocations: every attempt has the request id of the first; a throttle is waited out (up to the
   maximum event age) and costs no attempt; at most ASYNC_SLOTS run at once, the others wait in line.
3. Warm workers: at most IDLE_WORKERS stay when idle, each about 46 MB, and none beyond its time to live.
"""

from __future__ import annotations

import contextvars
import json
import logging
import os
import threading
import time
from importlib import import_module
from types import ModuleType
from typing import Any

ASYNC_SLOTS = 8 * (os.cpu_count() or 1)
IDLE_WORKERS = 24
_TRIM_PERIOD_S = 2.0
_THROTTLE_PAUSE_S = 0.2
_MAX_EVENT_AGE_S = 6 * 3600  # Lambda, asynchronous invocation, MaximumEventAgeInSeconds: the default

_logger = logging.getLogger("caribou.local")

_NAMES = {
    "ministack.services.sns": ("_deliver_to_lambda", "_deliver_to_sqs", "_find_subscription"),
    "ministack.services.eventbridge": ("_dispatch_to_lambda",),
    "ministack.services.lambda_svc": (
        "_get_func_record_for_ref",
        "_execution_record_for_config",
        "_execute_function",
        "_reserved_concurrency",
        "invoke_async_with_retry",
        "new_uuid",
    ),
    "ministack.core.lambda_runtime": ("_workers", "_lock", "kill_workers", "_LOCAL_WORKER_TTL"),
}


def close_gaps() -> None:
    """Replace what differs. Raises RuntimeError if this MiniStack lacks a name that is relied on."""
    sns, eventbridge, lambda_svc, runtime = (_checked(module, names) for module, names in _NAMES.items())
    _queue_asynchronous_invocations(lambda_svc)
    _deliver_topics_asynchronously(sns, lambda_svc)
    _dispatch_events_asynchronously(eventbridge, lambda_svc)
    threading.Thread(target=_trim_forever, args=(runtime,), daemon=True, name="caribou-trim").start()


def _checked(module: str, names: tuple[str, ...]) -> ModuleType:
    loaded = import_module(module)
    if missing := [name for name in names if not hasattr(loaded, name)]:
        raise RuntimeError(f"{module} has no {', '.join(missing)}: local/gaps.py was written for another MiniStack")
    return loaded


def _deliver_topics_asynchronously(sns: Any, lambda_svc: Any) -> None:  # noqa: ANN401 - modules
    def deliver_to_lambda(  # the signature is MiniStack's
        endpoint: str,
        envelope: str,
        topic_arn: str,
        sub_arn: str,
        _msg_id: str,
        raw_message: str,
        _message_attributes: dict[str, Any],
    ) -> None:
        event = {
            "Records": [
                {
                    "EventVersion": "1.0",
                    "EventSubscriptionArn": sub_arn,
                    "EventSource": "aws:sns",
                    "Sns": json.loads(envelope),
                }
            ]
        }
        if not _invoke(lambda_svc, endpoint, event):
            _to_dead_letters(sns, topic_arn, sub_arn, envelope, raw_message)

    sns._deliver_to_lambda = deliver_to_lambda  # noqa: SLF001 - what this module is for


def _to_dead_letters(sns: Any, topic_arn: str, sub_arn: str, envelope: str, raw_message: str) -> None:  # noqa: ANN401
    subscription = sns._find_subscription(topic_arn, sub_arn) or {}  # noqa: SLF001
    policy = subscription.get("attributes", {}).get("RedrivePolicy")
    queue = json.loads(policy).get("deadLetterTargetArn") if policy else None
    _logger.warning("%s: its function is gone, message to %s", sub_arn, queue or "nowhere: it has no dead-letter queue")
    if queue:
        sns._deliver_to_sqs(queue, envelope, False, raw_message, topic_arn=topic_arn)  # noqa: FBT003, SLF001


def _dispatch_events_asynchronously(eventbridge: Any, lambda_svc: Any) -> None:  # noqa: ANN401
    def dispatch_to_lambda(arn: str, payload: str) -> None:
        try:
            event = json.loads(payload)
        except (json.JSONDecodeError, TypeError):
            event = {"body": payload}
        if not _invoke(lambda_svc, arn, event):
            _logger.warning("EventBridge: %s is gone, event dropped", arn)

    eventbridge._dispatch_to_lambda = dispatch_to_lambda  # noqa: SLF001


def _invoke(lambda_svc: Any, function: str, event: object) -> bool:  # noqa: ANN401
    """Invoke it asynchronously; whether it is there."""
    record, config, _name = lambda_svc._get_func_record_for_ref(function)  # noqa: SLF001
    if not record or not config:
        return False
    lambda_svc.invoke_async_with_retry(lambda_svc._execution_record_for_config(record, config), event)  # noqa: SLF001
    return True


def _queue_asynchronous_invocations(lambda_svc: Any) -> None:  # noqa: ANN401
    execute, invoke_async, new_id = (
        lambda_svc._execute_function,
        lambda_svc.invoke_async_with_retry,
        lambda_svc.new_uuid,
    )  # noqa: SLF001
    slots = threading.BoundedSemaphore(ASYNC_SLOTS)
    event_id: contextvars.ContextVar[str | None] = contextvars.ContextVar("event_id", default=None)
    next_id: contextvars.ContextVar[str | None] = contextvars.ContextVar("next_id", default=None)

    def take_id() -> str:
        """The id that waits for the next asker, here `_execute_function`, which asks first; else a new one."""
        waiting = next_id.get()
        next_id.set(None)
        return waiting or new_id()

    def attempt(func: dict[str, Any], event: object, request_id: str) -> dict[str, Any]:
        event_id.set(None)  # what the attempt calls in turn is no part of this event
        next_id.set(request_id)
        with slots:
            return execute(func, event)  # type: ignore[no-any-return]

    def execute_in_line(func: dict[str, Any], event: object) -> dict[str, Any]:
        request_id = event_id.get()
        if request_id is None:
            return execute(func, event)  # type: ignore[no-any-return]
        give_up = time.monotonic() + _max_event_age_s(func)
        while True:
            result = contextvars.copy_context().run(attempt, func, event, request_id)
            disabled = lambda_svc._reserved_concurrency(func, func.get("config") or func) == 0  # noqa: SLF001
            if not result.get("throttle") or disabled or time.monotonic() > give_up:
                return result
            time.sleep(_THROTTLE_PAUSE_S)

    def invoke_with_id(func: dict[str, Any], event: object) -> None:
        def run() -> None:
            event_id.set(new_id())
            invoke_async(func, event)  # copies this context into its thread

        contextvars.copy_context().run(run)

    lambda_svc.new_uuid = take_id
    lambda_svc._execute_function = execute_in_line  # noqa: SLF001
    lambda_svc.invoke_async_with_retry = invoke_with_id


def _max_event_age_s(func: dict[str, Any]) -> float:
    config = func.get("event_invoke_config") or (func.get("event_invoke_configs") or {}).get("$LATEST") or {}
    return float(config.get("MaximumEventAgeInSeconds", _MAX_EVENT_AGE_S))


def _trim_forever(runtime: Any) -> None:  # noqa: ANN401
    while True:
        time.sleep(_TRIM_PERIOD_S)
        try:
            _trim(runtime, time.time())
        except Exception:
            _logger.exception("trimming idle workers failed")


def _trim(runtime: Any, now: float) -> None:  # noqa: ANN401
    """End idle workers: those past their time to live, and of the others all but the IDLE_WORKERS used last."""
    with runtime._lock:  # noqa: SLF001
        idle = [(pool, worker) for pool in runtime._workers.values() for worker in pool if not worker.in_use]  # noqa: SLF001
        idle.sort(key=lambda item: item[1].last_used, reverse=True)
        old = [item for item in idle[:IDLE_WORKERS] if now - item[1].last_used > runtime._LOCAL_WORKER_TTL]  # noqa: SLF001
        doomed = old + idle[IDLE_WORKERS:]
        for pool, worker in doomed:
            pool.remove(worker)
    runtime.kill_workers([worker for _pool, worker in doomed])
