"""Error texts are kept whatever is in them: long ones, halves of characters, and none at all."""

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


class _MuteError(Exception):
    def __str__(self):
        raise RuntimeError("no text")


def test_error_when_it_has_no_text_then_its_type_is_kept():
    """User code's own `__str__` may raise, and the run fails all the same."""
    assert error_text(_MuteError()) == "_MuteError"
