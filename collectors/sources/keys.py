"""Keys of live sources: where they rest, and how they are read. A key is shown nowhere.

Locally, the environment variable `CARIBOU_<SOURCE>_KEY` counts first. Else a project says where the key is, by
`caribou:source_keys` in `cdk.json`: `ssm:NAME` (a SecureString of Parameter Store), `secretsmanager:NAME` or
`secretsmanager:NAME#FIELD` (of a JSON secret), both in the control region, and locally `file:PATH` as well. A secret's
whole ARN is a name too, of any region.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from caribou.collectors.clients import parameters_of, secrets_of
from caribou.model.errors import InvalidInputError, OperationFailedError

SSM, SECRETS_MANAGER, FILE = PLACES = ("ssm", "secretsmanager", "file")
_LONGEST = 4096
_FORMS = {
    SSM: re.compile(r"[\w.-]+|(/[\w.-]+)+", re.ASCII),
    SECRETS_MANAGER: re.compile(
        r"([\w/+=.@-]+|arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:[\w/+=.@-]+-[a-zA-Z0-9]{6})(#.+)?",
        re.ASCII,
    ),
    FILE: re.compile(r".+"),
}
"""Names as Parameter Store takes them (user guide, "Understanding parameter name requirements and constraints") and
Secrets Manager (API reference, CreateSecret): what they let in is no wildcard in a policy. Of an ARN the last six
characters count, as IAM compares the whole of it."""


class Key:
    """A secret text. It is shown by `reveal()` alone: no print, log, traceback or comparison shows it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text, for a request's header or query."""
        return self._text

    def __repr__(self) -> str:
        return "Key(…)"

    def __reduce__(self) -> str:
        raise TypeError("a key is not written anywhere")


def key_variable(source: str) -> str:
    """The environment variable that has a source's key."""
    return f"CARIBOU_{source.upper()}_KEY"


def checked_place(place: str, where: str) -> str:
    """A place of a key, if it is one. Raises InvalidInputError, which never shows what stands there: maybe a key."""
    kind, _, name = place.partition(":")
    if kind in PLACES and _FORMS[kind].fullmatch(name) and len(place) <= _LONGEST:
        return place
    raise InvalidInputError(
        "says not where the key is",
        where=where,
        fix="write ssm:NAME, ssm:/PATH/NAME, secretsmanager:NAME, or secretsmanager: and a secret's whole ARN, either "
        "with #FIELD behind it, or file:PATH; never the key itself",
    )


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Reads keys: of the environment, of files relative to a project's folder, of a region's stores."""

    region: str
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    folder: Path | None = None

    def key_of(self, source: str, place: str | None) -> Key:
        """The key of a source. Raises OperationFailedError, saying where none was found."""
        variable = key_variable(source)
        if text := self.environment.get(variable, "").strip():
            return _checked(text, variable)
        if place is None:
            raise OperationFailedError(
                f"no key: set {variable}, or say in cdk.json where it is, "
                f'"caribou:source_keys": {{"{source}": "ssm:NAME"}}'
            )
        kind, _, name = place.partition(":")
        readers: Mapping[str, Callable[[str], str]] = {
            SSM: self._parameter,
            SECRETS_MANAGER: self._secret,
            FILE: self._file,
        }
        return _checked(readers[kind](name).strip(), place)

    def _parameter(self, name: str) -> str:
        with _aws_errors(f"ssm:{name}", self.region):
            return parameters_of(self.region).get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"]

    def _secret(self, name: str) -> str:
        secret, _, wanted = name.partition("#")
        place = f"{SECRETS_MANAGER}:{secret}"
        region = secret.split(":")[3] if secret.startswith("arn:") else self.region
        with _aws_errors(place, region):
            text = secrets_of(region).get_secret_value(SecretId=secret).get("SecretString", "")
        if not wanted:
            return text
        try:
            value = json.loads(text)[wanted]
        except (ValueError, KeyError, TypeError, IndexError):
            value = None
        if not isinstance(value, str):
            raise OperationFailedError(f"{place} is no JSON object with a text at {wanted}")
        return value

    def _file(self, name: str) -> str:
        if self.folder is None:
            raise OperationFailedError(f"file:{name} is on another machine: keys of deployed collectors are in AWS")
        path = self.folder / os.path.expanduser(name)  # noqa: PTH111 - a user that is not known is no error of it
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "is no text"
            raise OperationFailedError(f"the key can't be read from {path}: {why}") from None


@contextlib.contextmanager
def _aws_errors(place: str, region: str) -> Iterator[None]:
    """Turn failures of AWS's API into OperationFailedError."""
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "no code")
        raise OperationFailedError(f"the key can't be read from {place} in {region}: {code}") from None
    except BotoCoreError as error:
        raise OperationFailedError(f"the key can't be read from {place} in {region}: {type(error).__name__}") from None


def _checked(text: str, place: str) -> Key:
    if not text or len(text) > _LONGEST or not text.isprintable() or not text.isascii():
        raise OperationFailedError(f"what is at {place} is no key: it is empty, too long, or not one line of ASCII")
    return Key(text)
