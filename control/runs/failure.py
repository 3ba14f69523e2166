"""Where a run failed, as its function's log has it: the traceback, the line of user code, and where to read on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import quote

from caribou.control.runs.run_log import LogLine

_BEGINS = "Traceback (most recent call last):"
_FRAME = re.compile(r'\s+File "(?P<file>[^"]+)", line (?P<line>\d{1,9}), in (?P<function>\S+)')
_LAST = re.compile(r"[A-Za-z_][\w.]*(:|$)")
_OURS = ("/caribou/", "/var/runtime/", "/var/lang/", "/importlib/", "<frozen")
_CONSOLES = {"cn-": "console.amazonaws.cn", "us-gov-": "console.amazonaws-us-gov.com"}
_TASK = "/var/task/"


@dataclass(frozen=True, slots=True)
class FailureLog:
    """What the log has of the node at which a run failed. `at` is the last line of the user's own code, if it is known.

    `stream` and `traceback` are None and empty if nothing of it was found.
    """

    node: str
    region: str
    log_group: str
    stream: str | None = None
    traceback: tuple[str, ...] = ()
    at: str | None = None

    @property
    def console(self) -> str:
        """The address of the log in the AWS console."""
        domain = next((name for begin, name in _CONSOLES.items() if self.region.startswith(begin)), None)
        host = f"{self.region}.{domain or 'console.aws.amazon.com'}"
        place = f"log-groups/log-group/{_twice(self.log_group)}"
        if self.stream is not None:
            place += f"/log-events/{_twice(self.stream)}"
        return f"https://{host}/cloudwatch/home?region={self.region}#logsV2:{place}"

    def to_json(self) -> dict[str, Any]:
        """The failure as a JSON object."""
        return {**asdict(self), "traceback": list(self.traceback), "console": self.console}


def failure_log(node: str, region: str, log_group: str, lines: Iterable[LogLine]) -> FailureLog:
    """What the lines of a run say of a node's failure: of the last execution that wrote anything."""
    mine = [line for line in lines if line.node == node]
    if not mine:
        return FailureLog(node, region, log_group)
    last = mine[-1]
    stream = [line for line in mine if (line.region, line.stream) == (last.region, last.stream)]
    traceback = _traceback([text for line in stream for text in re.split(r"[\r\n]+", line.text)])
    return FailureLog(node, last.region, last.log_group, last.stream, traceback, _at(traceback))


def _traceback(texts: Sequence[str]) -> tuple[str, ...]:
    """The last traceback: its frames, and the error below them if that is not in a line before."""
    begin = max((number for number, text in enumerate(texts) if _BEGINS in text), default=None)
    if begin is None:
        return ()
    end = begin + 1
    while end < len(texts) and texts[end].startswith(" "):
        end += 1
    is_named = end < len(texts) and _LAST.match(texts[end]) is not None
    return (_BEGINS, *texts[begin + 1 : end + is_named])


def _at(traceback: Iterable[str]) -> str | None:
    """The last frame of the user's own code."""
    found = None
    for text in traceback:
        frame = _FRAME.match(text)
        if frame and not any(part in frame["file"] for part in _OURS):
            found = f"{frame['file'].removeprefix(_TASK)}, line {frame['line']}, in {frame['function']}"
    return found


def _twice(text: str) -> str:
    """A name as the console has it behind its `#`: quoted twice, with `$` for `%`."""
    return quote(quote(text, safe=""), safe="").replace("%", "$")
