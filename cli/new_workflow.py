"""`caribou new_workflow NAME`: a workflow that works, in a project that is made if there is none."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from caribou.cli.new_files import (
    NAME_PLACEHOLDER,
    TEMPLATE,
    NewFile,
    example_files,
    example_folder,
    examples,
    template_files,
    write,
)
from caribou.cli.output import say
from caribou.cli.scaffold import SCAFFOLD, advice_on_app, advice_on_kept, scaffold_files
from caribou.model.errors import InvalidInputError
from caribou.model.names import PROJECT_ID_KEY, refuse_reserved_name
from caribou.model.project.folders import PROJECT_FILE, nearest_project

MAX_NAME = 26
"""Characters of a workflow's name: at the default stage, 25 of Lambda's 64 are left for a function's name."""
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")

APP_FILE = "app.py"
PROJECT_FILES = (PROJECT_FILE, APP_FILE, *SCAFFOLD)
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


@click.command("new_workflow")
@click.argument("name", required=False)
@click.option("--from", "example", help="Copy this example instead, such as image_processing; NAME may be left out.")
@click.option(
    "--directory",
    type=click.Path(path_type=Path),
    help="The new folder. Default: workflows/NAME beside cdk.json, where the CDK app looks.",
)
def new_workflow(name: str | None, example: str | None, directory: Path | None) -> None:
    """Write a new workflow that works, to start from.

    NAME begins with a letter and has letters, digits and underscores, at most 26. If there is no cdk.json here or
    above, this folder becomes a project: cdk.json, app.py, pyproject.toml and .gitignore are written too.
    """
    source = None if example is None else example_folder(example)
    name = _named(name, source)
    check_name(name)
    here = Path.cwd()
    root = nearest_project(here)
    folder = here / directory if directory else (root or here) / "workflows" / name
    check_is_new(folder)
    made = not (root or directory)
    files = [*workflow_files(name, folder, source), *(project_files(here) if made else ())]
    kept = [path for path in PROJECT_FILES if made and (here / path).exists()]
    write(files)
    for line in ("Wrote", *(f"  {_shown(file.path, here)}" for file in files), *_advice(name, folder, root, kept)):
        say(line)


def _named(name: str | None, source: Path | None) -> str:
    """The new workflow's name: an example keeps its own if none is given."""
    if name is not None:
        return name
    if source is None:
        raise InvalidInputError(
            "has no name for the new workflow",
            where="caribou new_workflow",
            fix=f"give one: `caribou new_workflow my_flow`; or copy an example with --from: {', '.join(examples())}",
        )
    return source.name


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


def workflow_files(name: str, folder: Path, source: Path | None = None) -> Iterator[NewFile]:
    """The files of a workflow of that name: the template's, or those of an example's folder."""
    if source is None:
        return template_files(TEMPLATE, folder, {NAME_PLACEHOLDER: name})
    return example_files(source, name, folder)


def project_files(root: Path) -> Iterator[NewFile]:
    """What makes a folder a project: cdk.json, and the CDK app that it names; what is there already is left."""
    project = {**_PROJECT, "context": {PROJECT_ID_KEY: new_project_id(root.name)}}
    texts = {APP_FILE: _APP_TEXT, PROJECT_FILE: json.dumps(project, indent=2) + "\n"}
    files = (*(NewFile(root / file, text.encode()) for file, text in texts.items()), *scaffold_files(root))
    return (file for file in files if not file.path.exists())


def new_project_id(folder: str) -> str:
    """An id for a project: what its folder is called, and chance, so that no two projects have the same."""
    readable = re.sub(r"[^A-Za-z0-9]+", "-", folder).strip("-")[:_READABLE] or "project"
    return f"{readable}-{secrets.token_hex(_CHANCE_BYTES)}"


def _advice(name: str, folder: Path, root: Path | None, kept: Sequence[str]) -> Iterator[str]:
    """What the user should know, or do next. `kept` are a project's files that were there already."""
    if APP_FILE in kept:
        yield f"{APP_FILE} was there and is left as it is; for `cdk` it must say:\n\n{_APP_TEXT}"
    yield from advice_on_kept(kept)
    if root is not None:
        yield from advice_on_app(root)
    if (folder.parent.name, folder.name) != ("workflows", name):
        yield f"The CDK app looks in workflows/{name}: move the folder there to deploy it."
    yield f"Next: read {_shown(folder / 'README.md', Path.cwd())}, then"
    yield '  caribou local up\n  eval "$(caribou local env)"  # or, for AWS, credentials in the environment'
    yield f"  caribou deploy {name}"


def _shown(path: Path, here: Path) -> str:
    """The path as seen from here, if it is below."""
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
