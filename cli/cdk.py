"""The `cdk` command: the pinned CDK CLI, installed on first use, which finds our Python and node.

The CLI bundles the code of every stack that the app makes, deployed or not. So where the stacks of one workflow are
named, the app is asked for that workflow alone.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from caribou.cli.output import notify
from caribou.local.tools import cdk_command, cdk_env
from caribou.model.errors import CaribouError
from caribou.model.names import workflow_stack_id
from caribou.model.project.folders import workflow_folders

__all__ = ["cdk_command", "cdk_env", "main"]

_BUNDLING = frozenset({"deploy", "diff", "synth", "synthesize"})
_LISTING = frozenset({"list", "ls"})


def main() -> None:
    """Become the CDK CLI, with this command's arguments."""
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    logging.getLogger("caribou.local").setLevel(logging.INFO)
    try:
        command = cdk_command()
    except CaribouError as error:
        notify(str(error))
        raise SystemExit(error.exit_code) from error
    sys.stdout.flush()
    arguments, environment = sys.argv[1:], cdk_env(os.environ)
    if _LISTING & {*arguments}:
        environment.setdefault("CDK_VALIDATION", "false")  # whoever wants to know which stacks there are
    narrowed = one_workflow(arguments, (folder.name for folder in workflow_folders(Path.cwd())))
    os.execve(command[0], [*command, *arguments, *narrowed], environment)  # noqa: S606 - a list, never a shell


def one_workflow(arguments: Sequence[str], workflows: Iterable[str]) -> list[str]:
    """What asks the app for one workflow, if all stacks of workflows that are named are its own; else nothing.

    Patterns, `--all` and a workflow that is asked for already are left as they are.
    """
    if not _BUNDLING & {*arguments} or any(_is_wide(argument) for argument in arguments):
        return []
    named = {name for name in workflows for argument in arguments if _is_of(argument, workflow_stack_id(name))}
    return ["-c", f"workflow={named.pop()}"] if len(named) == 1 else []


def _is_wide(argument: str) -> bool:
    return argument == "--all" or "*" in argument or argument.removeprefix("--context=").startswith("workflow=")


def _is_of(argument: str, stack: str) -> bool:
    return argument == stack or argument.startswith(f"{stack}-")
