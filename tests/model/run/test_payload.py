"""Payloads keep their values on the way."""

import json
import math
import tracemalloc
from decimal import Decimal
from enum import Enum

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caribou.model.errors import InvalidPayloadError
from caribou.model.run.payload import decode, encode, encode_within


class StrMixin(str, Enum):  # noqa: UP042 - whose text is its name, unlike a StrEnum's
    """Texts with names, as many people write them."""


_texts = st.text(st.characters(exclude_categories=["Cs"]))
_keys = st.one_of(_texts, st.sampled_from(["$bytes", "$float", "$", "$$", "$$bytes", "bytes", ""]))
_leaves = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), _texts, st.binary())
values = st.recursive(_leaves, lambda inner: st.lists(inner) | st.dictionaries(_keys, inner), max_leaves=20)


@given(values)
def test_payload_when_decoded_then_it_is_what_was_encoded(value):
    """Any nesting of JSON values and bytes comes back equal, and of the same types."""
    back = decode(encode(value))
    assert back == value
    assert repr(back) == repr(value)


@pytest.mark.parametrize(
    "value",
    [
        {"$bytes": "AAAA"},
        {"$bytes": b"x"},
        {"$bytes": "not base64"},
        {"$float": "nan"},
        {"$float": "no number"},
        {"$$bytes": "AAAA", "$": 1, "$$": 2},
        [{"$bytes": None}, '{"$bytes":"AAAA"}', "$bytes"],
    ],
)
def test_payload_when_it_looks_like_ours_then_it_stays_the_user_s(value):
    """Objects and texts that look like encoded bytes aren't mistaken for them."""
    assert decode(encode(value)) == value


def test_payload_when_a_key_is_an_enums_then_its_value_travels():
    """A text that has another text of its own, from Python 3.11 on."""
    kinds = StrMixin("Kinds", {"OURS": "$bytes", "PLAIN": "plain"})
    assert decode(encode({kinds.OURS: 1, kinds.PLAIN: kinds.OURS})) == {"$bytes": 1, "plain": "$bytes"}


def test_payload_when_numpys_bool_is_sent_then_the_error_names_numpy():
    """`found: bool` would be true of what can travel, too."""
    with pytest.raises(InvalidPayloadError, match=r"payload\.a: .*\(found: numpy\.bool_?\).*`\.item\(\)`"):
        encode({"a": np.bool_(1)})


def test_payload_when_equal_values_are_encoded_then_text_is_compact_json():
    """The text is what travels and what is measured: no spaces, no escapes of letters."""
    assert encode({"a": [1, "é"]}) == '{"a":[1,"é"]}'


def test_payload_when_tuple_or_bytearray_then_it_arrives_as_list_or_bytes():
    """What JSON has no word for arrives as its nearest kind."""
    assert decode(encode((1, bytearray(b"x"), memoryview(b"y")))) == [1, b"x", b"y"]


@pytest.mark.parametrize(
    ("value", "where"),
    [
        (1j, "payload"),
        ({"a": {"b": [1, {2}]}}, "payload.a.b[1]"),
        ({"a": {(1, 2): 3}}, "payload.a key (1, 2)"),
        ({b"a": 2}, "payload key b'a'"),
        ({"a": {"1": 2, 1: 3}}, "payload.a key 1"),
        ({"a": [{1, 2}]}, "payload.a[0]"),
        ({"when": object()}, "payload.when"),
        ({"price": Decimal(1)}, "payload.price"),
    ],
)
def test_payload_when_it_can_not_travel_then_error_names_the_path(value, where):
    """Objects of other kinds, and keys that are none of JSON's, are refused, with the place in the payload."""
    with pytest.raises(InvalidPayloadError) as caught:
        encode(value)
    assert caught.value.where == where


def test_payload_when_it_has_no_json_number_then_it_arrives_as_it_was_in_text_that_is_json():
    """The reference system's Python JSON carries NaN and infinities, so ours does, in JSON that others can read."""
    text = encode({"x": [math.nan, math.inf, -math.inf]})
    assert "NaN" not in json.dumps(json.loads(text))
    nan, *infinities = decode(text)["x"]
    assert math.isnan(nan)
    assert infinities == [math.inf, -math.inf]


def test_payload_when_keys_are_no_text_then_they_arrive_as_python_s_json_writes_them():
    """A dict by number arrives as it did in the reference system: by text."""
    value = {1: "one", 2.5: "x", False: {None: 0}, "$": 3}
    assert decode(encode(value)) == json.loads(json.dumps(value))


@pytest.mark.parametrize("value", [["\ud800"], {"\ud800": 1}], ids=["text", "key"])
def test_payload_when_text_is_no_unicode_then_error_names_the_path(value):
    """A lone surrogate can't be written as UTF-8, so it can't travel."""
    with pytest.raises(InvalidPayloadError):
        encode(value)


def test_payload_when_it_contains_itself_then_it_is_refused():
    """A value without an end is a user's mistake, not a traceback."""
    value = []
    value.append(value)
    with pytest.raises(InvalidPayloadError):
        encode(value)


def test_encode_within_when_the_value_is_far_too_large_then_it_is_not_encoded():
    """A function may return what it worked on: looking at it must not take its memory again."""
    large = {"frames": [bytes(50_000_000)] * 4}
    tracemalloc.start()
    try:
        assert encode_within(large, 1024) is None
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_encode_when_a_number_has_too_many_digits_then_it_says_so():
    """Python writes no whole number of more than 4300 digits as text."""
    with pytest.raises(InvalidPayloadError, match="can't travel"):
        encode({"n": 10**5000})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"$bytes": 5}',
        '{"$bytes": "é"}',
        '{"$float": "x"}',
        '{"$float": []}',
        "[" * 100_000,
        '{"$bytes": "x"}',
    ],
)
def test_decode_when_the_text_is_no_payload_then_one_error_says_so(text):
    """Whoever wrote it, it was not `encode`."""
    with pytest.raises(InvalidPayloadError):
        decode(text)
