"""The `caribou` command: its verbs, and how it tells a user's mistakes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

import click

from caribou.model.errors import CaribouError

_VERBS = {
    "new_workflow": "new_workflow:new_workflow",
    "deploy": "deploy:deploy",
    "list": "deploy:list_",
    "remove": "deploy:remove",
    "upload_samples": "upload_samples:upload_samples",
    "run": "run:run",
    "load": "load:load",
    "runs": "runs:runs_",
    "trace": "runs:trace",
    "redrive": "runs:redrive",
    "log_sync": "collect:log_sync",
    "data_collect": "collect:data_collect",
    "problem": "collect:problem",
    "solve": "solve:solve",
    "evaluate": "solve:evaluate",
    "manage_deployments": "manage:manage_deployments",
    "run_deployment_migrator": "migrate:run_deployment_migrator",
    "local": "local:local",
    "demo": "demo:demo",
}
"""Verb to module and command in this room: a verb imports what it needs, and nothing of the others."""


class _Verbs(click.Group):
    """Verbs by their names, in which a hyphen is as good as an underscore."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        found = _VERBS.get(cmd_name.replace("-", "_"))
        if found is None:
            return None
        module, name = found.split(":")
        command: click.Command = getattr(import_module(f"caribou.cli.{module}"), name)
        return command


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="caribou-cdk")
def cli() -> None:
    """Run serverless workflows where and when electricity is clean: write, deploy, run, collect, solve, migrate."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line. An error that we raise on purpose is one message on standard error, and its exit code."""
    try:
        cli(arguments, prog_name="caribou")
    except CaribouError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(error.exit_code)
