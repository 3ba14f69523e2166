"""What a function's code is made of: the user's files, their requirements, and what of Caribou runs there.

Built without Docker by `uv pip install --target`, and cached by content outside `cdk.out`: the same files,
requirements, platform, Python and Caribou give the same folder and the same asset hash on every machine.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import ipaddress
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import jsii
import uv
from aws_cdk import AssetHashType, BundlingOptions, DockerImage, ILocalBundling, Stack
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from caribou.constructs.own_code import own_files
from caribou.model.cache import cache_folder
from caribou.model.errors import InvalidInputError, OperationFailedError
from caribou.model.template_contract import NODE_HANDLER, SWEEPER_HANDLER

_POWERTOOLS = "aws-lambda-powertools"
_NOT_CODE = frozenset({"samples", "tests", "__pycache__", "node_modules", "requirements.txt", "overrides.txt"})
_NOT_CODE_SUFFIXES = frozenset({".md", ".rst", ".pyc"})
_FINDING_UV = threading.Lock()
"""Finding uv asks `sysconfig`, which in Python 3.11 may answer None to the second of two threads that ask first."""
_NAMED_PARTS = 4
_COMMENT = re.compile(r"(^|\s)#.*")
_MACHINES = {"x86_64": "x86_64", "arm64": "aarch64"}
MAX_BUNDLE_BYTES = 250 * 1024 * 1024
"""Lambda's quota for a function's code and layers, unpacked; ours have a layer of a few KB besides."""
_MANYLINUX = {"3.11": "manylinux2014"}
"""Python 3.11 runs on Amazon Linux 2 (glibc 2.26) in Lambda, later ones on Amazon Linux 2023 (glibc 2.34)."""


@dataclass(frozen=True, slots=True)
class Platform:
    """What dependencies are installed for: Lambda's architecture and Python, or this machine (a local cloud)."""

    architecture: str
    python_version: str
    host: bool

    @classmethod
    def of_target(cls, architecture: str, python_version: str, environment: Mapping[str, str] = os.environ) -> Platform:
        """Lambda's platform, or this machine's if `AWS_ENDPOINT_URL` names a loopback address."""
        host = _is_loopback(environment.get("AWS_ENDPOINT_URL", ""))
        return cls(architecture, python_version, host=host)

    @property
    def name(self) -> str:
        """A name that differs wherever installed files may."""
        if self.host:
            return f"host-{sys.platform}-{os.uname().machine}-{sys.version_info.major}.{sys.version_info.minor}"
        return f"{self._lambda_platform}-{self.python_version}"

    @property
    def _lambda_platform(self) -> str:
        return f"{_MACHINES[self.architecture]}-{_MANYLINUX.get(self.python_version, 'manylinux_2_28')}"

    def install_arguments(self) -> list[str]:
        """Arguments of `uv pip install` that choose the platform."""
        if self.host:
            return ["--python", sys.executable]
        platform = ["--python-platform", self._lambda_platform, "--python-version", self.python_version]
        return [*platform, "--only-binary", ":all:"]


