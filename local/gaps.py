"""What MiniStack 1.5.33 does otherwise than AWS, put right inside the emulator's process; see docs/local-cloud.md.

Runs on MiniStack's own Python, where there is no `caribou`: standard library only. Everything here replaces functions
of MiniStack by name, so `close_gaps` first checks that each name exists and refuses to start without.

1. SNS and EventBridge to Lambda: asynchronous, as on AWS: two more attempts, then the on-failure destination. A
   message to a function that is gone goes to its subscription's dead-letter queue.
2. Asynchronous invocations: a throttle is waited out (up to the maximum event age) and costs no attempt; at most
   ASYNC_SLOTS run at once, the others wait in line.
3. Request ids: the id in the response to Invoke is the handler's, and every attempt of an event has the same.
4. Warm workers: at most IDLE_WORKERS stay when idle, and no more than fit into IDLE_BYTES of memory (one takes about
   46 MB, with large libraries some hundred); none stays beyond its time to live.
5. Errors: a function's error has its exception's class as its type, a process that died is a Runtime.ExitError, and
   the on-failure record of an event that was never started has no response.
"""

# ruff: noqa: ANN401, SLF001 - this module handles MiniStack's modules and replaces their private functions

from __future__ import annotations

import contextvars
import json
import logging
import os
import threading
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

ASYNC_SLOTS = 8 * (os.cpu_count() or 1)
IDLE_WORKERS = 24
IDLE_BYTES = 2 << 30
_TRIM_PERIOD_S = 2.0
_THROTTLE_PAUSE_S = 0.2
_MAX_EVENT_AGE_S = 6 * 3600  # Lambda, asynchronous invocation, MaximumEventAgeInSeconds: the default

_logger = logging.getLogger("caribou.local")

App = Callable[[Any, Any, Any], Awaitable[None]]
_ID_HEADER = b"x-amzn-requestid"
_request_id: contextvars.ContextVar[str | None] = contextvars.ContextVar("request_id", default=None)

_NAMES = {
    "ministack.services.sns": ("_deliver_to_lambda", "_deliver_to_sqs", "_find_subscription"),
    "ministack.services.eventbridge": ("_dispatch_to_lambda",),
    "ministack.services.lambda_svc": (
        "_get_func_record_for_ref",
        "_execution_record_for_config",
        "_execute_function",
        "_invoke",
        "_execute_function_warm",
        "_reserved_concurrency",
        "_route_async_failure",
        "invoke_async_with_retry",
        "_emit_lambda_logs",
        "new_uuid",
    ),
    "ministack.core.lambda_runtime": (
        "Worker",
        "_PYTHON_WORKER_SCRIPT",
        "_workers",
        "_lock",
        "kill_workers",
        "_LOCAL_WORKER_TTL",
    ),
    "ministack.services.sqs": ("_queue_by_arn", "_ensure_msg_fields", "queue_delay"),
}
_ERROR = '"error": str(e), "trace"'
_ERROR_WITH_TYPE = '"error": str(e), "error_type": type(e).__name__, "trace"'
_TIMED_OUT = "Task timed out after "
_EXITED = "Runtime exited with error: signal: killed"


def close_gaps(app: App) -> App:
    """Replace what differs, also in what the ASGI app answers.

    Raises RuntimeError if this MiniStack lacks a name that is relied on.
    """
    sns, eventbridge, lambda_svc, runtime, sqs = (_checked(module, names) for module, names in _NAMES.items())
    if "_proc" not in runtime.Worker.__init__.__code__.co_names:
        raise RuntimeError("ministack's Worker has no _proc: local/gaps.py was written for another MiniStack")
    _keep_error_types(lambda_svc, runtime)
    _report_as_lambda_does(lambda_svc, sqs)
    _keep_request_ids(lambda_svc)
    _log_text_only(lambda_svc)
    _queue_asynchronous_invocations(lambda_svc)
    _deliver_topics_asynchronously(sns, lambda_svc)
    _dispatch_events_asynchronously(eventbridge, lambda_svc)
    threading.Thread(target=_trim_forever, args=(runtime,), daemon=True, name="caribou-trim").start()
    return _with_request_ids(app)


