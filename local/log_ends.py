"""The lines of an invocation's log, all of them and no other's: they end at a mark that the process writes.

MiniStack 1.5.33 takes what a process has written some milliseconds after the last line that it read. On a busy machine
the next line, such as the run record after what user code prints, then stood in the next invocation's log, or in none.

Runs on MiniStack's own Python, where there is no `caribou`: standard library only.
"""

# ruff: noqa: ANN401, SLF001 - this module handles MiniStack's classes and replaces their private functions

from __future__ import annotations

import contextvars
import queue
import time
from pathlib import Path
from typing import Any

MARK = "\x1ecaribou: the log ends of "
LIMIT_S = 5.0
"""How long to wait for the mark of a process that lives: user code may have closed all that it could be written to."""
_LOOK_S = 0.02
_ANSWERED = "        _real_stdout.flush()\n\nrun()\n"
_READERS = ("_drain_stderr_bounded", "_drain_stderr", "_read_stderr", "_spawn")
_NO_REQUEST = ""


def end_logs_by_a_mark(runtime: Any) -> None:
    """Let Python processes mark where logs end, and read them up to there.

    Raises RuntimeError if MiniStack's do not answer, or are not read, as is relied on.
    """
    script: str = runtime._PYTHON_WORKER_SCRIPT
    worker = runtime.Worker
    if script.count(_ANSWERED) != 1 or not all(hasattr(worker, name) for name in _READERS):
        raise RuntimeError("MiniStack's worker logs in another way: local/log_ends.py was written for another one")
    runtime._PYTHON_WORKER_SCRIPT = _marking(script)
    _read_up_to_marks(worker)


def _marking(script: str) -> str:
    """The script of Python processes, which then mark the end of a log before they answer."""
    marking = Path(__file__).with_name("marking.py").read_text()
    end = '        _caribou_end_log(_ms_ctx.get("request_id", ""))\n'
    return f"{marking}\n_caribou_end_log = marker({MARK!r})\n{script.replace(_ANSWERED, end + _ANSWERED)}"


def _read_up_to_marks(worker: Any) -> None:
    invoke, drain, drain_dead = worker.invoke, worker._drain_stderr_bounded, worker._drain_stderr
    asked: contextvars.ContextVar[str] = contextvars.ContextVar("asked", default=_NO_REQUEST)

    def invoke_and_mark(self: Any, event: object, request_id: str, **options: Any) -> Any:
        token = asked.set(request_id)
        try:
            return invoke(self, event, request_id, **options)
        finally:
            asked.reset(token)

    def drain_to_mark(self: Any, *args: Any, **options: Any) -> str:
        if not _is_marked(self):
            return str(drain(self, *args, **options))
        return "\n".join(lines_of(self, asked.get()))

    def drain_to_end(self: Any) -> str:
        return "\n".join(lines_of(self, _NO_REQUEST)) if _is_marked(self) else str(drain_dead(self))

    worker.invoke = invoke_and_mark
    worker._drain_stderr_bounded, worker._drain_stderr = drain_to_mark, drain_to_end


def _is_marked(worker: Any) -> bool:
    return str(worker.config.get("Runtime", "")).startswith("python")


def lines_of(worker: Any, request_id: str, limit_s: float = LIMIT_S) -> list[str]:
    """The lines up to a request's mark, or all of a process that has ended; at the limit those that are there."""
    lines, give_up = [], time.monotonic() + limit_s
    while True:
        has_ended = not worker._stderr_thread.is_alive()  # before the queue is looked at
        try:
            line = worker._stderr_queue.get(timeout=max(0.0, min(_LOOK_S, give_up - time.monotonic())))
        except queue.Empty:
            if has_ended or time.monotonic() >= give_up:
                break
            continue
        text, mark, ended = line.partition(MARK)
        if text or not mark:
            lines.append(text)
        if mark and ended == request_id:
            break
    return lines
