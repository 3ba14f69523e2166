"""The policy that a manifest names: what the functions may do besides, as IAM takes it for a role."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from caribou.model.errors import InvalidManifestError
from caribou.model.schema.parsing import read_json

_SHOWN, _LARGEST = 200, 2**53
_ONE_OF_TWO = (("Action", "NotAction"), ("Resource", "NotResource"))


def read_iam_policy(path: Path) -> dict[str, Any]:
    """The policy document in a file. Raises InvalidManifestError for what IAM, or CDK by a traceback, would refuse."""
    document = read_json(path, InvalidManifestError)
    if isinstance(document, dict) and set(document) == {"aws"}:  # the reference system's way, a document a provider
        document = document["aws"]
    if not isinstance(document, dict) or not isinstance(document.get("Statement"), list):
        raise InvalidManifestError(
            "is not an IAM policy document", where=str(path), fix='write {"Version": "2012-10-17", "Statement": [...]}'
        )
    for statement in document["Statement"]:
        if not _is_statement(statement):
            raise InvalidManifestError(
                "has a statement that is none of a role's",
                where=str(path),
                found=str(statement)[:_SHOWN],
                fix="give it Effect, Action and Resource, texts or lists of texts, and no Principal",
            )
    return document


def _is_statement(value: object) -> bool:
    if not isinstance(value, dict) or not value.keys() <= _FITS.keys() or "Effect" not in value:
        return False
    return all(len(value.keys() & set(pair)) == 1 for pair in _ONE_OF_TWO) and all(_FITS[k](value[k]) for k in value)


def _is_text(value: object) -> bool:
    """Whether it is a text that has something in it, and is Unicode: JSON can write half a character."""
    return isinstance(value, str) and value != "" and value.encode(errors="ignore").decode() == value


def _are_texts(value: object) -> bool:
    return _is_text(value) or (isinstance(value, list) and value != [] and all(map(_is_text, value)))


def _is_effect(value: object) -> bool:
    return value in ("Allow", "Deny")


def _is_condition(value: object) -> bool:
    """Operators to keys to values, which may be texts, numbers and truth values."""
    return isinstance(value, dict) and all(_is_text(key) and _are_tests(tests) for key, tests in value.items())


def _are_tests(value: object) -> bool:
    return isinstance(value, dict) and all(_is_text(key) and _are_values(found) for key, found in value.items())


def _are_values(value: object) -> bool:
    values = value if isinstance(value, list) else [value]
    return all(_is_text(one) or one == "" or _is_number(one) for one in values)


def _is_number(value: object) -> bool:
    """Whether it is a number that JavaScript has, which CDK is written in; true and false are."""
    return isinstance(value, int | float) and abs(value) <= _LARGEST


_FITS: Mapping[str, Callable[[object], bool]] = {
    "Sid": _is_text,
    "Effect": _is_effect,
    **dict.fromkeys(("Action", "NotAction", "Resource", "NotResource"), _are_texts),
    "Condition": _is_condition,
}
"""The fields of a statement of a role's policy, and what each may be."""
