"""Files to pydantic models: JSON read, data checked, and what is wrong raised in the words of `findings`."""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from caribou.model.errors import InvalidInputError
from caribou.model.schema.findings import Where, as_one_error
from caribou.model.schema.text_files import read_text_file

M = TypeVar("M", bound=BaseModel)
E = TypeVar("E", bound=Enum)

Word = Annotated[E, Field(strict=False)]
"""One of an enum's values as a word in a file; strict models would want the enum's member itself."""


class StrictModel(BaseModel):
    """A model that takes only what it names: no unknown field, no conversion, no NaN or infinity."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


def read_json(path: Path, error: type[InvalidInputError]) -> Any:  # noqa: ANN401 - it comes out of a file
    """The JSON value in a file. Raises `error` if it can't be read, isn't JSON, or names a key twice."""
    try:
        return json.loads(read_text_file(path, error), object_pairs_hook=_no_key_twice)
    except RecursionError as cause:
        raise error("is nested too deeply", where=str(path), fix="write the file anew") from cause
    except ValueError as cause:
        raise error("is not JSON", where=str(path), found=cause, fix="correct the file at that place") from cause


def validated(model: type[M], data: object, where: Where, error: type[InvalidInputError]) -> M:
    """The data as a model. Raises `error`, with the path of what is wrong inside the data."""
    try:
        return model.model_validate(data)
    except ValidationError as cause:
        raise as_one_error(cause, error, model, where) from None


def json_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The model's JSON Schema, as it is published."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **model.model_json_schema()}


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return value
