"""Imports of a workflow's modules that its bundle can't meet: found at synth, not by the first run on AWS.

On this machine, and on a local cloud, other packages may be importable by chance. Read is `app.py` and what it imports
from the bundle's own files, wherever in the source: heavy imports stand inside functions.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from caribou.model.errors import InvalidInputError

_CATCH_MISSING = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})


@dataclass(frozen=True, slots=True)
class _Import:
    """A module that is imported, `a.b` of `import a.b`, and the line."""

    module: str
    line: int


def check_imports(folder: str, files: Mapping[str, bytes], others: Collection[str]) -> None:
    """Raise InvalidInputError for the first import of a module whose top is neither in `files` nor among `others`.

    An import in a `try` that catches ImportError is optional, and one for types alone never runs.
    """
    for path, source in _reached(files):
        for found in _imports(source, path):
            top = found.module.partition(".")[0]
            if top and not _paths(top, files) and not _is_folder(top, files) and top not in others:
                raise InvalidInputError(
                    "imports what the bundle does not have, though it may be there on this machine",
                    where=f"{folder}/{path}:{found.line}",
                    found=found.module,
                    fix=f"add the package that has `{top}` to requirements.txt; if the function can do without, import "
                    "it in a `try` with `except ImportError`",
                )


def _reached(files: Mapping[str, bytes]) -> Iterator[tuple[str, ast.Module]]:
    """The files that `app.py` imports in the end, itself first, each as its syntax tree."""
    waiting, seen = ["app"], set[str]()
    while waiting:
        module = waiting.pop()
        for path in _paths(module, files):
            if path in seen:
                continue
            seen.add(path)
            try:
                tree = ast.parse(files[path])
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                continue  # whoever reads the DAG says so, or the file is for another Python and never imported
            yield path, tree
            waiting += [name for found in _imports(tree, path, optional=True) for name in _with_packages(found.module)]


def _with_packages(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[:length]) for length in range(1, len(parts) + 1)]


def _paths(module: str, files: Mapping[str, bytes]) -> list[str]:
    base = module.replace(".", "/")
    return [path for path in (f"{base}/__init__.py", f"{base}.py") if path in files]


def _is_folder(top: str, files: Mapping[str, bytes]) -> bool:
    return any(path.startswith(f"{top}/") for path in files)


def _imports(root: ast.AST, path: str, *, optional: bool = False) -> Iterator[_Import]:
    """The imports below a node, with those that may fail if `optional`; relative ones by their whole names."""
    stack: list[ast.AST] = [root]
    while stack:
        node = stack.pop()
        match node:
            case ast.Import(names=aliases):
                yield from (_Import(alias.name, node.lineno) for alias in aliases)
            case ast.ImportFrom():
                source = _source(node, path)
                yield _Import(source, node.lineno)
                if node.level or optional:
                    yield from (_Import(f"{source}.{alias.name}", node.lineno) for alias in node.names)
            case ast.Try() if not optional and any(_catches_missing(handler.type) for handler in node.handlers):
                stack += [*node.orelse, *node.finalbody]
            case ast.With() if not optional and any(_suppresses_missing(item.context_expr) for item in node.items):
                pass
            case ast.If() if not optional and _decides_what_is_there(node.test):
                pass
            case ast.If() if _never_runs(node.test):
                stack += node.orelse
            case _:
                stack += ast.iter_child_nodes(node)


def _source(node: ast.ImportFrom, path: str) -> str:
    if not node.level:
        return node.module or ""
    package = path.removesuffix(".py").split("/")[: -node.level]
    return ".".join([*package, *filter(None, [node.module])])


def _catches_missing(caught: ast.expr | None) -> bool:
    return caught is None or any(isinstance(name, ast.Name) and name.id in _CATCH_MISSING for name in ast.walk(caught))


def _suppresses_missing(head: ast.expr) -> bool:
    return isinstance(head, ast.Call) and any(map(_catches_missing, head.args))


def _decides_what_is_there(test: ast.expr) -> bool:
    """Whether it asks which Python or system this is: what is imported under it is there on some."""
    return any(isinstance(node, ast.Name) and node.id in {"sys", "os", "platform"} for node in ast.walk(test))


def _never_runs(test: ast.expr) -> bool:
    """Whether it holds for type checkers only, or for a file that is run as a script."""
    try:
        text = ast.unparse(test)
    except RecursionError:
        return False
    return text in {"TYPE_CHECKING", "typing.TYPE_CHECKING", "__name__ == '__main__'"}
