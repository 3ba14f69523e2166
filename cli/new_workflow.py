"""`caribou new_workflow NAME`: a working workflow out of a template, in a project that is made if there is none.

The template lies in `template/` as package data. Its Python files end in `.tmpl`, so that no tool takes them for code
of ours, and its manifest's folder is called `dot_caribou`, since packaging tools like to drop hidden folders.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from caribou.cli.output import say, write_whole
from caribou.model.errors import InvalidInputError, OperationFailedError
from caribou.model.names import PROJECT_ID_KEY, refuse_reserved_name

TEMPLATE = Path(__file__).parent / "template"
NAME_PLACEHOLDER = "__workflow_name__"
TEMPLATE_SUFFIX = ".tmpl"
HIDDEN_PREFIX = "dot_"

MAX_NAME = 26
"""Characters of a workflow's name: at the default stage, 25 of Lambda's 64 are left for a function's name."""
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")

PROJECT_FILE = "cdk.json"
APP_FILE = "app.py"
_APP_TEXT = '''"""The CDK app of this project: the control plane, and every workflow in `workflows/`."""

from datetime import UTC, datetime

from caribou.stacks import synthesise

synthesise(now=datetime.now(UTC))
'''
_PROJECT = {
    "app": f"python {APP_FILE}",
    "notices": False,
    "versionReporting": False,
    "pathMetadata": True,
    "assetMetadata": True,
}
# The same as this repository's own app.py and cdk.json, but for the project's id; a test says so.
_READABLE, _CHANCE_BYTES = 40, 4


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file to be written."""

    path: Path
    text: str


@click.command("new_workflow")
@click.argument("name")
@click.option(
    "--directory",
    type=click.Path(path_type=Path),
    help="The new folder. Default: workflows/NAME beside cdk.json, where the CDK app looks.",
)
def new_workflow(name: str, directory: Path | None) -> None:
    """Write a new workflow that works, to start from.

    NAME begins with a letter and has letters, digits and underscores, at most 26. If there is no cdk.json here or
    above, this folder becomes a project: cdk.json and app.py are written too.
    """
    check_name(name)
    here = Path.cwd()
    root = project_root(here)
    folder = here / directory if directory else (root or here) / "workflows" / name
    check_is_new(folder)
    files = [*workflow_files(name, folder), *(() if root or directory else project_files(here))]
    write(files)
    for line in ("Wrote", *(f"  {_shown(file.path, here)}" for file in files), *_advice(name, folder, files)):
        say(line)


def check_name(name: str) -> None:
    """Raise InvalidInputError unless the name can stand in those of functions, stacks and buckets."""
    if not _NAME.fullmatch(name):
        raise InvalidInputError(
            "is no name for a workflow",
            where="NAME",
            found=repr(name),
            fix="use letters, digits and _, beginning with a letter",
        )
    if len(name) > MAX_NAME:
        raise InvalidInputError(
            f"is longer than {MAX_NAME} characters",
            where="NAME",
            found=name,
            fix=f"shorten it by {len(name) - MAX_NAME}: functions are called caribou-<stage>-<workflow>-<function>",
        )

    refuse_reserved_name(name, "NAME")


def check_is_new(folder: Path) -> None:
    """Raise InvalidInputError if something is there already."""
    if folder.exists():
        raise InvalidInputError(
            "exists already, and nothing is overwritten",
            where=str(folder),
            fix="choose another name, or remove it first",
        )


def project_root(start: Path) -> Path | None:
    """The folder of cdk.json, found from `start` upward; None if there is none."""
    return next((folder for folder in (start, *start.parents) if (folder / PROJECT_FILE).is_file()), None)


def workflow_files(name: str, folder: Path) -> Iterator[NewFile]:
    """The template's files as those of a workflow of that name, in the order of their paths."""
    for source in sorted(path for path in TEMPLATE.rglob("*") if path.is_file()):
        relative = str(source.relative_to(TEMPLATE)).removesuffix(TEMPLATE_SUFFIX).replace(NAME_PLACEHOLDER, name)
        parts = (re.sub(f"^{HIDDEN_PREFIX}", ".", part) for part in Path(relative).parts)
        yield NewFile(folder.joinpath(*parts), source.read_text("utf-8").replace(NAME_PLACEHOLDER, name))


def project_files(root: Path) -> Iterator[NewFile]:
    """What makes a folder a project: cdk.json, and the CDK app that it names; what is there already is left."""
    project = {**_PROJECT, "context": {PROJECT_ID_KEY: new_project_id(root.name)}}
    texts = {APP_FILE: _APP_TEXT, PROJECT_FILE: json.dumps(project, indent=2) + "\n"}
    return (NewFile(root / file, text) for file, text in texts.items() if not (root / file).exists())


def new_project_id(folder: str) -> str:
    """An id for a project: what its folder is called, and chance, so that no two projects have the same."""
    readable = re.sub(r"[^A-Za-z0-9]+", "-", folder).strip("-")[:_READABLE] or "project"
    return f"{readable}-{secrets.token_hex(_CHANCE_BYTES)}"


def write(files: Iterable[NewFile]) -> None:
    """Write the files, and the folders that they need. Raises OperationFailedError."""
    for file in files:
        try:
            file.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OperationFailedError(f"{file.path} can't be written: {error.strerror}") from error
        write_whole(file.path, file.text)


def _advice(name: str, folder: Path, files: Sequence[NewFile]) -> Iterator[str]:
    """What the user should know, or do next."""
    written = {file.path for file in files}
    if any(path.name == PROJECT_FILE and path.parent / APP_FILE not in written for path in written):
        yield f"{APP_FILE} was there and is left as it is; for `cdk` it must say:\n\n{_APP_TEXT}"
    if (folder.parent.name, folder.name) != ("workflows", name):
        yield f"The CDK app looks in workflows/{name}: move the folder there to deploy it."
    yield f"Next: read {_shown(folder / 'README.md', Path.cwd())}, then `caribou deploy {name}`."


def _shown(path: Path, here: Path) -> str:
    """The path as seen from here, if it is below."""
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
