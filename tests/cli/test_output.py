"""Writing files for users: whole, or not at all."""

import os
import threading

import click
import pytest

from caribou.cli.hints import STAGE, staged
from caribou.cli.output import write_whole
from caribou.model.errors import OperationFailedError


def test_file_when_it_is_written_then_it_is_whole_and_nothing_else_is_left(tmp_path):
    """What was there before is replaced at once."""
    path = tmp_path / "solved.json"
    for text in ("one", "two"):
        write_whole(path, text)
        assert path.read_text() == text
    assert [entry.name for entry in tmp_path.iterdir()] == ["solved.json"]


def test_file_when_its_lines_end_in_an_error_then_what_was_there_stays_and_nothing_else_is_left(tmp_path):
    """Lines that are made one by one, such as those of a table that then can't be read."""
    path = tmp_path / "records.jsonl"
    write_whole(path, iter(["one\n", "two\n"]))

    def broken():
        yield "three\n"
        raise KeyError

    with pytest.raises(KeyError):
        write_whole(path, broken())
    assert path.read_text() == "one\ntwo\n"
    assert [entry.name for entry in tmp_path.iterdir()] == ["records.jsonl"]


def test_file_when_a_link_leads_to_it_then_the_link_stays(tmp_path):
    """Where it leads may be elsewhere."""
    (tmp_path / "real").mkdir()
    link = tmp_path / "link.json"
    link.symlink_to("real/file.json")
    write_whole(link, "text")
    assert link.is_symlink()
    assert (tmp_path / "real" / "file.json").read_text() == "text"


def test_file_when_it_is_a_pipe_then_it_is_written_to_and_not_replaced(tmp_path):
    """`-o /dev/stdout` and `-o >(jq)` are pipes."""
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    write_whole(pipe, "text")
    reader.join()
    assert read == ["text"]
    assert pipe.is_fifo()


@pytest.mark.parametrize(("name", "why"), [("no/solved.json", "No such file"), (".", "Is a directory")])
def test_file_when_it_can_not_be_written_then_it_is_one_message_and_nothing_is_left(tmp_path, name, why):
    """No draft stays behind."""
    with pytest.raises(OperationFailedError, match=f"can't be written: {why}"):
        write_whole(tmp_path / name, "text")
    assert list(tmp_path.iterdir()) == []


def test_file_when_its_name_is_too_long_then_no_draft_stays(tmp_path):
    """The draft had a shorter one."""
    with pytest.raises(OperationFailedError, match="File name too long"):
        write_whole(tmp_path / ("x" * 300), "text")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("message", "copied"),
    [
        ("Next: caribou run shop", "Next: caribou --stage prod run shop"),
        ("To end it:     caribou cancel 1", "To end it:     caribou --stage prod cancel 1"),
        ("see `caribou runs`, or `caribou list`", "see `caribou --stage prod runs`, or `caribou --stage prod list`"),
        ("the bucket caribou-prod-shop of caribou", "the bucket caribou-prod-shop of caribou"),
    ],
)
def test_message_when_a_stage_was_given_then_its_commands_carry_it(message, copied):
    """And nothing else in it changes."""
    with click.Context(click.Command("verb")) as context:
        assert staged(message) == message
        context.meta[STAGE] = "prod"
        assert staged(message) == copied
        assert staged(copied) == copied
