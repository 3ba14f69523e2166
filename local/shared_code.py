"""One copy of each function's code on disk, for all processes of MiniStack 1.5.33 that run it.

MiniStack unpacks a function's code and layers anew for every process that it starts, and keeps the archive beside: with
bundles of a hundred megabytes and dozens of processes that fills a disk, and takes seconds a start. Here an archive is
unpacked once, by its digest, and a process gets a link to it.

Runs on MiniStack's own Python, where there is no `caribou`: standard library only.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
import threading
import zipfile
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

KEPT_UNUSED = 4
"""Folders of code that stay though no process uses them, since the next run may."""


def share_code() -> None:
    """Let MiniStack's processes share their code. Raises RuntimeError if it no longer unpacks as is relied on."""
    runtime: Any = import_module("ministack.core.lambda_runtime")
    if getattr(runtime, "zipfile", None) is not zipfile:
        raise RuntimeError("ministack.core.lambda_runtime has no zipfile: local/shared_code.py needs another MiniStack")
    processes = Path(tempfile.gettempdir())
    store = CodeStore(processes / "caribou-code", processes)

    class SharingZipFile(zipfile.ZipFile):
        """An archive that unpacks into a link to the one copy of its content."""

        def extractall(self, path: Any = None, *_: Any, **__: Any) -> None:  # noqa: ANN401 - zipfile's signature
            store.link(Path(str(self.filename)), Path(path))

    runtime.zipfile = SimpleNamespace(
        ZipFile=SharingZipFile, BadZipFile=zipfile.BadZipFile, LargeFileError=zipfile.LargeZipFile
    )


class CodeStore:
    """Unpacked archives by digest, in `folder`; `processes` holds a folder a process, in which the links are."""

    def __init__(self, folder: Path, processes: Path) -> None:
        self._folder = folder
        self._processes = processes
        self._lock = threading.Lock()

    def link(self, archive: Path, target: Path) -> None:
        """Replace the empty folder `target` by a link to the archive's content, and remove the archive."""
        with archive.open("rb") as file:
            shared = self._folder / hashlib.file_digest(file, "sha256").hexdigest()
        with self._lock:
            if not shared.is_dir():
                self._unpack(archive, shared)
            os.utime(shared)
            target.rmdir()
            target.symlink_to(shared)
            self._remove(self._unused()[KEPT_UNUSED:])
        archive.unlink()

    def _unpack(self, archive: Path, shared: Path) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".", dir=self._folder))
        try:
            with zipfile.ZipFile(archive) as content:
                content.extractall(draft)
            draft.rename(shared)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise

    def _unused(self) -> list[Path]:
        """The folders that no process links to, the one used last first."""
        used = self._used()
        unused = [folder for folder in self._folder.iterdir() if folder not in used]
        return sorted(unused, key=lambda folder: folder.stat().st_mtime, reverse=True)

    def _used(self) -> set[Path]:
        """The folders that processes link to. MiniStack removes the folder of one that has ended at any time."""
        used: set[Path] = set()
        for process in self._processes.glob("ministack-lambda-*"):
            with contextlib.suppress(FileNotFoundError):
                used.update(link.readlink() for link in process.iterdir() if link.is_symlink())
        return used

    @staticmethod
    def _remove(folders: Iterable[Path]) -> None:
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
