"""The files of a workflow's folder that are its functions' code, as they are: content, and who may execute them.

Folders of others are read here: only plain files inside the folder are taken. What is a link to elsewhere, a link that
leads into itself, a pipe, a device, or more than a bundle may hold is refused before it is opened.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from caribou.model.errors import InvalidInputError

MAX_BUNDLE_BYTES = 250 * 1024 * 1024
"""Lambda's quota for a function's code and layers, unpacked; ours have a layer of a few KB besides."""
MAX_FILES = 20_000
"""More is a mistake, or folders that link to each other; the largest wheels have some thousands."""
REQUIREMENT_FILES = ("requirements.txt", "overrides.txt", "requirements.lock")
_NOT_CODE_AT_TOP = frozenset({"samples", "tests", *REQUIREMENT_FILES})
_NEVER_CODE = frozenset({"__pycache__", ".git", ".DS_Store"})
"""What tools leave anywhere."""


@dataclass(frozen=True, slots=True)
class CodeFile:
    """A file of a bundle: its content, and whether it may be executed."""

    content: bytes
    executable: bool = False


def workflow_files(folder: Path, apart: frozenset[str] = frozenset()) -> dict[str, CodeFile]:
    """The code of a workflow's functions by paths in the folder. `apart` are files that only installing needs.

    Left out are, at the top, samples, tests, README, requirements and what begins with a dot; elsewhere only what
    Python, Git and Finder leave. Raises InvalidInputError.
    """
    found: dict[str, CodeFile] = {}
    size = 0
    for path in _code_paths(folder, (Path(os.path.realpath(folder)),)):
        name = path.relative_to(folder).as_posix()
        if name in apart:
            continue
        size += path.stat().st_size
        if size > MAX_BUNDLE_BYTES or len(found) >= MAX_FILES:
            raise _too_much(folder, path)
        found[name] = _read(path)
    return found


def inside(path: Path, folder: Path) -> Path:
    """What a path really is, links followed. Raises InvalidInputError unless that is in the folder, and is there."""
    try:
        real = Path(os.path.realpath(path, strict=True))
    except OSError as error:
        raise InvalidInputError(
            "is a link that leads nowhere, or into itself" if path.is_symlink() else f"can't be read: {error.strerror}",
            where=_shown(path),
            found=path.readlink() if path.is_symlink() else None,
            fix="put the file itself there, or remove the link",
        ) from None
    if not real.is_relative_to(os.path.realpath(folder)):
        raise InvalidInputError(
            "leads out of the workflow's folder",
            where=_shown(path),
            found=_shown(real),
            fix="put the file itself into the folder",
        )
    return real


def _code_paths(folder: Path, ancestors: tuple[Path, ...]) -> Iterator[Path]:
    """The files at and below a folder; the first ancestor is the workflow's own folder, the last is this one."""
    for path in _listed(folder):
        if path.name in _NEVER_CODE or (len(ancestors) == 1 and _is_left_out(path.name)):
            continue
        _check_name(path)
        real = inside(path, ancestors[0])
        if real in ancestors:
            raise InvalidInputError(
                "is a link to a folder that it lies in", where=_shown(path), found=path.readlink(), fix="remove it"
            )
        if real.is_dir():
            yield from _code_paths(path, (*ancestors, real))
        elif real.is_file():
            yield path
        else:
            raise InvalidInputError(
                "is neither a file nor a folder",
                where=_shown(path),
                found=_kind(real),
                fix="remove it: a function's code is made of files",
            )


def _is_left_out(name: str) -> bool:
    return name.startswith(".") or name in _NOT_CODE_AT_TOP or name.casefold().partition(".")[0] == "readme"


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise _unreadable(folder, error) from error


def _read(path: Path) -> CodeFile:
    try:
        return CodeFile(path.read_bytes(), executable=bool(path.stat().st_mode & stat.S_IXUSR))
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> InvalidInputError:
    return InvalidInputError(f"can't be read: {error.strerror}", where=_shown(path), fix="allow yourself to read it")


def _check_name(path: Path) -> None:
    try:
        path.name.encode()
    except UnicodeEncodeError:
        raise InvalidInputError(
            "has a name that is not UTF-8, which no archive can hold", where=_shown(path), fix="rename it"
        ) from None


def _too_much(folder: Path, path: Path) -> InvalidInputError:
    return InvalidInputError(
        f"has more than {MAX_FILES} files, or more than the {MAX_BUNDLE_BYTES >> 20} MB that Lambda allows",
        where=str(folder),
        found=f"too much with {path.relative_to(folder)}, {path.stat().st_size} bytes",
        fix="keep data in S3, and what functions don't need in samples/, tests/ or outside of the folder",
    )


def _kind(path: Path) -> str:
    mode = path.stat().st_mode
    kinds = {"a pipe": stat.S_ISFIFO, "a socket": stat.S_ISSOCK, "a device": stat.S_ISCHR}
    return next((name for name, is_one in kinds.items() if is_one(mode)), "a device")


def _shown(path: Path) -> str:
    """A path as text that can be printed, whatever its bytes are."""
    return os.fsencode(path).decode(errors="backslashreplace")
