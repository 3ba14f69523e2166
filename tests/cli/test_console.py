"""What is printed: text from outside stands on the terminal and does nothing to it."""

import ast
import io
import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from caribou.cli.console import Terminal, say_wrapped
from caribou.cli.main import main
from caribou.cli.output import notify, say
from caribou.cli.trace_view import runs_table
from caribou.model.errors import InvalidInputError
from caribou.model.printable import printable
from caribou.model.run.envelope import Run
from caribou.model.run.item import RunItem, RunState

REPOSITORY = Path(__file__).resolve().parents[2]
NASTY = (
    "\x1b]0;owned\x07",  # the title
    "\x1b[2J\x1b[H",  # clear, and go to the corner
    "\x1b]52;c;cm0gLXJmIH4=\x07",  # write the clipboard
    "\x9b2J",  # the same in one character
    "safe\rrm -rf ~",  # write over the line
    "\u202etxt.exe\u2066",  # turn the reading order
    "\ud83d",  # half a character
    "[/x]",
    "[bold red]ok[/] :skull:",
    "[link=file:///etc/passwd]here[/link]",
)
PLAIN = re.compile(r"[^\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]*")
texts = st.one_of(st.text(st.characters()), st.text(st.sampled_from("\x1b[]/;ax:\u202e\r\n\x07\udc80\x9b")))


def on_terminal(renderable, **settings):
    """What a terminal with colours is sent."""
    output = io.StringIO()
    Terminal(file=output, force_terminal=True, width=60, **settings).print(renderable)
    return output.getvalue()


def without_styles(sent):
    """What is left when rich's own colours are taken out."""
    return re.sub(r"\x1b\[[\d;]*m", "", sent)


@given(texts)
@example("".join(NASTY))
def test_text_when_it_is_made_printable_then_nothing_in_it_acts_and_what_is_visible_stays(text):
    """Twice is as once, and it can be written in UTF-8."""
    found = printable(text)
    assert PLAIN.fullmatch(found)
    assert printable(found) == found
    assert [one for one in text if one.isprintable()] == [] or found.encode()
    assert text.isprintable() <= (found == text)


@given(texts)
@example("".join(NASTY))
def test_table_when_a_cell_a_title_or_a_text_is_of_any_kind_then_only_rich_itself_speaks_to_the_terminal(text):
    """In cells, headings, styled texts, frames: whatever a report is made of."""
    table = Table(text, title=text)
    table.add_row(text)
    table.add_row(Text(text, "bold red"))
    for renderable in (table, text, Text(text, "green"), Panel(text)):
        assert PLAIN.fullmatch(without_styles(on_terminal(renderable)))


@pytest.mark.parametrize("text", NASTY[-3:])
def test_table_when_a_name_looks_like_markup_then_it_is_printed_as_it_is(text):
    """Only styles have colours."""
    table = Table("run")
    table.add_row(text)
    assert text in on_terminal(table)


@pytest.mark.parametrize("text", NASTY)
def test_runs_when_ids_and_errors_are_hostile_then_they_are_listed(text):
    """`caribou runs`."""
    run = Run(text, "0.0.1", "g", "0123456789abcdef", {}, 1_700_000_000.0, 1_700_086_400.0)
    item = RunItem(run, frozenset({"s"}), RunState.FAILED, failed_node=text, error=text)
    assert PLAIN.fullmatch(without_styles(on_terminal(runs_table([item], text))))


@pytest.mark.parametrize("text", NASTY)
def test_status_when_a_run_id_is_hostile_then_it_is_shown(text):
    """Progress goes to the terminal too."""
    output = io.StringIO()
    terminal = Terminal(file=output, force_terminal=True, width=60)
    shown = terminal.status(f"Run {text}").renderable
    with terminal.capture() as captured:
        terminal.print(shown)
    assert PLAIN.fullmatch(without_styles(captured.get()))


@pytest.mark.parametrize("text", NASTY)
def test_line_when_its_text_is_hostile_then_it_is_escaped_on_both_streams(text, capsys):
    """Lines that are asked for, warnings, and errors."""
    say(text)
    notify(text)
    out, err = capsys.readouterr()
    assert out == err == printable(text) + "\n"
    assert PLAIN.fullmatch(out)


def test_error_when_it_quotes_an_escape_code_then_it_is_escaped(capsys, monkeypatch):
    """The error printer is a place that prints."""

    def refuse(*_, **__):
        raise InvalidInputError("is wrong", where="run \x1b]0;owned\x07", found="[/x] \ud800", fix="look")

    monkeypatch.setattr("caribou.cli.main.cli", refuse)
    with pytest.raises(SystemExit):
        main([])
    assert (
        capsys.readouterr().err == r"Error: run \x1b]0;owned\x07: is wrong (found: [/x] \ud800). To fix: look." + "\n"
    )


@pytest.mark.parametrize("path", sorted((REPOSITORY / "cli").glob("*.py")), ids=lambda path: path.stem)
def test_verb_when_it_prints_then_it_does_so_by_the_two_modules_that_escape(path):
    """`output` for lines, `console` for tables: no echo, no console and no print anywhere else."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)} & {"echo", "secho", "from_markup"}
    calls = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    assert names <= ({"echo"} if path.stem == "output" else set())
    assert calls & {"print", "Console"} == set()


def test_say_wrapped_when_the_window_is_narrow_then_lines_break_between_words(monkeypatch, capsys):
    """And keep the indent of the paragraph."""
    monkeypatch.setenv("COLUMNS", "20")
    say_wrapped("  In ca-central-1: less \x1b carbon")
    assert capsys.readouterr().out == "  In ca-central-1:\n    less \\x1b carbon\n"
