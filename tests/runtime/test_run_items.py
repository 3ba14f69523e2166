"""Run items as DynamoDB counts them: what is kept with a run must cost no unit more."""

import json

from hypothesis import assume, given
from hypothesis import strategies as st

from caribou.model.run.envelope import Pointer, Run, StoredPayload
from caribou.model.run.item import kept_input
from caribou.runtime.run_items import _input_attribute, _item_of

WRITE_UNIT_BYTES = 1024
NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), min_size=1, max_size=40)
TEXTS = st.text("aé🦌", max_size=700).map(lambda text: StoredPayload(json.dumps(text, ensure_ascii=False)))
POINTERS = NAMES.map(lambda key: StoredPayload(pointer=Pointer("us-east-1", "bucket", key, "0" * 64, 10**9)))


def size_of(item):
    """Bytes, as DynamoDB counts them: names and values, with 21 for any number and 3 for a set."""
    return sum(len(name.encode()) + _size(*value.items()) for name, value in item.items())


def _size(typed):
    kind, value = typed
    match kind:
        case "S":
            return len(value.encode())
        case "SS":
            return 3 + sum(len(each.encode()) + 1 for each in value)
        case _:
            return 1 if kind == "BOOL" else 21


@given(NAMES, st.dictionaries(NAMES, st.just("ca-central-1"), max_size=5), st.sets(NAMES, min_size=1), TEXTS | POINTERS)
def test_input_when_it_is_kept_then_every_write_of_a_run_that_succeeds_is_within_one_unit(name, regions, leaves, given):
    """From the first to the last, when all leaves are noted twice, and the run has its end and small results."""
    run = Run(name, "0.0.1", "0" * 64, "0" * 64, regions, 1.7e9 + 0.123456, 1.7e9 + 86400.123456)
    kept = kept_input(run, frozenset(leaves), given)
    assume(kept is not None)
    ends = {"ended": {"SS": leaves}, "state": {"S": "SUCCEEDED"}, "ended_at": {"N": "1700000000.123456"}}
    ends |= {"begun_by": {"S": "0" * 64}, "result:x": {"S": "x" * 240}}
    item = _item_of(run, frozenset(leaves)) | _input_attribute(kept) | ends
    assert size_of(item) <= WRITE_UNIT_BYTES


def test_input_when_it_is_an_ordinary_event_then_it_is_kept():
    """A few fields, a few nodes elsewhere."""
    run = Run("0" * 32, "0.0.1", "0" * 64, "0" * 64, {"resize:start_0_0:1": "ca-central-1"}, 1.7e9, 1.7e9)
    payload = StoredPayload(json.dumps({"bucket": "pictures", "key": "2026/11/28/holiday.jpg", "width": 640}))
    assert kept_input(run, frozenset({"store:resize_1_0:2"}), payload) == payload
