"""JSON files to pydantic models, with errors for people: what is wrong, where in the file, what to do."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from caribou.model.errors import InvalidInputError

M = TypeVar("M", bound=BaseModel)
MAX_FOUND = 80  # characters of a wrong value that a message shows

_FIXES = {
    "extra_forbidden": "remove it or correct its spelling; the known fields are in {schema}",
    "missing": "add it; {schema} says what it holds",
    "finite_number": "write a finite number",
    "literal_error": "use one of the values that {schema} names",
}
_RANGE_FIX = "use a value in the range, in the unit that the field's name says; see {schema}"
_TYPE_FIX = "write a value of the type that {schema} names"


class StrictModel(BaseModel):
    """A model that takes only what it names: no unknown field, no conversion, no NaN or infinity."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


def read_json(path: Path, error: type[InvalidInputError]) -> Any:  # noqa: ANN401 - it comes out of a file
    """The JSON value in a file. Raises `error` if it can't be read, isn't JSON, or names a key twice."""
    try:
        return json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_no_key_twice)
    except OSError as cause:
        raise error("can't be read", where=str(path), found=cause.strerror, fix="check the path") from cause
    except UnicodeDecodeError as cause:
        raise error("is not UTF-8 text", where=str(path), fix="save it as UTF-8") from cause
    except RecursionError as cause:
        raise error("is nested too deeply", where=str(path), fix="write the file anew") from cause
    except ValueError as cause:
        raise error("is not JSON", where=str(path), found=cause, fix="correct the file at that place") from cause


def validated(model: type[M], data: object, where: str, *, error: type[InvalidInputError], schema: str) -> M:
    """The data as a model. Raises `error` on the first flaw, with its path in the file; `schema` names its docs."""
    try:
        return model.model_validate(data)
    except ValidationError as cause:
        first, *others = cause.errors(include_url=False, include_context=False)
        more = f" (and {len(others)} more like it)" if others else ""
        raise error(
            _sentence(first) + more,
            where=f"{where}: {path_text(first['loc'])}" if first["loc"] else where,
            found=_shown(first),
            fix=_fix(first["type"]).format(schema=schema),
        ) from None


def path_text(loc: Sequence[str | int]) -> str:
    """A place in a file: `nodes.merge.runs.us-east-1.duration_s[3]`."""
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.lstrip(".")


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return value


def _sentence(flaw: ErrorDetails) -> str:
    if flaw["type"] == "extra_forbidden":
        return "is an unknown field"
    if flaw["type"] == "missing":
        return "is missing"
    return flaw["msg"].replace("Input should", "should").replace("Value error, ", "")


def _shown(flaw: ErrorDetails) -> str | None:
    if flaw["type"] == "missing":
        return None
    text = repr(flaw["input"])
    return text if len(text) <= MAX_FOUND else f"{text[:MAX_FOUND]}…"


def _fix(kind: str) -> str:
    in_range = kind.startswith(("greater_than", "less_than", "too_"))
    return _FIXES.get(kind, _RANGE_FIX if in_range else _TYPE_FIX)
