"""Records into a descriptor, whatever is done to it."""

import json
import os
import threading
from dataclasses import replace

import pytest
from builders import graph_of, record_of

from caribou.collectors.record_lines import record_in
from caribou.model.run.record import RECORD_KEY, Outcome, SuccessorRecord
from caribou.model.run.text import storable
from caribou.runtime.record_log import MAX_LINE_BYTES, RecordLog, record_line
from caribou.runtime.testing import LocalRunner

LOG_EVENT_BYTES = 256 * 1024


def calling(count, name_length=64):
    """A record of a node that called many others of long names."""
    node = "n" * name_length + ":" + "m" * name_length + "_0_499:499"
    called = (
        SuccessorRecord(f"{node}#{i}", node, "ap-southeast-4", Outcome.REROUTED, 10**9, 0.123456789012345, 0.5)
        for i in range(count)
    )
    return record_of("a", successors=tuple(called))


class Pipe:
    """A pipe whose reading end keeps all that is written."""

    def __init__(self):
        self.reading, self.writing = os.pipe()
        self.text = b""
        self.reader = threading.Thread(target=self._read)

    def _read(self):
        while part := os.read(self.reading, 1000):
            self.text += part

    def __enter__(self):
        self.reader.start()
        return self

    def __exit__(self, *_):
        os.close(self.writing)
        self.reader.join()
        os.close(self.reading)


@pytest.mark.parametrize("blocking", [True, False])
def test_record_log_when_a_line_is_larger_than_a_pipe_then_all_of_it_is_written(blocking):
    """A pipe takes 64 KB at a time; one that user code made non-blocking is waited for."""
    record = calling(300)
    with Pipe() as pipe:
        os.set_blocking(pipe.writing, blocking)
        log = RecordLog(pipe.writing)
        log.emit(record)
        os.close(log._descriptors[0])
    assert len(pipe.text) > 1 << 16
    assert record_in(pipe.text.decode()) == record


@pytest.mark.parametrize("closed", [0, 1])
def test_record_log_when_user_code_closed_a_descriptor_then_the_other_one_is_used(tmp_path, closed):
    """A file that user code opens gets the closed one's number, and none of our lines."""
    with (tmp_path / "log").open("wb") as file:
        log = RecordLog(file.fileno())
        mine = log._descriptors[closed]
        os.close(mine)
        other = os.open(tmp_path / "users", os.O_WRONLY | os.O_CREAT)
        log.emit(record_of("a"))
        assert (tmp_path / "users").read_bytes() == b""
        assert record_in((tmp_path / "log").read_text()) == record_of("a")
        os.close(log._descriptors[1 - closed])
        log.emit(record_of("a"))  # neither is open: nothing is raised
        os.close(other)
        os.open(tmp_path / "log", os.O_RDONLY)  # for the `with` to close
    assert (tmp_path / "users").read_bytes() == b""


def test_record_line_when_a_record_is_too_long_then_it_goes_without_its_successors():
    """A log event of Lambda's has 256 KB: more would be torn in two, and neither half is a record."""
    record = calling(2000)
    line = record_line(record)
    assert len(line) <= MAX_LINE_BYTES
    assert record_in(line.decode()) == replace(record, successors=())


def test_record_line_when_a_node_calls_as_many_as_a_graph_has_then_it_is_whole_also_inside_of_lambdas_json():
    """500 nodes, names as long as Lambda takes them."""
    record = calling(500, name_length=40)
    line = record_line(record).decode()
    assert record_in(line) == record
    assert len(json.dumps({"timestamp": "t" * 30, "level": "INFO", "message": line})) < LOG_EVENT_BYTES


def test_record_line_when_made_then_it_is_one_line_of_ascii_under_its_key():
    """No text of a user's can end the line."""
    line = record_line(record_of("a", error="é\n\u2028\x00"))
    assert line.isascii()
    assert (line.count(b"\n"), line[-1:]) == (1, b"\n")
    assert list(json.loads(line)) == [RECORD_KEY]


def test_record_when_user_code_raises_half_a_character_then_the_run_has_failed_with_it_written_out():
    """The run item and the records have what every table takes."""

    def fails(_):
        raise OSError("\udcff" * 3000)

    result = LocalRunner(graph_of({"a": ""}), {"a": fails}).run("x")
    assert result.state == "FAILED"
    assert {record.error for record in result.records} == {storable("OSError: " + "\udcff" * 3000)}
