"""docs/runbook.md: each command is one that there is, each row is tried by a test, each alarm leads to a row."""

import os
import re
import shlex
import subprocess
from functools import cache

import click
import pytest
from aws_commands import aws_command
from builders import ROOT

from caribou.cli.main import cli
from caribou.local.tools import cdk_command, cdk_env

PAGE = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
ALARMS = (ROOT / "docs" / "alarms.md").read_text(encoding="utf-8").partition("\n## Metrics\n")[0]
HEADS = ("| you ", "|---")
ROWS = [line for line in PAGE.splitlines() if line.startswith("|") and not line.startswith(HEADS)]
COMMAND = re.compile(r"`((?:caribou|cdk|aws) [^`]+)`")
NOTE = re.compile(r"<!-- (.*?) -->")
OF_ALARM = re.compile(r"^\| `(?P<name>[\w<>]+)` \|.*$", re.MULTILINE)


def commands_of(text):
    """The commands in a text, in prose and in blocks of shell, of these without what a pipe gives them."""
    blocks = "".join(re.findall(r"^```shell\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
    return [*COMMAND.findall(text), *map(str.strip, re.findall(r"\b(?:caribou|aws) [^|;#\n]+", blocks))]


@cache
def known_tests():
    """The name of each test to the text of its file."""
    texts = (path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    return {name: text for text in texts for name in re.findall(r"^def (test_\w+)", text, re.MULTILINE)}


def options(words):
    """The options in a command."""
    return [word for word in words if word.startswith("-")]


def check_caribou(words):
    """Parse a command as the command line does, up to the point where it would be done."""
    name, verb, rest = cli.resolve_command(click.Context(cli), words)
    verb.make_context(name, rest)


def check_cdk(words):
    """Look whether the CDK has the verb, and its help each option."""
    command = [*cdk_command(), words[0], "--help"]
    done = subprocess.run(command, env=cdk_env(os.environ), capture_output=True, text=True, check=True)
    assert f"cdk {words[0]}" in done.stdout
    assert [option for option in options(words) if not re.search(rf"^  {option}\b", done.stdout, re.MULTILINE)] == []


COMMANDS = sorted(set(commands_of(PAGE)))


@pytest.mark.parametrize("command", [one for one in COMMANDS if not one.startswith("cdk ")])
def test_command_when_the_runbook_has_it_then_it_can_be_given_so(command):
    """Verb, arguments and options are those of the command line as it is, or of AWS's API."""
    if command.startswith("aws "):
        assert aws_command(command)
    else:
        check_caribou(shlex.split(command)[1:])


@pytest.mark.local_cloud
@pytest.mark.parametrize("command", [one for one in COMMANDS if one.startswith("cdk ")])
def test_command_of_the_cdk_when_the_runbook_has_it_then_it_can_be_given_so(command):
    """By the CDK's own help."""
    check_cdk(shlex.split(command)[1:])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split(" | ")[0][2:60])
def test_row_when_it_has_commands_then_the_tests_that_it_names_give_them(row):
    """Verb and options stand in the file of one of these tests; or the row says why nobody can try it."""
    [note] = NOTE.findall(row)
    if note.startswith("untried: "):
        return
    named = note.split(", ")
    assert [name for name in named if name not in known_tests()] == []
    tried = "\n".join(known_tests()[name] for name in named)
    given = [shlex.split(command) for command in COMMAND.findall(row)]
    words = {word for command in given if command[0] == "caribou" for word in (command[1], *options(command))}
    assert [word for word in sorted(words) if f'"{word}"' not in tried] == []


@pytest.mark.parametrize("alarm", [*OF_ALARM.finditer(ALARMS)], ids=lambda match: match["name"])
def test_alarm_when_there_is_one_then_its_row_leads_to_the_runbook_which_names_it(alarm):
    """Whoever is woken by an alarm finds what to do."""
    [section] = re.findall(r"\(runbook\.md#([\w-]+)\)", alarm[0])
    [text] = [part for part in PAGE.split("\n## ") if part.partition("\n")[0].lower().replace(" ", "-") == section]
    assert f"`{alarm['name']}`" in text
