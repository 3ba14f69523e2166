"""What a shell may offer next: verbs, options, workflows, runs, regions, files. It asks at every press of a key.

So nothing is asked of AWS here, no verb is imported, and whatever goes wrong is silent: there is nothing to offer then.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from click.shell_completion import BashComplete, CompletionItem, ShellComplete, get_completion_class

from caribou.cli.command_table import command_of, read_table
from caribou.cli.output import say
from caribou.cli.seen_runs import seen_runs
from caribou.model.names import STAGES_KEY
from caribou.model.project.folders import PROJECT_FILE, nearest_project, workflow_folders
from caribou.model.regions import KNOWN_REGIONS

PROGRAM = "caribou"
_JOINED = ("@", "=")
"""Marks at which bash breaks a word in two."""


class _Bash(BashComplete):
    """Bash, which takes `@file` and `--option=value` for several words and replaces the last one alone."""

    _mark = ""

    def get_completion_args(self) -> tuple[list[str], str]:
        args, incomplete = super().get_completion_args()
        if incomplete in _JOINED:
            args, incomplete = [*args, incomplete], ""
        if args and args[-1] in _JOINED:
            mark = args.pop()
            self._mark = mark if mark == "@" else ""
        return args, self._mark + incomplete

    def format_completion(self, item: CompletionItem[Any]) -> str:
        return f"{item.type},{item.value.removeprefix(self._mark)}"


def shell_named(name: str, cli: click.Command, variable: str) -> ShellComplete | None:
    """Click's way to speak with a shell; None for one that it does not know."""
    kind = _Bash if name == "bash" else get_completion_class(name)
    return None if kind is None else kind(cli, {}, PROGRAM, variable)


def answer(instruction: str) -> int:
    """Print what may come next, for the shell that an instruction such as `bash_complete` names; the exit code."""
    try:
        shell = shell_named(instruction.removesuffix("_complete"), command_of(PROGRAM, read_table(), values), "")
        if shell is None:
            return 1
        say(shell.complete())
    except Exception:  # noqa: BLE001 - whoever presses a key has asked for no message
        return 1
    return 0


def values(takes: str, written: str) -> list[CompletionItem[str]]:
    """What may stand where a parameter takes such a thing, and begins as it is written."""
    if takes in ("file", "folder"):
        return [CompletionItem(written, type="dir" if takes == "folder" else "file")]
    if takes == "placement" and not (written and "home".startswith(written)):
        return [CompletionItem(written, type="file")]
    return [CompletionItem(word) for word in _words(takes) if word.startswith(written)]


def _words(takes: str) -> Iterator[str]:
    root = nearest_project(Path.cwd())
    if takes == "region":
        yield from KNOWN_REGIONS
    elif takes == "placement":
        yield "home"
    elif root is not None and takes == "workflow":
        yield from (folder.name for folder in workflow_folders(root))
    elif root is not None and takes == "run":
        yield from seen_runs(root)
    elif root is not None and takes == "stage":
        yield from _stages(root)
    elif takes == "payload":
        yield from _payloads(root)


def _stages(root: Path) -> Iterator[str]:
    """Stages that have an environment in `cdk.json`, or a manifest of their own."""
    described = json.loads((root / PROJECT_FILE).read_text(encoding="utf-8")).get("context", {}).get(STAGES_KEY, {})
    manifests = (file for folder in workflow_folders(root) for file in folder.glob(".caribou/config.*.yml"))
    yield from dict.fromkeys((*described, *(file.name.split(".")[1] for file in manifests)))


def _payloads(root: Path | None) -> Iterator[str]:
    """JSON files here, and the samples of the project's workflows."""
    folders = () if root is None else workflow_folders(root)
    found = [*Path.cwd().glob("*.json"), *(file for folder in folders for file in folder.glob("samples/*.json"))]
    yield from (f"@{os.path.relpath(file)}" for file in found)
