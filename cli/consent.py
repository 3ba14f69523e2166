"""The questions before a placement is applied of which the runs do not say that it saves, and before a removal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

import click

from caribou.cli.output import notify
from caribou.model.errors import InvalidInputError
from caribou.model.placement import Placement
from caribou.model.printable import printable
from caribou.model.verdict import doubt_of, is_unchecked, verdict_of

Ask = Callable[[str], None]
"""Asks a question; returns if the answer is yes, else ends the command."""


def asker(*, yes: bool) -> Ask | None:
    """Who is asked: nobody, as `--yes` is the answer; whoever sits at the terminal; or None, if nobody is there."""
    if yes:
        return lambda _: None
    if sys.stdin is not None and sys.stdin.isatty():
        return _confirmed
    return None


def consent(placements: Mapping[str, Placement], ask: Ask | None) -> None:
    """Go on only if nothing speaks against placements, by workflow, or whoever is asked says yes.

    Raises InvalidInputError if there is something to ask and nobody to be asked, click.Abort if the answer is no.
    """
    for name, placement in placements.items():
        if is_unchecked(placement):
            notify(f"{name}: {placement.summary} has no verdict: nobody has checked that it saves")
    doubtful = {name: placement for name, placement in placements.items() if doubt_of(placement)}
    if not doubtful:
        return
    if ask is None:
        raise _unanswered(doubtful)
    for name, placement in doubtful.items():
        notify(f"warning: {name}: {placement.summary}: {doubt_of(placement)}")
    ask("Apply it all the same?" if len(doubtful) == 1 else "Apply them all the same?")


def consent_to_removal(what: str, name: str, *, delete_data: bool) -> None:
    """Go on if whoever is there says yes; to the loss of data, by typing the name of what is removed, a `what`.

    Raises InvalidInputError for another name, click.Abort if the answer is no.
    """
    if delete_data:
        typed = click.prompt(f"This destroys data. Type the {what}'s name to go on ({printable(name)})", default="")
        if typed != name:
            raise InvalidInputError(f"is not the {what}'s name, so nothing was removed", where="answer", fix="type it")
        return
    click.confirm("Remove it?", abort=True)


def _confirmed(question: str) -> None:
    click.confirm(printable(question), abort=True, err=True)


def _unanswered(doubtful: Mapping[str, Placement]) -> InvalidInputError:
    verdicts = [str(verdict_of(placement)) for placement in doubtful.values()]
    return InvalidInputError(
        "; ".join(doubt_of(placement) for placement in doubtful.values()) + ", and nobody is here to be asked",
        where=f"placement of {', '.join(doubtful)}",
        found=", ".join(verdicts),
        fix="add --yes to apply it all the same, or take another placement, such as home",
    )
