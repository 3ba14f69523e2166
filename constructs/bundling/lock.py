"""Which packages a bundle gets: each in one version, with the hashes of its files.

A workflow with requirements has a lock beside them, `requirements.lock`, for the platform of its manifest: made when it
is first needed, committed, refreshed by `caribou lock`. For this machine, where a local cloud runs functions, a lock of
its own is made out of it and kept in the cache, since wheels and Python are others here. A bundle without requirements
has only what Caribou's own code needs, whose lock comes with Caribou.
"""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from caribou.constructs.bundling.lock_text import checked, lock_of, only_allowed, packages_of, versions
from caribou.constructs.bundling.requirements import REQUIREMENTS, Kind, Requirements
from caribou.constructs.bundling.target_platform import Platform
from caribou.constructs.bundling.uv_run import run_uv
from caribou.model.cache import cache_folder
from caribou.model.errors import InvalidInputError, OperationFailedError

LOCK = "requirements.lock"
OWN_PACKAGE = "aws-lambda-powertools"
_HEAD = (
    "# Every package of the bundle in one version, with the hashes of its files. `caribou lock` writes this file\n"
    "# out of requirements.txt and overrides.txt: commit it, and don't edit it.\n"
)
_FOR, _FROM = "# for: ", "# from: "


class OwnLock(Enum):
    """The locks that come with Caribou: of user functions and sweepers, and of the control plane's collectors."""

    RUNTIME = "runtime_packages.lock"
    COLLECTORS = "collector_packages.lock"


