"""Locked packages in a folder, byte for byte and mode for mode the same wherever and whenever they are installed."""

from __future__ import annotations

import re
import stat
from pathlib import Path

from caribou.constructs.bundling.requirements import Requirements
from caribou.constructs.bundling.target_platform import Platform
from caribou.constructs.bundling.uv_run import run_uv
from caribou.model.errors import InvalidInputError, OperationFailedError

FILE_MODE, PROGRAM_MODE, FOLDER_MODE = 0o644, 0o755, 0o755
"""What Lambda's user needs: to read, and to execute what is a program."""
_OF_THIS_MACHINE = frozenset({"direct_url.json", "uv_cache.json"})
"""What uv notes in a package's `.dist-info`: where on this machine it came from, and when."""
_LAUNCHER = re.compile(rb"#!.*python|#!/bin/sh\n'''exec' ")


def install(lock: str, requirements: Requirements, platform: Platform, *, source: Path, target: Path) -> None:
    """Install the packages of a lock into an empty folder. Relative paths in it start from `source`.

    Programs of packages are kept in `bin/`, but for launchers of Python code: their first line names this machine's
    Python. Raises InvalidInputError for a file with another hash, OperationFailedError if it fails.
    """
    arguments = ["install", "--target", str(target), "--link-mode", "copy", *platform.arguments()]
    text = "\n".join([*requirements.sources, lock])
    result = run_uv([*arguments, "--no-deps", "--require-hashes", "-r", "-"], folder=source, text=text)
    if result.returncode != 0:
        said = result.stderr.strip()
        if "Hash mismatch" in said:
            raise InvalidInputError(
                "names hashes that a package does not have",
                where=f"{source}/requirements.lock",
                found=f"\n{said}\n",
                fix="if you changed the package yourself, run `caribou lock`; else it was changed where it comes from",
            )
        raise OperationFailedError(f"The requirements can't be installed for {platform.name}:\n{said}")
    _tidy(target)


def set_modes(folder: Path) -> None:
    """Give all files and folders the modes of a bundle: those that its owner may execute are programs."""
    folder.chmod(FOLDER_MODE)
    for path in folder.rglob("*"):
        if path.is_symlink():
            continue
        program = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
        path.chmod(PROGRAM_MODE if program else FILE_MODE)


def _tidy(target: Path) -> None:
    (target / ".lock").unlink(missing_ok=True)
    gone = [*(path for path in (target / "bin").glob("*") if path.is_file() and _is_launcher(path))]
    for information in sorted(target.glob("*.dist-info")):
        gone += [information / name for name in _OF_THIS_MACHINE if (information / name).exists()]
    for path in gone:
        path.unlink()
    if (target / "bin").is_dir() and not any((target / "bin").iterdir()):
        (target / "bin").rmdir()
    names = {path.relative_to(target).as_posix() for path in gone}
    for record in sorted(target.glob("*.dist-info/RECORD")):
        _take_out(record, names)


def _take_out(record: Path, names: set[str]) -> None:
    """Take files out of a package's list of its files."""
    lines = record.read_text(encoding="utf-8").splitlines(keepends=True)
    left = [line for line in lines if line.partition(",")[0].strip('"') not in names]
    record.write_text("".join(sorted(left)), encoding="utf-8", newline="")


def _is_launcher(path: Path) -> bool:
    with path.open("rb") as file:
        return _LAUNCHER.match(file.read(200)) is not None