def _checked(module: str, names: tuple[str, ...]) -> ModuleType:
    loaded = import_module(module)
    if missing := [name for name in names if not hasattr(loaded, name)]:
        raise RuntimeError(f"{module} has no {', '.join(missing)}: local/gaps.py was written for another MiniStack")
    return loaded


def _deliver_topics_asynchronously(sns: Any, lambda_svc: Any) -> None:
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

    sns._deliver_to_lambda = deliver_to_lambda


def _to_dead_letters(sns: Any, topic_arn: str, sub_arn: str, envelope: str, raw_message: str) -> None:
    subscription = sns._find_subscription(topic_arn, sub_arn) or {}
    policy = subscription.get("attributes", {}).get("RedrivePolicy")
    queue = json.loads(policy).get("deadLetterTargetArn") if policy else None
    _logger.warning("%s: its function is gone, message to %s", sub_arn, queue or "nowhere: it has no dead-letter queue")
    if queue:
        sns._deliver_to_sqs(queue, envelope, raw=False, raw_message=raw_message, topic_arn=topic_arn)


def _dispatch_events_asynchronously(eventbridge: Any, lambda_svc: Any) -> None:
    def dispatch_to_lambda(arn: str, payload: str) -> None:
        try:
            event = json.loads(payload)
        except (json.JSONDecodeError, TypeError):
            event = {"body": payload}
        if not _invoke(lambda_svc, arn, event):
            _logger.warning("EventBridge: %s is gone, event dropped", arn)

    eventbridge._dispatch_to_lambda = dispatch_to_lambda


def _invoke(lambda_svc: Any, function: str, event: object) -> bool:
    """Invoke it asynchronously; whether it is there."""
    record, config, _name = lambda_svc._get_func_record_for_ref(function)
    if not record or not config:
        return False
    lambda_svc.invoke_async_with_retry(lambda_svc._execution_record_for_config(record, config), event)
    return True


def _keep_error_types(lambda_svc: Any, runtime: Any) -> None:
    """The class of what a handler raised, or what Lambda says of a process that died, in place of HandlerError.

    MiniStack drops a function's whole pool when one of its processes dies at its start, with the invocations in it:
    here that is an error of this invocation only.
    """
    if runtime._PYTHON_WORKER_SCRIPT.count(_ERROR) != 1:
        raise RuntimeError("MiniStack's worker has other errors: local/gaps.py was written for another one")
    runtime._PYTHON_WORKER_SCRIPT = runtime._PYTHON_WORKER_SCRIPT.replace(_ERROR, _ERROR_WITH_TYPE)
    invoke, execute = runtime.Worker.invoke, lambda_svc._execute_function_warm
    failed: contextvars.ContextVar[dict[str, str] | None] = contextvars.ContextVar("failed", default=None)

    def invoke_and_note(self: Any, *args: Any, **options: Any) -> Any:
        try:
            result = invoke(self, *args, **options)
        except Exception as error:  # noqa: BLE001 - as MiniStack does
            _logger.warning("%s did not start: %s", self.func_name, error)
            result = {"status": "error", "error": str(error), "log": str(error)}
        if result.get("status") != "ok":
            failed.set(_as_lambda_reports(result, str(args[1])))
        return result

    def execute_and_report(func: dict[str, Any], event: object, request_id: str) -> dict[str, Any]:
        failed.set(None)
        result: dict[str, Any] = execute(func, event, request_id)
        error = failed.get()
        return {**result, "body": error} if error is not None and result.get("error") else result

    runtime.Worker.invoke = invoke_and_note
    lambda_svc._execute_function_warm = execute_and_report


