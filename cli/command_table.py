"""The command line as data: what each verb takes, so that a shell's question is answered without importing any verb.

`commands.json` beside this file holds `described(cli)`; a test compares both, and says how it is written anew.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from caribou.cli.choices import Region

TABLE = Path(__file__).with_name("commands.json")
Values = Callable[[str, str], list[CompletionItem[str]]]
"""What may stand there: from what a parameter takes, and what is written already."""
_BY_NAME = {"workflow": "workflow", "run_id": "run", "run": "run", "argument": "payload", "arguments": "payload"}
_NOTHING = "nothing"


def described(command: click.Command, context: click.Context) -> dict[str, Any]:
    """A command as JSON: its help, its parameters, and its own commands if it is a group."""
    found: dict[str, Any] = {
        "help": command.get_short_help_str(limit=80),
        "parameters": [_parameter(one) for one in command.params],
    }
    if isinstance(command, click.Group):
        names = command.list_commands(context)
        inner = {name: command.get_command(context, name) for name in names}
        found["commands"] = {name: described(one, context) for name, one in inner.items() if one is not None}
    return found


def _parameter(parameter: click.Parameter) -> dict[str, Any]:
    many = bool(getattr(parameter, "multiple", False))
    names = parameter.opts if isinstance(parameter, click.Option) else []
    return {
        "names": names,
        "takes": _takes(parameter),
        "help": getattr(parameter, "help", None) or "",
        "many": many,
    }


def _takes(parameter: click.Parameter) -> str | list[str]:
    """What a parameter takes: one of some words, or the kind of thing."""
    if isinstance(parameter, click.Option) and (parameter.is_flag or parameter.is_eager):
        return _NOTHING
    if isinstance(parameter.type, click.Choice):
        return [parameter.type.normalize_choice(choice, None) for choice in parameter.type.choices]
    if isinstance(parameter.type, click.Path):
        return "file" if parameter.type.file_okay else "folder"
    if isinstance(parameter.type, Region):
        return "region"
    for kind in ("placement", "stage"):
        if f"--{kind}" in parameter.opts:
            return kind
    return _BY_NAME.get(parameter.name or "", "text")


def read_table() -> dict[str, Any]:
    """The table of all verbs, as it was packaged."""
    table: dict[str, Any] = json.loads(TABLE.read_text(encoding="utf-8"))
    return table


class TableGroup(click.Group):
    """A group out of the table. A hyphen is as good as an underscore, and one that is written goes on."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, in either spelling."""
        return super().get_command(ctx, cmd_name.replace("-", "_"))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """Names that begin so, in the spelling that was begun, and options."""
        if "-" not in incomplete[1:] or incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        found = super().shell_complete(ctx, incomplete.replace("-", "_"))
        return [CompletionItem(one.value.replace("_", "-"), help=one.help) for one in found]


def command_of(name: str, table: Mapping[str, Any], values: Values) -> click.Command:
    """A command that takes what the table says, and does nothing: click's completion walks through it."""
    parameters = [_click_parameter(at, one, values) for at, one in enumerate(table["parameters"])]
    if "commands" not in table:
        return click.Command(name, params=parameters, help=table["help"])
    inner = {one: command_of(one, of, values) for one, of in table["commands"].items()}
    return TableGroup(name, commands=inner, params=parameters, help=table["help"])


def _click_parameter(at: int, one: Mapping[str, Any], values: Values) -> click.Parameter:
    takes = one["takes"]

    def complete(context: click.Context, parameter: click.Parameter, written: str) -> list[CompletionItem[str]]:
        del context, parameter
        if isinstance(takes, list):
            return [CompletionItem(word) for word in takes if word.startswith(written)]
        return values(takes, written)

    if not one["names"]:
        return click.Argument([f"argument_{at}"], required=False, shell_complete=complete)
    return click.Option(
        [*one["names"], f"option_{at}"],
        is_flag=takes == _NOTHING,
        multiple=one["many"],
        help=one["help"],
        shell_complete=None if takes == _NOTHING else complete,
    )
