"""What a new project gets beside its CDK app, and what is said of an app that is there already."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Sequence
from importlib.metadata import distribution
from pathlib import Path

from caribou.cli.new_files import NewFile, template_files
from caribou.model.project.folders import PROJECT_FILE

_TEMPLATE = Path(__file__).parent / "project_template"
_PACKAGE = "caribou-cdk"
_IGNORED, _PROJECT = ".gitignore", "pyproject.toml"
SCAFFOLD = (_PROJECT, _IGNORED)
"""The files of a new project but its CDK app."""

_SYNTHESISE = """\
  from datetime import UTC, datetime

  from caribou.stacks import synthesise

  synthesise(now=datetime.now(UTC))"""
_ADD_WORKFLOWS = """\
  from datetime import UTC, datetime
  from pathlib import Path

  from caribou.stacks import add_workflows

  add_workflows(app, Path(__file__).parent, now=datetime.now(UTC))  # before app.synth()"""


def scaffold_files(root: Path) -> Iterator[NewFile]:
    """A project's `.gitignore` and `pyproject.toml`, which depends on Caribou as it is installed here."""
    fills = {"__project_name__": _project_name(root), "__caribou__": requirement()}
    return template_files(_TEMPLATE, root, fills)


def requirement() -> str:
    """Caribou as a requirement: where it was installed from, such as a wheel's file, else its version in the index."""
    package = distribution(_PACKAGE)
    origin = json.loads(package.read_text("direct_url.json") or "{}")  # PEP 610
    return f"{_PACKAGE} @ {origin['url']}" if "url" in origin else f"{_PACKAGE}=={package.version}"


def _project_name(root: Path) -> str:
    """The folder's name as that of a Python project."""
    return re.sub(r"[^a-z0-9]+", "-", root.name.lower()).strip("-") or "workflows"


def advice_on_kept(kept: Sequence[str]) -> Iterator[str]:
    """What files that were there, and are left as they are, lack."""
    if _PROJECT in kept:
        yield f'{_PROJECT} was there and is left as it is; its dependencies must have "{requirement()}".'
    if _IGNORED in kept:
        lines = (_TEMPLATE / "dot_gitignore").read_text("utf-8").splitlines()
        yield f"{_IGNORED} was there and is left as it is; add {' '.join(line for line in lines if line[0] != '#')}"


def advice_on_app(root: Path) -> Iterator[str]:
    """What the CDK app of a project lacks to deploy workflows; nothing if it speaks of Caribou's stacks already."""
    app = _app_of(root)
    if app is None:
        yield f'cdk.json names no app. Write "app": "python app.py" into it, and into app.py:\n\n{_SYNTHESISE}\n'
        return
    sources = [root / word for word in _words(app) if word.endswith(".py")]
    if not sources:
        yield f"The app of cdk.json, `{app}`, is no Python program, as the one that makes Caribou's stacks has to be."
        yield "Begin a project in a folder that has no cdk.json above it."
    elif not any(_speaks_of_stacks(source) for source in sources):
        yield f"cdk.json has an app of its own. Add to {sources[0].name}:\n\n{_ADD_WORKFLOWS}\n"


def _app_of(root: Path) -> str | None:
    try:
        data = json.loads((root / PROJECT_FILE).read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    app = data.get("app") if isinstance(data, dict) else None
    return app if isinstance(app, str) else None


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:
        return command.split()


def _speaks_of_stacks(source: Path) -> bool:
    try:
        return "caribou.stacks" in source.read_text("utf-8", errors="replace")
    except OSError:
        return False