@dataclass(frozen=True)
class Bundle:
    """The content of a function's code.

    `files` are copied as they are, by their path in the bundle. `handlers` are those of Caribou, as Lambda names them:
    all that their modules import goes in; `data` names packages of Caribou with data files. `requirements` are lines of
    a requirements file, and `overrides` lines of uv's override file: what stands there replaces what packages
    themselves ask for.
    """

    files: Mapping[str, bytes]
    handlers: tuple[str, ...]
    requirements: tuple[str, ...]
    platform: Platform
    overrides: tuple[str, ...] = ()
    data: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 of everything that decides the bundle's content."""
        digest = hashlib.sha256()
        for part in (self.platform.name, *self._requirements(), *(f"override {line}" for line in self.overrides)):
            digest.update(f"{part}\0".encode())
        for path, content in sorted(self._all_files().items()):
            digest.update(f"{path}\0{len(content)}\0".encode() + content)
        return digest.hexdigest()

    def code(self, scope: Construct) -> lambda_.Code:
        """The bundle as the code of Lambda functions in a stack, built if the CDK CLI asks to bundle for that stack.

        Built here and not when CDK calls back, through which an error would come as a traceback of two languages.
        """
        if Stack.of(scope).bundling_required:
            self.build()
        return lambda_.Code.from_asset(
            str(_placeholder()),
            asset_hash=self.digest,
            asset_hash_type=AssetHashType.CUSTOM,
            bundling=BundlingOptions(image=DockerImage.from_registry("unused"), local=_LocalBundling(self)),
        )

    def build(self) -> Path:
        """The bundle's folder in the cache, built if it is not there. Safe when two processes build it at once."""
        target = cache_folder() / "bundles" / self.digest
        if target.is_dir():
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".building-", dir=target.parent) as temporary:
            folder = Path(temporary) / "bundle"
            folder.mkdir()
            self._install(folder)
            self._copy(folder)
            self._check_size(folder)
            try:
                folder.rename(target)
            except OSError:
                if not target.is_dir():  # another process was not first, so this is a real failure
                    raise
        return target

    def _requirements(self) -> tuple[str, ...]:
        return (*self.requirements, f"{_POWERTOOLS}=={importlib.metadata.version(_POWERTOOLS)}")

    def _install(self, folder: Path) -> None:
        requirements = _written(folder.with_name("requirements.txt"), self._requirements())
        overrides = _written(folder.with_name("overrides.txt"), self.overrides)
        with _FINDING_UV:
            program = uv.find_uv_bin()
        command = [program, "pip", "install", "--quiet", "--target", str(folder)]
        command += ["-r", str(requirements), "--overrides", str(overrides), *self.platform.install_arguments()]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise OperationFailedError(
                f"The requirements can't be installed for {self.platform.name}:\n{result.stderr.strip()}"
            )
        shutil.rmtree(folder / "bin", ignore_errors=True)

    def _copy(self, folder: Path) -> None:
        for path, content in self._all_files().items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)

    def _check_size(self, folder: Path) -> None:
        parts = {path.name: size_bytes(path) for path in folder.iterdir()}
        if (total := sum(parts.values())) > MAX_BUNDLE_BYTES:
            largest = sorted(parts, key=lambda name: parts[name], reverse=True)[:_NAMED_PARTS]
            raise InvalidInputError(
                f"take more than the {_megabytes(MAX_BUNDLE_BYTES)} that Lambda allows",
                where="the workflow's files and requirements, unpacked",
                found=f"{_megabytes(total)}: {', '.join(f'{name} {_megabytes(parts[name])}' for name in largest)}",
                fix="do without a requirement, take what one asks for out in overrides.txt, or keep data in S3",
            )

    def _all_files(self) -> dict[str, bytes]:
        return {**own_files(self.handlers, self.data), **self.files}


def workflow_bundle(folder: Path, platform: Platform, further: Mapping[str, bytes] | None = None) -> Bundle:
    """The bundle of a workflow's functions: its folder's code, what that requires, our runtime, and further files."""
    return Bundle(
        files={**workflow_files(folder), **(further or {})},
        handlers=(NODE_HANDLER, SWEEPER_HANDLER),
        requirements=requirements_of(folder),
        platform=platform,
        overrides=overrides_of(folder),
    )


def workflow_files(folder: Path) -> dict[str, bytes]:
    """The files of a workflow's folder that are its functions' code: no README, samples, tests, caches or dot files."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in _code_paths(folder)}


def requirements_of(folder: Path) -> tuple[str, ...]:
    """The lines of the folder's `requirements.txt`, without comments; none if there is no such file."""
    return _lines(folder / "requirements.txt")


def overrides_of(folder: Path) -> tuple[str, ...]:
    """The lines of the folder's `overrides.txt`, without comments; none if there is no such file."""
    return _lines(folder / "overrides.txt")


def _lines(path: Path) -> tuple[str, ...]:
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return tuple(stripped for line in lines if (stripped := _COMMENT.sub("", line).strip()))


def _written(path: Path, lines: tuple[str, ...]) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def _code_paths(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name in _NOT_CODE or path.suffix in _NOT_CODE_SUFFIXES:
            continue
        if path.is_dir():
            yield from _code_paths(path)
        else:
            yield path


def size_bytes(path: Path) -> int:
    """The size of a file, or of all files in a folder."""
    files = path.rglob("*") if path.is_dir() else (path,)
    return sum(file.stat().st_size for file in files if file.is_file())


def _megabytes(size: int) -> str:
    return f"{size / 2**20:.0f} MB"


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


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
