"""What stands at a path: read as UTF-8, or refused in one message, and never waited for."""

import os

import pytest

from caribou.model.errors import InvalidInputError
from caribou.model.schema.text_files import read_text_file


def refused(path, **how):
    """The message with which a path is refused."""
    with pytest.raises(InvalidInputError) as caught:
        read_text_file(path, InvalidInputError, **how)
    return str(caught.value)


def test_file_when_it_is_a_pipe_in_a_folder_then_it_is_refused_and_not_waited_for(tmp_path):
    """Nobody will ever write to it."""
    os.mkfifo(tmp_path / "config.yml")
    assert "config.yml: is no file that can be read" in refused(tmp_path / "config.yml", regular=True)


def test_file_when_a_link_leads_to_a_device_then_it_is_refused_or_cut_off(tmp_path):
    """A device never ends."""
    (tmp_path / "config.yml").symlink_to("/dev/zero")
    assert "is no file that can be read" in refused(tmp_path / "config.yml", regular=True)
    assert "is larger than 1,000 bytes" in refused(tmp_path / "config.yml", largest_bytes=1000)


def test_file_when_a_link_leads_to_itself_or_nowhere_then_the_message_says_so(tmp_path):
    """Links of others' folders."""
    (tmp_path / "self").symlink_to("self")
    (tmp_path / "nowhere").symlink_to("/nowhere/x")
    assert "Too many levels of symbolic links" in refused(tmp_path / "self", regular=True)
    assert "No such file" in refused(tmp_path / "nowhere")
    assert "null byte" in refused(tmp_path / "a\0b")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_file_when_it_is_utf16_then_the_remedy_is_the_editors(tmp_path, encoding):
    """PowerShell's `>` writes it."""
    path = tmp_path / "config.yml"
    path.write_bytes("\ufeffa: 1".encode(encoding))
    assert "config.yml: is UTF-16, not UTF-8. To fix: save it as UTF-8" in refused(path)


def test_file_when_a_line_is_not_utf8_then_it_is_named(tmp_path):
    """A Latin-1 comment."""
    (tmp_path / "config.yml").write_bytes(b"a: 1\n# caf\xe9\n")
    assert "config.yml:2: is not UTF-8 text" in refused(tmp_path / "config.yml")


def test_file_when_it_begins_with_a_mark_of_byte_order_then_it_is_left_out(tmp_path):
    """Windows' editors write one."""
    (tmp_path / "config.yml").write_bytes(b"\xef\xbb\xbfa: 1")
    assert read_text_file(tmp_path / "config.yml", InvalidInputError) == "a: 1"
