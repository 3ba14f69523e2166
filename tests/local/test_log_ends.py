"""An invocation's log has all of its lines, and no other's, however late they are read."""

import os
import queue
from types import SimpleNamespace

import pytest

from caribou.local.log_ends import MARK, end_logs_by_a_mark, lines_of
from caribou.local.marking import marker

NOTHING_YET = object()


class LateQueue:
    """A queue of lines, in which `NOTHING_YET` is a moment with none."""

    def __init__(self, *lines):
        self._lines = list(lines)

    def get(self, timeout):
        """The next line."""
        del timeout
        if not self._lines or (line := self._lines.pop(0)) is NOTHING_YET:
            raise queue.Empty
        return line


def process(*lines, lives=True):
    """A process whose lines are read so; they end there if it lives no more."""
    return SimpleNamespace(_stderr_queue=LateQueue(*lines), _stderr_thread=SimpleNamespace(is_alive=lambda: lives))


def test_log_when_its_last_line_is_read_late_then_it_is_waited_for():
    """The run record comes after what user code prints."""
    late = process("printed", *[NOTHING_YET] * 50, "record", f"{MARK}r1", "of the next")
    assert lines_of(late, "r1") == ["printed", "record"]


def test_log_when_the_mark_of_an_earlier_request_is_left_then_it_does_not_end_there():
    """A mark that came after the limit, or user code's own."""
    assert lines_of(process(f"{MARK}r0", "ours", f"{MARK}r1"), "r1") == ["ours"]


def test_log_when_its_last_line_has_no_newline_then_it_is_a_line_all_the_same():
    """`print(..., end="")`."""
    assert lines_of(process("", f"half{MARK}r1"), "r1") == ["", "half"]


def test_log_when_the_process_died_then_its_last_lines_are_there_and_nothing_is_waited_for():
    """Nobody marks the end of that one."""
    assert lines_of(process("last words", lives=False), "r1", limit_s=3600) == ["last words"]


@pytest.mark.parametrize("limit_s", [0.01, 0.0])
def test_log_when_no_mark_comes_then_the_limit_ends_it_with_what_is_there(limit_s):
    """User code may have closed everything; and who looks late, on a busy machine, still finds the lines."""
    assert lines_of(process("printed"), "r1", limit_s=limit_s) == ["printed"]


@pytest.mark.parametrize(
    "script", ["", "        _real_stdout.flush()\n\nrun()\n" * 2], ids=["answers in another way", "answers twice"]
)
def test_emulator_when_its_processes_answer_otherwise_then_it_is_refused(script):
    """A mark in the wrong place would cut logs."""
    with pytest.raises(RuntimeError, match="written for another one"):
        end_logs_by_a_mark(SimpleNamespace(_PYTHON_WORKER_SCRIPT=script, Worker=object))


@pytest.fixture
def log():
    """The reading end of a pipe, and the descriptor that a process would log to."""
    read, write = os.pipe()
    yield read, write
    os.close(read)


def test_mark_when_the_log_was_closed_then_it_goes_where_it_was_open_too(log):
    """The descriptor is duplicated before user code comes."""
    read, write = log
    end_log = marker("#", write)
    os.close(write)
    end_log("r1")
    assert os.read(read, 100) == b"#r1\n"


def test_mark_when_another_file_has_the_logs_number_then_it_is_not_written_there(log, tmp_path):
    """A mark in a user's file would damage it."""
    read, write = log
    end_log = marker("#", write)
    theirs = os.open(tmp_path / "theirs", os.O_WRONLY | os.O_CREAT)
    os.dup2(theirs, write)
    end_log("r1")
    assert (os.read(read, 100), (tmp_path / "theirs").read_bytes()) == (b"#r1\n", b"")
    os.close(theirs)
    os.close(write)