def _as_lambda_reports(result: dict[str, Any], request_id: str) -> dict[str, str]:
    """An error as Lambda's response payload has it. A process that died gave no type."""
    said, kind = str(result.get("error")), result.get("error_type")
    if kind is not None:
        return {"errorMessage": said, "errorType": kind, "requestId": request_id}
    if said.startswith(_TIMED_OUT):
        return {"errorMessage": f"RequestId: {request_id} Error: {said}", "errorType": "Sandbox.Timedout"}
    if "Worker init failed" in said:
        return {"errorMessage": said, "errorType": "Runtime.ImportModuleError"}
    return {"errorMessage": f"RequestId: {request_id} Error: {_EXITED}", "errorType": "Runtime.ExitError"}


def _report_as_lambda_does(lambda_svc: Any, sqs: Any) -> None:
    """On-failure records with all of Lambda's fields; without a response where the event was never started."""
    route = lambda_svc._route_async_failure

    def route_to_queue(target_arn: str, func_name: str, event: object, result: dict[str, Any]) -> None:
        queue = sqs._queue_by_arn(target_arn) if ":sqs:" in target_arn else None
        if queue is None:
            route(target_arn, func_name, event, result)
            return
        record, _config, _name = lambda_svc._get_func_record_for_ref(func_name)
        arn = ((record or {}).get("config") or {}).get("FunctionArn", func_name)
        body = json.dumps(_on_failure_record(f"{arn}:$LATEST", event, result))
        sent_at = time.time()
        message = {"id": lambda_svc.new_uuid(), "body": body, "sent_at": sent_at}
        message["visible_at"] = sent_at + sqs.queue_delay(queue)
        sqs._ensure_msg_fields(message)
        queue["messages"].append(message)

    lambda_svc._route_async_failure = route_to_queue


def _on_failure_record(function_arn: str, event: object, result: dict[str, Any]) -> dict[str, Any]:
    """Lambda's invocation record (developer guide, "Capturing records of Lambda asynchronous invocations")."""
    started = not result.get("throttle")
    record = {
        "version": "1.0",
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "requestContext": {
            "requestId": _request_id.get() or "",
            "functionArn": function_arn,
            "condition": "RetriesExhausted" if started else "EventAgeExceeded",
            "approximateInvokeCount": 3 if started else 0,
        },
        "requestPayload": event,
    }
    if started:
        record["responseContext"] = {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": "Unhandled",
        }
        record["responsePayload"] = result.get("body")
    return record


def _keep_request_ids(lambda_svc: Any) -> None:
    """One id for an invocation's response, its handler's context, and all its attempts."""
    invoke, execute, new_id = lambda_svc._invoke, lambda_svc._execute_function, lambda_svc.new_uuid
    next_id: contextvars.ContextVar[str | None] = contextvars.ContextVar("next_id", default=None)

    def take_id() -> str:
        """The id that waits for the next asker, here `_execute_function`, which asks first; else a new one."""
        waiting = next_id.get()
        next_id.set(None)
        return waiting or new_id()

    def execute_with_id(func: dict[str, Any], event: object) -> dict[str, Any]:
        def run() -> dict[str, Any]:
            next_id.set(_request_id.get())
            _request_id.set(None)  # what is called in turn is another invocation
            return execute(func, event)  # type: ignore[no-any-return]

        return contextvars.copy_context().run(run)

    async def invoke_with_id(*args: Any, **options: Any) -> Any:
        _request_id.set(new_id())
        return await invoke(*args, **options)

    lambda_svc.new_uuid = take_id
    lambda_svc._execute_function = execute_with_id
    lambda_svc._invoke = invoke_with_id