@dataclass(frozen=True, slots=True)
class Packages:
    """What is installed into a bundle: what is required, for which platform. `folder` has the requirements.

    Without requirements it is what `own` locks.
    """

    platform: Platform
    requirements: Requirements = field(default_factory=Requirements)
    folder: Path | None = None
    own: OwnLock = OwnLock.RUNTIME

    @property
    def lock_file(self) -> Path | None:
        """Where the lock is kept; None if Caribou's own is enough."""
        if self.folder is None or not self.requirements.lines:
            return None
        if not self.platform.host:
            return self.folder / LOCK
        parts = (self.platform.name, self.source, str(_text(self.folder / LOCK)))
        known = hashlib.sha256("\0".join(parts).encode()).hexdigest()
        return cache_folder() / "locks" / f"{known}.txt"

    def known_lock(self) -> str | None:
        """The lock, without asking anybody; None if it has to be made. Raises InvalidInputError if it does not fit."""
        path = self.lock_file
        if path is None:
            return own_lock(self.own)
        text = _text(path)
        if text is None:
            return None
        self._check_fits(text, path)
        return lock_of(checked(packages_of(text), str(path)))

    def make_lock(self, *, upgrade: bool = False) -> str:
        """Resolve and keep the lock. Raises InvalidInputError if no set of packages will do."""
        path, lock = self.lock_file, self.resolved(upgrade=upgrade)
        if path is not None:
            _write(path, f"{_HEAD}{_FOR}{self.platform.name}\n{_FROM}{self.source}\n{lock}")
        return lock

    def resolved(self, *, upgrade: bool = False) -> str:
        """A lock as indexes have packages now; versions stay as they are locked, where they can, unless `upgrade`."""
        if self.folder is None or not self.requirements.lines:
            return own_lock(self.own)
        known = "" if upgrade else _text(self.folder / LOCK) or ""
        hashed = {line.name: line for line in self.requirements.lines if line.hashes}
        packages = packages_of(self._resolve(_preferred(known), self.folder))
        return lock_of(only_allowed(package, hashed.get(package.name)) for package in packages)

    @property
    def source(self) -> str:
        """The digest of all that decides what is resolved, but for what indexes have and the platform."""
        requirements = self.requirements
        lines = (f"{line.kind.value} {line.text} {sorted(line.hashes)}" for line in requirements.lines)
        wheels = (f"{path} {digest}" for path, digest in requirements.files if digest)
        return hashlib.sha256("\0".join([_own_line(), *lines, *requirements.sources, *wheels]).encode()).hexdigest()

    def _check_fits(self, text: str, path: Path) -> None:
        found = {head: _after(head, text) for head in (_FOR, _FROM)}
        if found[_FOR] != self.platform.name:
            what = f"is not for {self.platform.name}, the manifest's architecture and Python"
        elif found[_FROM] != self.source:
            what = "does not fit requirements.txt, overrides.txt, or what this version of Caribou needs itself"
        else:
            return
        name = path.parent.name
        raise InvalidInputError(
            what, where=str(path), found=found[_FOR] or "no lock", fix=f"run `caribou lock {name}`, and commit the file"
        )

    def _resolve(self, preferred: str, folder: Path) -> str:
        """What uv resolves: the versions of a lock are preferred."""
        requirements = self.requirements
        with tempfile.TemporaryDirectory(prefix="caribou-lock-") as temporary:
            files = {
                "constraints": requirements.texts(Kind.CONSTRAINT),
                "overrides": requirements.texts(Kind.OVERRIDE),
                "lock": (preferred,),
            }
            paths = {name: Path(temporary, name) for name in files}
            for name, lines in files.items():
                paths[name].write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
            result = run_uv(
                [
                    *("compile", "-", "--generate-hashes", "--no-header", "--no-annotate", *self.platform.arguments()),
                    *("--constraints", str(paths["constraints"]), "--overrides", str(paths["overrides"])),
                    *("--output-file", str(paths["lock"])),
                ],
                folder=folder,
                text="\n".join([*requirements.sources, _own_line(), *requirements.texts(Kind.REQUIRED), ""]),
            )
            if result.returncode != 0:
                raise self._unresolved(result.stderr.strip())
            return paths["lock"].read_text(encoding="utf-8")

    def _unresolved(self, said: str) -> Exception:
        if "No solution found" not in said:
            return OperationFailedError(f"The requirements can't be resolved for {self.platform.name}:\n{said}")
        line = self.requirements.line_of(OWN_PACKAGE)
        fix = "change the versions that stand in each other's way, or name a version that has a wheel for the platform"
        if OWN_PACKAGE in said:
            fix = (
                f"{_own_line()} is Caribou's own: let that version be, or write the one that you want into "
                "overrides.txt, and Caribou runs with it, untested"
            )
        where = line.where if line is not None and OWN_PACKAGE in said else f"{self.folder}/{REQUIREMENTS}"
        return InvalidInputError(f"can't be met for {self.platform.name}", where=where, found=f"\n{said}\n", fix=fix)


def own_lock(which: OwnLock = OwnLock.RUNTIME) -> str:
    """The lock of what Caribou's own code needs in a bundle."""
    return lock_of(packages_of(Path(__file__).with_name(which.value).read_text(encoding="utf-8")))


def _own_line() -> str:
    """The requirement of Caribou's own code."""
    return f"{OWN_PACKAGE}=={versions(own_lock())[OWN_PACKAGE]}"


def _preferred(known: str) -> str:
    """What a lock knows, and of Caribou's own packages those that it does not."""
    packages = packages_of(known)
    names = {package.name for package in packages}
    return lock_of([*packages, *(package for package in packages_of(own_lock()) if package.name not in names)])


def _after(head: str, text: str) -> str:
    return next((line.removeprefix(head) for line in text.splitlines() if line.startswith(head)), "")


def _text(path: Path) -> str | None:
    """What a lock says; None if there is none. What is no text fits nothing."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InvalidInputError(
            f"can't be read: {error.strerror}", where=str(path), fix="remove it, and run `caribou lock`"
        ) from None


def _write(path: Path, text: str) -> None:
    """Write a lock whole or not at all."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, prefix=".lock-", delete=False) as file:
            file.write(text)
        draft = Path(file.name)
        draft.chmod(0o644)
        draft.replace(path)
    except OSError as error:
        raise OperationFailedError(f"{path} can't be written: {error.strerror}. Check the folder's rights") from error
