"""The question before a placement is applied that is not known to save."""

import os
import pty
import sys
from pathlib import Path

import click
import pytest
from deployed_world import HOME, WEST, placed

from caribou.cli.consent import asker, consent
from caribou.cli.migrate import _migrated
from caribou.control.migrate.migrator import Report
from caribou.control.workflows import KnownWorkflow
from caribou.model.errors import InvalidInputError


def solved(verdict, region=WEST):
    """A placement of a solve that gave a verdict."""
    return placed(region, sensitivity={"verdict": verdict})


@pytest.fixture
def asked():
    """The questions that were asked; `asked.append` asks one, and the answer is yes."""
    return []


def test_consent_when_the_placement_saves_or_is_home_then_nothing_is_asked(asked, capsys):
    """Nor said."""
    consent({"a": solved("saves"), "b": solved("loses", HOME), "c": placed(HOME)}, asked.append)
    assert (asked, capsys.readouterr().err) == ([], "")


def test_consent_when_it_was_written_by_hand_then_nothing_is_asked_but_it_is_said(asked, capsys):
    """Whoever wrote it knows what it is."""
    consent({"shop": placed(WEST)}, asked.append)
    assert not asked
    assert "has no verdict: nobody has checked that it saves" in capsys.readouterr().err


def test_consent_when_the_verdict_is_not_saves_then_it_is_asked_with_the_reason(asked, capsys):
    """One question for all."""
    consent({"shop": solved("loses"), "tour": solved("too few runs to say"), "c": solved("saves")}, asked.append)
    assert asked == ["Apply them all the same?"]
    said = capsys.readouterr().err
    assert "shop: placement" in said
    assert "it emits more carbon than home, whatever is assumed" in said
    assert "tour: placement" in said


def test_consent_when_nobody_can_be_asked_then_raises_with_the_remedy():
    """One message, exit code 2."""
    with pytest.raises(
        InvalidInputError, match=r"shop: whether it saves .*found: depends .*To fix: add --yes"
    ) as mistake:
        consent({"shop": solved("depends on what is assumed")}, None)
    assert mistake.value.exit_code == 2


def test_asker_when_yes_was_said_or_nobody_is_there_then_nobody_is_asked(monkeypatch):
    """A pipe is nobody."""
    asker(yes=True)("?")
    with Path(os.devnull).open(encoding="utf-8") as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        assert asker(yes=False) is None
    monkeypatch.setattr(sys, "stdin", None)
    assert asker(yes=False) is None


@pytest.mark.parametrize("answer", ["y", "n", ""])
def test_asker_when_somebody_sits_at_a_terminal_then_only_yes_goes_on(monkeypatch, answer):
    """Enter alone is no."""
    keyboard, terminal = pty.openpty()
    os.write(keyboard, f"{answer}\n".encode())
    with os.fdopen(terminal) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        if answer == "y":
            asker(yes=False)("Apply it?")
        else:
            with pytest.raises(click.Abort):
                asker(yes=False)("Apply it?")
    os.close(keyboard)


class Asked:
    """A migrator of which some workflows lack a yes, and one fails."""

    def __init__(self, unanswered, failing=()):
        self.unanswered, self.failing = unanswered, failing

    def migrate(self, known, *, deploy):
        """As the migrator does it."""
        assert deploy
        if known.name in self.unanswered:
            consent({known.name: solved("loses")}, None)
        return Report(known.name, "is applied", failures=("cdk failed",) if known.name in self.failing else ())


def test_migrator_when_nobody_said_yes_to_one_workflow_then_the_others_are_migrated(capsys):
    """What failed, and what is left to be asked, are kept apart: their exit codes differ."""
    known = [KnownWorkflow(name, None, None) for name in ("shop", "tour", "bakery")]
    failures, refused = _migrated(Asked({"shop"}, {"bakery"}), known, deploy=True)
    assert failures == ["cdk failed"]
    assert [error.where for error in refused] == ["placement of shop"]
    assert "tour: is applied" in capsys.readouterr().out