def _with_request_ids(app: App) -> App:
    """The app, with the invocation's id in the response to Invoke, where MiniStack writes one of its own."""

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        _request_id.set(None)

        async def send_with_id(message: dict[str, Any]) -> None:
            request_id = _request_id.get()
            if request_id is not None and message["type"] == "http.response.start":
                others = [item for item in message["headers"] if item[0].lower() != _ID_HEADER]
                message = {**message, "headers": [*others, (_ID_HEADER, request_id.encode())]}
            await send(message)

        await app(scope, receive, send_with_id)

    return answer


def _queue_asynchronous_invocations(lambda_svc: Any) -> None:
    """Asynchronous invocations stand in line for a slot, and wait while they are throttled."""
    execute, invoke_async, new_id = (
        lambda_svc._execute_function,
        lambda_svc.invoke_async_with_retry,
        lambda_svc.new_uuid,
    )
    slots = threading.BoundedSemaphore(ASYNC_SLOTS)
    queued: contextvars.ContextVar[bool] = contextvars.ContextVar("queued", default=False)

    def invoke_in_line(func: dict[str, Any], event: object) -> None:
        def run() -> None:
            queued.set(True)
            _request_id.set(_request_id.get() or new_id())
            invoke_async(func, event)  # copies this context into its thread

        contextvars.copy_context().run(run)

    def execute_in_line(func: dict[str, Any], event: object) -> dict[str, Any]:
        if not queued.get():
            return execute(func, event)  # type: ignore[no-any-return]
        give_up = time.monotonic() + _max_event_age_s(func)
        while True:
            result = contextvars.copy_context().run(attempt, func, event)
            switched_off = lambda_svc._reserved_concurrency(func, func.get("config") or func) == 0
            if not result.get("throttle") or switched_off or time.monotonic() > give_up:
                return result
            time.sleep(_THROTTLE_PAUSE_S)

    def attempt(func: dict[str, Any], event: object) -> dict[str, Any]:
        queued.set(False)
        with slots:
            return execute(func, event)  # type: ignore[no-any-return]

    lambda_svc._execute_function = execute_in_line
    lambda_svc.invoke_async_with_retry = invoke_in_line


def _log_text_only(lambda_svc: Any) -> None:
    """Keep half characters, as an error's text may have, out of logs: these are answered as UTF-8."""
    emit = lambda_svc._emit_lambda_logs

    def emit_text(func: Any, request_id: str, log_text: str, *args: Any, **options: Any) -> None:
        emit(func, request_id, (log_text or "").encode("utf-8", "replace").decode(), *args, **options)

    lambda_svc._emit_lambda_logs = emit_text


def _max_event_age_s(func: dict[str, Any]) -> float:
    config = func.get("event_invoke_config") or (func.get("event_invoke_configs") or {}).get("$LATEST") or {}
    return float(config.get("MaximumEventAgeInSeconds", _MAX_EVENT_AGE_S))


def _trim_forever(runtime: Any) -> None:
    while True:
        time.sleep(_TRIM_PERIOD_S)
        try:
            _trim(runtime, time.time())
        except Exception:
            _logger.exception("trimming idle workers failed")


def _trim(runtime: Any, now: float) -> None:
    """End idle workers past their time to live, and of the others those used longest ago, until few enough are left."""
    with runtime._lock:
        idle = [(pool, worker) for pool in runtime._workers.values() for worker in pool if not worker.in_use]
        idle.sort(key=lambda item: item[1].last_used, reverse=True)
        doomed, kept, kept_bytes = [], 0, 0
        for pool, worker in idle:
            kept_bytes += _memory_bytes(worker)
            if now - worker.last_used > runtime._LOCAL_WORKER_TTL or kept == IDLE_WORKERS or kept_bytes > IDLE_BYTES:
                pool.remove(worker)
                doomed.append(worker)
            else:
                kept += 1
    runtime.kill_workers(doomed)


def _memory_bytes(worker: Any) -> int:
    """What a worker's process has in memory; 0 if it has ended, or where the system has no /proc."""
    process = worker._proc
    try:
        pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) if process else 0
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
