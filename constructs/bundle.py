"""What a function's code is made of: the user's files, their requirements, and what of Caribou runs there.

Built without Docker by `uv pip install --target`, and cached by content outside `cdk.out`: the same files, locked
packages, platform, Python and Caribou give the same folder and the same asset hash on every machine.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import jsii
from aws_cdk import Annotations, AssetHashType, BundlingOptions, DockerImage, ILocalBundling, Stack
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from caribou.constructs.bundling.code_files import MAX_BUNDLE_BYTES, CodeFile, workflow_files
from caribou.constructs.bundling.installation import PROGRAM_MODE, install, set_modes
from caribou.constructs.bundling.lock import Packages
from caribou.constructs.bundling.own_code import own_files
from caribou.constructs.bundling.requirements import read_requirements
from caribou.constructs.bundling.shadowing import CARIBOU_MODULES, LAMBDA_MODULES, check_against_packages, check_names
from caribou.constructs.bundling.target_platform import Platform
from caribou.constructs.bundling.user_imports import check_imports
from caribou.model.cache import cache_folder
from caribou.model.errors import InvalidInputError
from caribou.model.template_contract import NODE_HANDLER, SWEEPER_HANDLER

_NAMED_PARTS = 4


@dataclass(frozen=True)
class Bundle:
    """The content of a function's code.

    `handlers` are those of Caribou, as Lambda names them: all that their modules import goes in; `data` names packages
    of Caribou with data files, and `further` files that synth makes. `files` are the user's, by their path in the
    bundle. `packages` are installed as their `lock` says; if that is None, as the lock that is known.
    """

    packages: Packages
    handlers: tuple[str, ...]
    files: Mapping[str, CodeFile] = field(default_factory=dict)
    further: Mapping[str, bytes] = field(default_factory=dict)
    data: tuple[str, ...] = ()
    lock: str | None = None

    @property
    def digest(self) -> str:
        """SHA-256 of everything that decides the bundle's content, its lock if that is known."""
        lock = self.packages.known_lock() if self.lock is None else self.lock
        digest = hashlib.sha256()
        for part in (self.packages.platform.name, self.packages.source if lock is None else lock):
            digest.update(f"{part}\0".encode())
        for path, file in sorted(self._all_files().items()):
            digest.update(f"{path}\0{file.executable}\0{len(file.content)}\0".encode() + file.content)
        return digest.hexdigest()

    def code(self, scope: Construct) -> lambda_.Code:
        """The bundle as the code of Lambda functions in a stack, built if the CDK CLI asks to bundle for that stack.

        Built here and not when CDK calls back, through which an error would come as a traceback of two languages.
        """
        bundle = self
        if Stack.of(scope).bundling_required:
            self._say_if_new(scope)
            bundle = self.locked()
            bundle.build()
        return lambda_.Code.from_asset(
            str(_placeholder()),
            asset_hash=bundle.digest,
            asset_hash_type=AssetHashType.CUSTOM,
            bundling=BundlingOptions(image=DockerImage.from_registry("unused"), local=_LocalBundling(bundle)),
        )

    def locked(self) -> Bundle:
        """The bundle with its lock, which is made and kept if there is none. Raises InvalidInputError."""
        if self.lock is not None:
            return self
        lock = self.packages.known_lock()
        return replace(self, lock=self.packages.make_lock() if lock is None else lock)

    def build(self) -> Path:
        """The bundle's folder in the cache, built if it is not there. Safe when two processes build it at once."""
        bundle = self.locked()
        target = cache_folder() / "bundles" / bundle.digest
        if not target.is_dir():
            bundle._build_at(target)  # noqa: SLF001 - of this class
        return target

    def _build_at(self, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".building-", dir=target.parent) as temporary:
            folder = Path(temporary) / "bundle"
            folder.mkdir()
            self._fill(folder)
            try:
                folder.rename(target)
            except OSError:
                if not target.is_dir():  # another process was not first, so this is a real failure
                    raise

    def _fill(self, folder: Path) -> None:
        packages = self.packages
        source = packages.folder or folder
        install(self.lock or "", packages.requirements, packages.platform, source=source, target=folder)
        self._check_against_packages(folder)
        self._copy(folder)
        set_modes(folder)
        _check_size(folder)

    def _check_against_packages(self, folder: Path) -> None:
        """What can be known only once packages are there: names that hide theirs, imports that nothing meets."""
        where = str(self.packages.folder)
        packages = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
        check_against_packages(where, self.files, packages)
        there = {path.partition("/")[0].partition(".")[0] for path in packages}
        there |= self.packages.platform.standard_library | LAMBDA_MODULES | CARIBOU_MODULES
        check_imports(where, {path: file.content for path, file in self.files.items()}, there)

    def _copy(self, folder: Path) -> None:
        for path, file in self._all_files().items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            target.write_bytes(file.content)
            if file.executable:
                target.chmod(PROGRAM_MODE)

    def _all_files(self) -> dict[str, CodeFile]:
        ours = {**own_files(self.handlers, self.data), **self.further}
        return {**self.files, **{path: CodeFile(content) for path, content in ours.items()}}

    def _say_if_new(self, scope: Construct) -> None:
        lock_file = self.packages.lock_file
        if self.lock is None and lock_file is not None and not self.packages.platform.host and not lock_file.exists():
            Annotations.of(Stack.of(scope)).add_info(f"{lock_file} is new: commit it, so that every deploy is the same")


def workflow_bundle(folder: Path, platform: Platform, further: Mapping[str, bytes] | None = None) -> Bundle:
    """The bundle of a workflow's functions: its folder's code, what that requires, our runtime, and further files.

    Raises InvalidInputError for files or requirements that no bundle can be made of.
    """
    requirements = read_requirements(folder)
    files = workflow_files(folder, frozenset(path for path, _ in requirements.files))
    check_names(str(folder), files, platform)
    return Bundle(
        packages=Packages(platform, requirements, folder),
        handlers=(NODE_HANDLER, SWEEPER_HANDLER),
        files=files,
        further=further or {},
    )


def _check_size(folder: Path) -> None:
    parts = {path.name: size_bytes(path) for path in folder.iterdir()}
    if (total := sum(parts.values())) > MAX_BUNDLE_BYTES:
        largest = sorted(parts, key=lambda name: parts[name], reverse=True)[:_NAMED_PARTS]
        raise InvalidInputError(
            f"take more than the {_megabytes(MAX_BUNDLE_BYTES)} that Lambda allows",
            where="the workflow's files and requirements, unpacked",
            found=f"{_megabytes(total)}: {', '.join(f'{name} {_megabytes(parts[name])}' for name in largest)}",
            fix="do without a requirement, take what one asks for out in overrides.txt, or keep data in S3",
        )


def size_bytes(path: Path) -> int:
    """The size of a file, or of all files in a folder."""
    files = path.rglob("*") if path.is_dir() else (path,)
    return sum(file.stat().st_size for file in files if file.is_file())


def _megabytes(size: int) -> str:
    return f"{size / 2**20:.0f} MB"


def _placeholder() -> Path:
    """An empty folder: CDK wants a source for every asset, ours has several."""
    folder = cache_folder() / "bundles" / "empty"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@jsii.implements(ILocalBundling)
class _LocalBundling:
    """Lets CDK take a bundle out of the cache; nothing runs in Docker."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle

    def try_bundle(self, output_dir: str, *_: object, **__: object) -> bool:
        """Copy the bundle to where CDK wants it."""
        shutil.copytree(self._bundle.build(), output_dir, dirs_exist_ok=True)
        return True
