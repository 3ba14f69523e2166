"""How far the CDK CLI is, by its log: a line that changes on a terminal, else nothing. And whether it did nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

from rich.status import Status

from caribou.cli.console import console

_EVERY_S = 0.2
_STEPS: Sequence[tuple[re.Pattern[str], str]] = (
    (re.compile(r"^(?P<stack>\S+) \| +(?P<done>\d+)/(?P<all>\d+) \| .*ROLLBACK"), "{stack}: rolling back"),
    (re.compile(r"^(?P<stack>\S+) \| +(?P<done>\d+)/(?P<all>\d+) \| "), "{stack}: {done} of {all} resources"),
    (re.compile(r"^(?P<stack>\S+)( \(.+\))?: deploying\.\.\. \[(?P<at>\d+)/"), "{stack}"),
    (re.compile(r": start: Publishing (?P<what>[^(]+)"), "Publishing {what}"),
    (re.compile(r": start: Building (?P<what>.+)"), "Building {what}"),
    (re.compile(r"^Bundling asset (?P<stack>[^/]+)/(?P<what>[^/]+)"), "Bundling {what} of {stack}"),
)
"""What the CLI prints where it is no terminal (`--progress events`), and what is shown for it."""
_DONE = re.compile(r"^ ?✅ +(?P<stack>\S+)(?P<unchanged>.*\(no changes\))?", re.MULTILINE)


def step_of(line: str) -> str | None:
    """What a line of the log says of progress, in words; None if nothing."""
    for pattern, words in _STEPS:
        if match := pattern.search(line):
            return words.format(**match.groupdict()).strip()
    return None


def changed_nothing(log: Path) -> bool:
    """Whether the CLI found every stack as it is to be."""
    done = _DONE.findall(log.read_text(encoding="utf-8", errors="replace")) if log.is_file() else []
    return bool(done) and all(unchanged for _, unchanged in done)


@contextmanager
def shown_progress(log: Path, doing: str) -> Iterator[None]:
    """While the CLI runs, show on a terminal what it adds to its log; `doing` until it has said more."""
    terminal = console(stderr=True)
    if not terminal.is_terminal:
        yield
        return
    begin, ended = log.stat().st_size if log.is_file() else 0, Event()
    with terminal.status(doing) as status:
        follower = Thread(target=_follow, args=(log, begin, status, ended), daemon=True)
        follower.start()
        try:
            yield
        finally:
            ended.set()
            follower.join()


def _follow(log: Path, begin: int, status: Status, ended: Event) -> None:
    """Show each step that is in the log from a byte on, until the end."""
    position, rest = begin, b""
    while not ended.wait(_EVERY_S):
        try:
            with log.open("rb") as file:
                file.seek(position)
                new = file.read()
        except OSError:  # not there yet; its reader must not end for it
            continue
        position += len(new)
        *lines, rest = (rest + new).split(b"\n")
        steps = [step for line in lines if (step := step_of(line.decode(errors="replace")))]
        if steps:
            status.update(steps[-1])
