"""Error texts are kept whatever is in them: long ones, halves of characters, and none at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caribou.model.run.text import MAX_ERROR_CHARACTERS, error_text, storable


@given(st.text(st.characters()))
def test_text_when_made_storable_then_it_can_be_encoded_and_is_no_longer_than_may_be(text):
    """SQS takes XML's characters, all others Unicode's."""
    kept = storable(text)
    kept.encode()
    assert len(kept) <= MAX_ERROR_CHARACTERS
    assert not set(kept) & set("\x00\x0b\ufffe\uffff")


def test_text_when_it_has_half_a_character_then_it_is_written_as_python_writes_it():
    """A file's name that is no UTF-8 can still be recognised."""
    assert storable("caf\udce9.txt\n\ud83e") == "caf\\udce9.txt\n\\ud83e"


def test_error_when_its_text_is_long_then_it_is_cut():
    """It may repeat a whole payload."""
    assert error_text(ValueError("x" * 450_000)) == ("ValueError: " + "x" * 450_000)[:MAX_ERROR_CHARACTERS]


class UnspeakableError(Exception):
    """Its text can't be had."""

    def __str__(self):
        raise ValueError("no text")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("not so"), "ValueError: not so"),
        (OSError("a\udc80b"), "OSError: a\\udc80b"),
        (UnspeakableError(), "UnspeakableError: (its text can't be had: ValueError)"),
    ],
)
def test_error_text_when_an_exception_has_any_text_then_it_can_be_stored(error, text):
    """Half a character is written out; an exception without a text has its type."""
    assert error_text(error) == text


@pytest.mark.parametrize("part", ["x", "\ud800", "😀"])
def test_error_text_when_it_is_long_then_it_is_cut(part):
    """To what a record, a run item and a parked message can hold together."""
    text = error_text(ValueError(part * 450_000))
    assert len(text) == MAX_ERROR_CHARACTERS
    assert storable(text) == text
    assert len(text.encode()) <= 4 * MAX_ERROR_CHARACTERS
