"""Files that are to be made: out of templates that lie here as package data, or as copies of example workflows.

Python files of a template end in `.tmpl`, so that no tool takes them for code of ours, and what is hidden is called
`dot_…`, since packaging tools like to drop hidden files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from caribou.model.errors import InvalidInputError, OperationFailedError
from caribou.model.project.folders import workflow_folders
from caribou.model.schema.nearest import nearest

TEMPLATE = Path(__file__).parent / "template"
_EXAMPLES = Path(__file__).resolve().parents[1]
"""In the repository as in the wheel, `workflows/` with the examples is beside the rooms."""
NAME_PLACEHOLDER = "__workflow_name__"
TEMPLATE_SUFFIX = ".tmpl"
HIDDEN_PREFIX = "dot_"
_TEXTS = frozenset({".md", ".py", ".yml"})
"""Files of an example in which its name stands."""
_LINK_OUTSIDE = re.compile(r"\[([^\]]*)\]\(\.\./[^)]*\)")


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file to be written."""

    path: Path
    content: bytes


def template_files(template: Path, folder: Path, fills: dict[str, str]) -> Iterator[NewFile]:
    """A template's files as those of a folder, in the order of their paths; `fills` are placeholders to their texts."""
    for source in sorted(path for path in template.rglob("*") if path.is_file()):
        relative = _filled(str(source.relative_to(template)).removesuffix(TEMPLATE_SUFFIX), fills)
        parts = (re.sub(f"^{HIDDEN_PREFIX}", ".", part) for part in Path(relative).parts)
        yield NewFile(folder.joinpath(*parts), _filled(source.read_text("utf-8"), fills).encode())


def _filled(text: str, fills: dict[str, str]) -> str:
    for placeholder, value in fills.items():
        text = text.replace(placeholder, value)
    return text


def examples() -> dict[str, Path]:
    """The example workflows by their names, each with its folder."""
    return {folder.name: folder for folder in workflow_folders(_EXAMPLES)}


def example_folder(example: str) -> Path:
    """The folder of an example workflow. Raises InvalidInputError, which names them all."""
    known = examples()
    name = example.replace("-", "_")
    if name in known:
        return known[name]
    near = nearest(name, known)
    raise InvalidInputError(
        "there is no such example",
        where="--from",
        found=example,
        fix=f"{f'did you mean {near[0]}? ' if near else ''}There are {', '.join(known)}",
    )


def example_files(source: Path, name: str, folder: Path) -> Iterator[NewFile]:
    """The files of an example workflow as those of a workflow of that name; its texts link to nothing outside."""
    for path in sorted(path for path in source.rglob("*") if path.is_file() and "__pycache__" not in path.parts):
        content = path.read_bytes()
        if path.suffix in _TEXTS:
            text = re.sub(rf"\b{re.escape(source.name)}\b", name, content.decode())
            content = _LINK_OUTSIDE.sub(r"\1", text).encode()
        yield NewFile(folder / path.relative_to(source), content)


def write(files: Iterable[NewFile]) -> None:
    """Write the files, and the folders that they need. Raises OperationFailedError."""
    for file in files:
        try:
            file.path.parent.mkdir(parents=True, exist_ok=True)
            file.path.write_bytes(file.content)
        except OSError as error:
            raise OperationFailedError(f"{file.path} can't be written: {error.strerror}") from error
