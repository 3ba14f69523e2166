"""Outside data as no owner writes it: a right one, of which some parts are gone, or are what they can't be.

`hostile_json(document)` is a strategy of texts of JSON (which is YAML too). Numbers are huge or none, texts have half
characters, lists are nested deeply, keys are long or stand twice: what JSON can say, and no value of Python's holds, is
put into the text as it is. `hostile_item(item)` does the same to an item of DynamoDB, as far as the service keeps it,
and `hostile_text(text)` to the lines of a file.
"""

import copy
import json
import os

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from caribou.model.errors import CaribouError
from caribou.model.printable import printable

LONGEST_MESSAGE = 20_000
"""Bytes of an error, with whatever it shows of what was found."""
EXAMPLES = int(os.environ.get("CARIBOU_FUZZ", "80"))
"""Inputs a parser: few in the suite, as many as one likes by the environment."""

_settings = settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))


def fuzzed(test):
    """A test with so many inputs; what fails is shown, however long it is."""
    return pytest.mark.filterwarnings("ignore:Generating overly large repr")(_settings(test))


def value_or_error(read):
    """What is read, or None for an error of ours that fits on a screen."""
    try:
        return read()
    except CaribouError as error:
        assert ". To fix: " in str(error)  # noqa: PT017 - either outcome is right
        assert len(printable(str(error)).encode()) < LONGEST_MESSAGE  # noqa: PT017
        return None


FRAGMENTS = (
    *("null", "true", "0", "-1", "-0.0", "1e400", "-1e400", "NaN", "Infinity", "1e-400", "0.1", "9" * 25, "9" * 5000),
    *("1e300", "253402300800", '""', '"x"', '"1"', '"us-east-1"', '"\\ud800"', '"\\ufffe"', '"\\u0000"'),
    *('"\\u001b]0;t\\u0007"', '"[/x]"', f'"{"y" * 3000}"', '{"$bytes": "="}', '{"$float": "x"}'),
    *("[]", "{}", "[[]]", '{"a": {}}', '{"a": 1, "a": 2}', "[null]", "[1, 2, 3]", '["us-east-1"]', '{"": 0}'),
    *("[" * depth + "]" * depth for depth in (30, 990, 100_000)),
    *('{"a":' * depth + "1" + "}" * depth for depth in (30, 990, 100_000)),
)
ATTRIBUTES = (
    *({"S": ""}, {"S": "x"}, {"S": "y" * 3000}, {"S": "\x1b]0;t\x07"}, {"S": "{}"}, {"S": "[1]"}, {"S": "1e400"}),
    *({"S": "[" * 100_000}, {"S": '{"a": "\\ud800"}'}, {"N": "-1"}, {"N": "9.9E+125"}, {"N": "1E-130"}, {"N": "0.5"}),
    *({"N": "9" * 38}, {"BOOL": True}, {"NULL": True}, {"SS": ["x"]}, {"NS": ["1"]}, {"BS": [b"x"]}, {"B": b"\xff"}),
    *({"L": []}, {"M": {}}, {"L": [{"S": "x"}]}, {"M": {"S": {"S": "x"}}}),
)
"""What an attribute can be, of every type that DynamoDB has: no half characters, and numbers of up to 38 digits."""
LINES = (
    *("", "\0", "\ud800", "\x1b[2J", "\ufeff", "\u2028", "\\", "#", "x" * 3000, "(" * 300, "[" * 100_000, "9" * 5000),
    *("1e400", "-", "--", "=", "'", '"""', "{", "%", "\t x", "../..", "/dev/zero", "~", "${x}", "é", "\r", "\f"),
)
"""What a line, or a part of it, can be."""
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


@st.composite
def hostile_item(draw, item, keys=()):
    """An item of DynamoDB with one to three changes of its attributes; its keys have the type that the table wants."""
    item, free = dict(item), sorted(item.keys() - set(keys))
    texts = {name: item[name].get("S", "") for name in free}
    documents = {name: json.loads(text) for name, text in texts.items() if text[:1] in {"{", "["}}
    for _ in range(draw(st.integers(1, 3))):
        name = draw(st.sampled_from([*free, "more", "k" * 300]))
        change = draw(st.sampled_from(("replace", "replace", "remove", "document")))
        if change == "document" and name in documents:
            item[name] = {"S": draw(hostile_json(documents[name]))}
        elif change == "remove":
            item.pop(name, None)
        else:
            item[name] = draw(st.sampled_from(ATTRIBUTES))
    return item


@st.composite
def hostile_text(draw, text, parts=()):
    """A text of which one to three places are cut, doubled, or have something else in them; `parts` fit the format."""
    for _ in range(draw(st.integers(1, 3))):
        lines = text.split("\n")
        at = draw(st.integers(0, len(lines) - 1))
        line, part = lines[at], draw(st.sampled_from([*LINES, *parts]))
        column = draw(st.integers(0, len(line)))
        change = draw(st.sampled_from(("put in", "put in", "replace", "cut", "double", "join", "remove")))
        lines[at : at + 1] = {
            "put in": [line[:column] + part + line[column:]],
            "replace": [part],
            "cut": [line[:column]],
            "double": [line, line],
            "join": [line + (lines.pop(at + 1) if at + 1 < len(lines) else "")],
            "remove": [],
        }[change]
        text = "\n".join(lines)
    return text


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
