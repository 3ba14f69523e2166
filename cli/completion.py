"""`caribou completion`: what a shell needs to complete verbs, options and names; it asks `caribou.cli.completing`."""

from __future__ import annotations

import click

from caribou.cli.choices import Named
from caribou.cli.completing import shell_named
from caribou.cli.main import COMPLETE
from caribou.cli.output import say

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", metavar="SHELL", type=Named(SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what makes a shell complete verbs, options and names. SHELL is bash, zsh or fish."""
    spoken = shell_named(shell, context.find_root().command, COMPLETE)
    assert spoken is not None
    say(spoken.source().rstrip("\n"))
