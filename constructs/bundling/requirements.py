"""What `requirements.txt` and `overrides.txt` of a workflow ask for, with all files that they name.

Read as pip reads them, and made independent of where they lie: lines of files that are included stand in their place,
paths are relative to the workflow's folder. What can't be kept, because it is built where it is installed or lies
elsewhere, is refused with file and line.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from urllib.parse import unquote, urlsplit

from caribou.constructs.bundling.code_files import inside
from caribou.constructs.bundling.requirement_lines import RequirementLine, option_of, read_lines
from caribou.model.errors import InvalidInputError
from caribou.model.paths import is_file, is_there

REQUIREMENTS, OVERRIDES = "requirements.txt", "overrides.txt"
MAX_CHARACTERS, _SHOWN = 4000, 80
"""Of a requirement without its hashes; patterns would take minutes over a whole file in one line."""
_NO_EFFECT = frozenset({"--only-binary", "--prefer-binary", "--require-hashes"})
"""Only wheels are installed, and each is compared with the lock's hash, whether a file says so or not."""
_SOURCES = frozenset({"--index-url", "--extra-index-url", "--no-index", "--find-links"})
_WHEELS_ONLY = "name a wheel (`uv build --wheel FOLDER -o wheels` makes one), or put its package's folder beside app.py"
_REFUSED = {
    "--editable": _WHEELS_ONLY,
    "--no-binary": "remove it: functions get wheels only, nothing is built",
    "--pre": "pin the pre-release that you mean: name==1.0rc1",
    "--trusted-host": "remove it, and give the index a certificate",
}
_NAMED = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*)\s*(?P<extras>\[[^\]]*\])?\s*(?:@\s*(?P<target>.+)|(?=$|[;(<>=!~]))")
_TARGET = re.compile(r"(?P<place>.+?)(?P<rest>(?:\[[^\]]*\])?(?:\s+;.*)?)$")
_HASH = re.compile(r"\s--hash[= ]\s*(?P<hash>\S+)")


class Kind(Enum):
    """What the requirements of a file are for."""

    REQUIRED = "required"
    CONSTRAINT = "constraint"
    OVERRIDE = "override"


@dataclass(frozen=True, slots=True)
class Requirement:
    """One requirement, where it stands, and the hashes that it allows: all, if there are none."""

    text: str
    where: str
    kind: Kind
    hashes: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """The name of the package as indexes compare it; empty for a wheel by its path."""
        match = _NAMED.match(self.text)
        return normalised(match["name"]) if match else ""


@dataclass(frozen=True, slots=True)
class Requirements:
    """What a workflow requires. `sources` are options of uv: where packages come from.

    `files` are those that were read, by their paths in the folder, each with its SHA-256 if it is a wheel.
    """

    lines: tuple[Requirement, ...] = ()
    sources: tuple[str, ...] = ()
    files: tuple[tuple[str, str], ...] = ()

    def texts(self, kind: Kind) -> tuple[str, ...]:
        """The requirements of a kind, as uv reads them."""
        return tuple(line.text for line in self.lines if line.kind is kind)

    def line_of(self, package: str) -> Requirement | None:
        """The first line that asks for a package."""
        return next((line for line in self.lines if line.name == package and line.kind is not Kind.OVERRIDE), None)


def normalised(name: str) -> str:
    """A package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read_requirements(folder: Path) -> Requirements:
    """What the folder's `requirements.txt` and `overrides.txt` ask for; nothing if they are not there.

    Raises InvalidInputError for what is no requirement, or can't be kept.
    """
    reader = _Reader(folder)
    for name, kind in ((REQUIREMENTS, Kind.REQUIRED), (OVERRIDES, Kind.OVERRIDE)):
        if os.path.lexists(folder / name):
            reader.read(folder / name, kind, ())
    return Requirements(tuple(reader.lines), tuple(reader.sources), tuple(reader.files.items()))


@dataclass
class _Reader:
    """Follows files that name files."""

    folder: Path
    lines: list[Requirement] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)

    def read(self, path: Path, kind: Kind, including: tuple[Path, ...]) -> None:
        """Add what a file asks for; `including` are the files that lead to it."""
        real = _file(path, self.folder)
        if real in including:
            raise InvalidInputError("includes itself", where=str(path), fix="take one `-r` or `-c` out")
        self.files.setdefault(self._relative(real), "")
        for line in read_lines(real, str(path)):
            option = option_of(line)
            if option is None:
                self._add(line, path, kind)
            elif option[0] in {"--requirement", "--constraint"}:
                inner = Kind.CONSTRAINT if option[0] == "--constraint" and kind is Kind.REQUIRED else kind
                self.read(self._named(option[1], path, line), inner, (*including, real))
            elif option[0] in _SOURCES:
                self._add_source(*option, path, line)
            elif option[0] not in _NO_EFFECT:
                raise InvalidInputError(
                    "can't be kept in a bundle",
                    where=line.where,
                    found=line.text,
                    fix=_REFUSED.get(option[0], "remove the option"),
                )

    def _add(self, line: RequirementLine, path: Path, kind: Kind) -> None:
        hashes = frozenset(match["hash"] for match in _HASH.finditer(line.text))
        text = _HASH.sub("", line.text).strip()
        if len(text) > MAX_CHARACTERS:
            raise InvalidInputError("is too long", where=line.where, found=text[:_SHOWN], fix="shorten the line")
        match = _NAMED.match(text)
        if " --" in text or (hashes and not any(each.startswith("sha256:") for each in hashes)):
            raise InvalidInputError(
                "has options other than --hash=sha256:…", where=line.where, found=line.text, fix="remove them"
            )
        if match is None:
            text = self._target(text, path, line)
        elif match["target"]:
            text = f"{match['name']}{match['extras'] or ''} @ {self._target(match['target'], path, line)}"
        self.lines.append(Requirement(text, line.where, kind, hashes))

    def _add_source(self, option: str, value: str, path: Path, line: RequirementLine) -> None:
        if option == "--find-links" and "://" not in value:
            folder = self._named(value, path, line)
            for wheel in sorted(folder.glob("*.whl")):
                self._add_wheel(wheel)
            value = f"./{self._relative(folder)}"
        self.sources.append(f"{option} {value}".strip())

    def _target(self, text: str, path: Path, line: RequirementLine) -> str:
        """The address of a wheel, or its path relative to the folder."""
        match = _TARGET.match(text)
        place, rest = (match["place"], match["rest"]) if match else (text, "")
        try:
            url = urlsplit(place)
        except ValueError:  # such as an address of half a pair of brackets
            url = None
        if url is None or not url.path.endswith(".whl"):
            raise InvalidInputError(
                "is neither the name of a package nor a wheel, and what is built is another one each time",
                where=line.where,
                found=line.text,
                fix=_WHEELS_ONLY,
            )
        if url.scheme not in {"", "file"}:
            return text
        wheel = self._named(unquote(url.path), path, line)
        self._add_wheel(wheel)
        return f"./{self._relative(wheel)}{rest}"

    def _named(self, value: str, path: Path, line: RequirementLine) -> Path:
        """What a line names, relative to the file that it stands in; links followed."""
        named = path.parent / value
        if "://" in value or not is_there(named):
            raise InvalidInputError(
                "names what is not there" if "://" not in value else "names a file elsewhere",
                where=line.where,
                found=value,
                fix="put it into the workflow's folder, or remove the line",
            )
        try:
            return inside(named, self.folder)
        except InvalidInputError as error:
            raise InvalidInputError(f"names what {error.what}", where=line.where, found=value, fix=error.fix) from None

    def _add_wheel(self, wheel: Path) -> None:
        real = _file(wheel, self.folder)
        self.files[self._relative(real)] = hashlib.sha256(real.read_bytes()).hexdigest()

    def _relative(self, real: Path) -> str:
        return real.relative_to(os.path.realpath(self.folder)).as_posix()


def _file(path: Path, folder: Path) -> Path:
    real = inside(path, folder)
    if not is_file(real):
        raise InvalidInputError("is no file", where=str(path), fix="put a plain file there, or remove it")
    return real
