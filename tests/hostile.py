"""Files as no owner writes them: a right one, of which some values and keys are gone, or are what they can't be.

`hostile_json(document)` is a strategy of texts of JSON (which is YAML too). Numbers are huge or none, texts have half
characters, lists are nested deeply, keys are long or stand twice: what JSON can say, and no value of Python's holds, is
put into the text as it is.
"""

import copy
import json
import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("CARIBOU_FUZZ", "120"))
"""Inputs a parser: few in the suite, as many as one likes by the environment."""

fuzzed = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))

FRAGMENTS = (
    *("null", "true", "0", "-1", "-0.0", "1e400", "-1e400", "NaN", "Infinity", "1e-400", "0.1", "9" * 25, "9" * 5000),
    *('""', '"x"', '"1"', '"us-east-1"', '"\\ud800"', '"\\u0000"', '"\\u001b]0;t\\u0007"', '"[/x]"', f'"{"y" * 3000}"'),
    *("[]", "{}", "[[]]", '{"a": {}}', '{"a": 1, "a": 2}', "[null]", "[1, 2, 3]", '["us-east-1"]', '{"": 0}'),
    *("[" * depth + "]" * depth for depth in (30, 990, 100_000)),
    *('{"a":' * depth + "1" + "}" * depth for depth in (30, 990, 100_000)),
)
KEYS = ("", "x", "schema", "k" * 3000, "\ud800", "\0", "a.b", "__proto__", "[0]", "1")


@st.composite
def hostile_json(draw, document):
    """The text of a document with one to three changes."""
    document, fragments = copy.deepcopy(document), []
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from(list(_containers(document))))
        mark = f"@{len(fragments)}@"
        fragments.append(draw(st.sampled_from(FRAGMENTS)))
        _change(draw, place, mark)
    text = json.dumps(document)
    for number, fragment in enumerate(fragments):
        text = text.replace(f'"@{number}@"', fragment)
    return text if draw(st.integers(0, 9)) else text[: draw(st.integers(0, len(text)))]


def _containers(value):
    """The lists and objects of a document, itself included."""
    if isinstance(value, dict | list):
        yield value
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _containers(inner)


def _change(draw, place, mark):
    """Put the mark into a list or object, in the place of something or beside it, or take something out."""
    keys = list(place) if isinstance(place, dict) else list(range(len(place)))
    change = draw(st.sampled_from(("replace", "add", "remove")))
    if change == "add" or not keys:
        if isinstance(place, dict):
            place[draw(st.sampled_from(KEYS))] = mark
        else:
            place.append(mark)
    elif change == "replace":
        place[draw(st.sampled_from(keys))] = mark
    else:
        del place[draw(st.sampled_from(keys))]
