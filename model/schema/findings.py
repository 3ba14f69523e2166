"""Pydantic's findings as one error in our words: what, where, the value found, and how to fix it.

A model's own checks raise `finding(...)`, which carries the remedy; for pydantic's checks the remedy is made here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from caribou.model.errors import InvalidInputError
from caribou.model.schema.nearest import near

SHOWN = 3
"""How many findings one message has; more would hide the first."""

SHOWN_LETTERS = 80
"""How much of a wrong value a message has: a mapping that should be a number may be the whole file."""

_RANKS = {"extra_forbidden": 0, "missing": 2}
_TYPES = {
    "string_type": ("is not a text", "write a text, in quotes"),
    "int_type": ("is not a whole number", "write a whole number, without quotes"),
    "int_from_float": ("is not a whole number", "write a whole number"),
    "float_type": ("is not a number", "write a number, without quotes, with a decimal point (1.0e-3, not 1e-3)"),
    "finite_number": ("is not a finite number", "write a number"),
    "bool_type": ("is not true or false", "write true or false"),
    "list_type": ("is not a list", "write a list"),
    "dict_type": ("is not a mapping", "write keys and values"),
    "model_type": ("is not a mapping", "write keys and values"),
    "invalid_key": ("has a key that is not a text", "write the key in quotes, or remove it"),
    "missing": ("is missing", "add it"),
}


Keys = Sequence[int | str]
"""Where something is inside of data: names in mappings and positions in lists, from the top."""
Place = Callable[[Keys], str]
"""Says where a key stands, for messages: the file, perhaps the line, and the key."""
Where = str | Place
"""A file, or what knows the places of its keys."""


def finding(what: str, fix: str) -> PydanticCustomError:
    """An error for a validator to raise, with its remedy."""
    return PydanticCustomError("caribou", "{what}", {"what": what, "fix": fix})


def placed(where: Where) -> Place:
    """The places of keys in a file, or in what is named in its stead."""
    if callable(where):
        return where
    return lambda keys: f"{where}: {key_path(keys)}" if keys else where


def as_one_error(
    error: ValidationError, kind: type[InvalidInputError], model: type[BaseModel], where: Where
) -> InvalidInputError:
    """The first few findings in one error of the given kind; `where` is the file, or what stands for it.

    Unknown keys come first and missing ones last, since a missing key is often one that is misspelt.
    """
    details = sorted(error.errors(include_url=False), key=lambda found: _RANKS.get(found["type"], 1))
    findings = [_read(found, model) for found in details]
    keys, what, found, fix = findings[0]
    for more in findings[1:SHOWN]:
        fix += f". Also {_other_place(more[0], where)}: {more[1]}{_found(more[2])}; to fix: {more[3]}"
    if len(findings) > SHOWN:
        fix += f". And {len(findings) - SHOWN} more"
    return kind(what, where=placed(where)(keys), found=found, fix=fix)


def _other_place(keys: Keys, where: Where) -> str:
    """Where another finding is: its key, and its file if there are several."""
    return where(keys) if callable(where) else key_path(keys)


def _found(value: object) -> str:
    return "" if value is None else f" (found: {value})"


def _read(details: ErrorDetails, model: type[BaseModel]) -> tuple[Keys, str, object, str]:
    """Place, what, the value found, remedy."""
    place = details["loc"]
    kind, context = details["type"], details.get("ctx", {})
    found = None if kind == "missing" else _shown(details["input"])
    if kind == "extra_forbidden":
        key = _cut(str(details["loc"][-1]))
        return place, "is not a known key", key, near(key, _keys_at(model, details["loc"][:-1]))
    if kind == "caribou":
        return place, str(context["what"]), found, str(context["fix"])
    if kind in {"literal_error", "enum"}:
        return place, "is not one of the known words", found, f"write {context['expected']}"
    what, fix = _TYPES.get(kind, (f"is wrong: {details['msg']}", "correct the value"))
    return place, what, found, fix


def _shown(value: object) -> str:
    try:
        text = repr(value) if isinstance(value, str) or value is None else str(value)
    except (RecursionError, ValueError):  # nested deeply, or a number of more digits than Python writes
        return f"a {type(value).__name__} that can't be shown"
    return _cut(text)


def _cut(text: str) -> str:
    more = len(text) - SHOWN_LETTERS
    return text if more <= 0 else f"{text[:SHOWN_LETTERS]} … and {more} more letters"


def key_path(location: Keys) -> str:
    """`a.b[0].c`, as it would be written in code."""
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{_cut(part)}" for part in location)
    return path.removeprefix(".")


def _keys_at(model: type[BaseModel], location: Iterable[int | str]) -> tuple[str, ...]:
    """The keys that the model has at a location of the file."""
    for part in location:
        field = model.model_fields.get(str(part))
        nested = next(_models_in(field.annotation), None) if field else None
        model = nested or model
    return tuple(field.alias or name for name, field in model.model_fields.items())


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:  # noqa: ANN401 - any type expression
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)
