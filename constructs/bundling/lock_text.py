"""The text of a lock: a package a block, with the hashes of its files, as `uv pip compile` writes it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from caribou.constructs.bundling.requirements import Requirement, normalised
from caribou.model.errors import InvalidInputError

_NAMED = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?\s*(?:==|@)\s*(?P<version>[^\s;]+)")
_WHEEL = re.compile(r"(?:^|/)(?P<name>[^/-]+)-(?P<version>[^/-]+)-[^/]*\.whl")
_HASH = re.compile(r"--hash=(\S+)")
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class LockedPackage:
    """A package in one version: the requirement that names it, and the hashes of its files."""

    requirement: str
    hashes: tuple[str, ...]

    @property
    def name(self) -> str:
        """Its name, as indexes compare it."""
        match = _NAMED.match(self.requirement) or _WHEEL.search(self.requirement)
        return normalised(match["name"]) if match else self.requirement

    @property
    def version(self) -> str:
        """Its version, or the address of its wheel."""
        match = _NAMED.match(self.requirement) or _WHEEL.search(self.requirement)
        return match["version"] if match else ""

    @property
    def text(self) -> str:
        """The block in a lock."""
        return " \\\n".join([self.requirement, *(f"    --hash={each}" for each in self.hashes)]) + "\n"


def packages_of(text: str) -> tuple[LockedPackage, ...]:
    """The packages of a lock; comments are passed over."""
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    blocks = lines.replace("\\\n", " ").splitlines()
    return tuple(
        LockedPackage(_HASH.sub("", block).strip(), tuple(_HASH.findall(block))) for block in blocks if block.strip()
    )


def checked(packages: Iterable[LockedPackage], where: str) -> tuple[LockedPackage, ...]:
    """The packages, each of which has a name and hashes. Raises InvalidInputError for what no lock of ours has."""
    found = tuple(packages)
    for package in found:
        if not package.version or not package.hashes or not package.requirement.isprintable():
            raise InvalidInputError(
                "has a line that is no package with hashes",
                where=where,
                found=ascii(package.requirement[:_SHOWN]),
                fix="remove the file, and run `caribou lock`",
            )
    return found


def lock_of(packages: Iterable[LockedPackage]) -> str:
    """The text of a lock with these packages."""
    return "".join(package.text for package in packages)


def versions(text: str) -> Mapping[str, str]:
    """The version of each package of a lock, by its name."""
    return {package.name: package.version for package in packages_of(text)}


def only_allowed(package: LockedPackage, requirement: Requirement | None) -> LockedPackage:
    """The package without the hashes that its requirement does not allow. InvalidInputError if none is left."""
    if requirement is None or not requirement.hashes:
        return package
    left = tuple(each for each in package.hashes if each in requirement.hashes)
    if not left:
        raise InvalidInputError(
            "allows other hashes than the package has",
            where=requirement.where,
            found=f"{package.requirement} with {', '.join(package.hashes)}",
            fix="correct the version or its hashes; if neither is wrong, the package was changed where it comes from",
        )
    return replace(package, hashes=left)
