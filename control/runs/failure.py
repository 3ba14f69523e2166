"""Where a run failed, as its function's log has it: the traceback, the line of user code, and where to read on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import quote

from caribou.control.runs.run_log import LogLine

_BEGINS = "Traceback (most recent call last):"
_FRAME = re.compile(r'\s+File "(?P<file>[^"]+)", line (?P<line>\d{1,9}), in (?P<function>\S+)')
_LAST = re.compile(r"[A-Za-z_][\w.]*(:|$)")
_OURS = re.compile(r"/caribou/runtime/|^/var/runtime/|/_worker\.py$|/importlib/|^<frozen")
"""Files that call the user's code: ours, Lambda's, the local cloud's, Python's."""
_CONSOLES = {"cn-": "console.amazonaws.cn", "us-gov-": "console.amazonaws-us-gov.com"}
_TASK = re.compile(r".*(/var/task|/code)/")
"""Where a bundle is, in Lambda and in the local cloud."""


@dataclass(frozen=True, slots=True)
class FailureLog:
    """What the log has of the node at which a run failed. `at` is the last line of the user's own code, if it is known.

    `stream` and `traceback` are None and empty if nothing of it was found; `trouble` says why it can't be read.
    """

    node: str
    region: str
    log_group: str
    stream: str | None = None
    traceback: tuple[str, ...] = ()
    at: str | None = None
    trouble: str | None = None

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
    return (_BEGINS, *_of_users(texts[begin + 1 : end]), *texts[end : end + is_named])


def _of_users(texts: Iterable[str]) -> Iterator[str]:
    """The frames of a traceback without those that lead to the user's code; files of a bundle by their place in it."""
    is_ours = False
    for text in texts:
        frame = _FRAME.match(text)
        if frame:
            is_ours = _OURS.search(frame["file"]) is not None
        if not is_ours:
            yield text.replace(frame["file"], _TASK.sub("", frame["file"]), 1) if frame else text


def _at(traceback: Iterable[str]) -> str | None:
    """The last frame in the bundle: of the user's own code, or of a package of it."""
    found = None
    for text in traceback:
        frame = _FRAME.match(text)
        if frame and not frame["file"].startswith("/"):
            found = f"{frame['file']}, line {frame['line']}, in {frame['function']}"
    return found


def _twice(text: str) -> str:
    """A name as the console has it behind its `#`: quoted twice, with `$` for `%`."""
    return quote(quote(text, safe=""), safe="").replace("%", "$")
