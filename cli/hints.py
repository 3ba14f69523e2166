"""Commands in what a verb says, to be given next: at the stage that this one was asked for by its option.

Without it a copied command would be about another stage: in the worst case it would remove there what stands there.
"""

from __future__ import annotations

import re

import click

STAGE = "--stage"
"""The option of every verb, and where the command's context keeps what it says."""
_COMMAND = re.compile(r"(?<=[: ] )caribou (?=[a-z])|(?<=`)caribou (?=[a-z])")
"""Where a text has a command to copy: in backquotes, after a colon, or set off by spaces."""


def staged(text: str) -> str:
    """The text, in which each command has the option `--stage` if this one has it."""
    context = click.get_current_context(silent=True)
    stage = None if context is None else context.meta.get(STAGE)
    return text if stage is None else _COMMAND.sub(f"caribou {STAGE} {stage} ", text)
