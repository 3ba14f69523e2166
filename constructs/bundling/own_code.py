"""Which files of Caribou run in Lambda: what a handler imports, directly or by way of others, and nothing else.

The bundle is this closure, found anew at every synth, so that nobody keeps a list. What is imported late, inside a
function, counts too. An edit of any other file, the reader of the DAG or the test runner, deploys nothing.
"""

from __future__ import annotations

import importlib.resources
from collections.abc import Iterator
from modulefinder import ModuleFinder
from pathlib import Path
from typing import Any

_ROOT_PACKAGE = "caribou"


def own_files(handlers: tuple[str, ...], data: tuple[str, ...] = ()) -> dict[str, bytes]:
    """The content of the files by their paths in a bundle: what handlers import, and packages with their data files.

    A handler is named as Lambda names it, `caribou.runtime.handler.handle`; a package as Python does.
    """
    root = caribou_folder()
    finder = _OwnModules([str(root.parent)])
    for module in (*(handler.rpartition(".")[0] for handler in handlers), *data):
        finder.import_hook(module)
    modules = {name: Path(str(vars(found)["__file__"])) for name, found in finder.modules.items()}
    paths = [*modules.values(), *(path for name in data for path in _data_files(modules[name].parent))]
    return {path.relative_to(root.parent).as_posix(): path.read_bytes() for path in sorted(paths)}


def caribou_folder() -> Path:
    """The folder of the installed package `caribou`."""
    return Path(str(importlib.resources.files(_ROOT_PACKAGE)))


def _data_files(package: Path) -> Iterator[Path]:
    """All files below a package's folder that are not Python's."""
    for path in package.rglob("*"):
        if path.is_file() and path.suffix not in {".py", ".pyc"}:
            yield path


class _OwnModules(ModuleFinder):
    """Follows imports from module to module without running any, through modules of Caribou only."""

    def find_module(self, name: str, path: Any, parent: Any = None) -> tuple[Any, Any, tuple[str, str, int]]:  # noqa: ANN401 - as the standard library has it
        """Where a module is. Raises ImportError for what is not ours: a module at the top of another name."""
        if path is None and name != _ROOT_PACKAGE:
            raise ImportError(name)
        return super().find_module(name, path, parent)
