"""The docs of the command line: every command and every option has a heading."""

import re
from pathlib import Path

import click
import pytest

from caribou.cli.main import cli, stage_option

DOCS = Path(__file__).parents[2] / "docs"
COMMAND = re.compile(r"## `caribou (?P<words>[a-z_ ]*[a-z_])")


def commands(group, context, words=()):
    """Every command that does something, with its words: `local up`."""
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, context, (*words, name))
        else:
            yield " ".join((*words, name)), command


def headings():
    """Command to the headings in its section, in whichever document has it."""
    found = {}
    for path in sorted(DOCS.glob("*.md")):
        section = None
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("## "):
                match = COMMAND.match(line)
                section = match["words"] if match else None
                assert section is None or section not in found, f"{section} is described twice"
            if section is not None and line.startswith("##"):
                found.setdefault(section, []).append(line)
    return found


SHARED = set(stage_option().opts)
"""What every verb has stands in one place, docs/commands.md."""
COMMANDS = dict(commands(cli, click.Context(cli)))


@pytest.mark.parametrize("words", COMMANDS)
def test_docs_when_a_command_exists_then_it_and_each_of_its_options_has_a_heading(words):
    """`## caribou VERB …` in one of the documents, and under it `### --option` for every way to write each option."""
    described = headings()
    assert words in described, f"write `## caribou {words}` into docs/commands.md"
    lines = "\n".join(line for line in described[words] if line.startswith("### "))
    options = [name for parameter in COMMANDS[words].params for name in parameter.opts if name.startswith("-")]
    assert [name for name in options if f"`{name}`" not in lines and name not in SHARED] == []


@pytest.mark.parametrize("words", COMMANDS)
def test_stage_when_it_is_any_verb_then_it_may_be_chosen_there_and_before_it(words):
    """And one section says so for all."""
    assert set(stage_option().opts) <= {name for parameter in COMMANDS[words].params for name in parameter.opts}
    assert set(stage_option().opts) <= {name for parameter in cli.params for name in parameter.opts}
    assert "\n## Options of every verb\n\n### `--stage`\n" in (DOCS / "commands.md").read_text(encoding="utf-8")


def test_docs_when_they_describe_a_command_then_it_exists():
    """No document describes a command that is gone, or an option that a command no longer has."""
    for words, lines in headings().items():
        assert words in COMMANDS, f"docs describe `caribou {words}`"
        options = {name for parameter in COMMANDS[words].params for name in parameter.opts}
        described = {name for line in lines[1:] for name in re.findall(r"`(--?[a-z-]+)`", line)}
        assert described <= options, words


@pytest.mark.parametrize("words", COMMANDS)
def test_help_when_a_command_has_options_then_each_one_says_what_it_is(words):
    """`--help` explains every option and the command itself."""
    command = COMMANDS[words]
    assert command.help
    assert [p.name for p in command.params if isinstance(p, click.Option) and not p.help] == []
