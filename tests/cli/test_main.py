"""What the command line imports, and what it says of its verbs without importing them."""

import ast
import os
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from caribou.cli.groups import EXAMPLES, GROUPS, MEANT
from caribou.cli.main import VERBS, cli

CLI = Path(__file__).parents[2] / "cli"
WIDTH = 80
DOCS = Path(__file__).parents[2] / "docs" / "commands.md"
MODULES = sorted({verb.module for verb in VERBS.values()})
HEAVY = ("aws_cdk", "boto3", "numpy", "pydantic", "rich", "yaml", "caribou.control", "caribou.solver")
LISTED = """
import sys
from caribou.cli.main import main
try:
    main({arguments})
except SystemExit as exit_:
    assert not exit_.code
print(*(name for name in {heavy} if name in sys.modules), file=sys.stderr)
"""
NEEDED = {
    "new_workflow": set(),
    "completion": set(),
    "solve": {"numpy", "pydantic", "rich"},
    "evaluate": {"numpy", "pydantic", "rich"},
    "local": {"boto3", "pydantic", "rich", "yaml"},
}
"""Verbs that need little: what they may import at most. All others need AWS, and the demo all but the CDK."""


def imported(*arguments):
    """What of HEAVY is imported by a command, in a process of its own."""
    script = LISTED.format(arguments=list(arguments), heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout
    return set(done.stderr.split())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full disk to write to")
def test_command_when_the_system_refuses_its_output_then_it_is_one_message():
    """A full disk is no fault of ours, and no traceback."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", "from caribou.cli.main import main; main(['--help'])"],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_command_when_the_terminal_has_no_such_characters_then_they_are_written_out():
    """A tree's lines in ASCII."""
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"}
    script = """
import caribou.cli.main
from caribou.cli.console import console
try:
    caribou.cli.main.main(["--version"])
except SystemExit:
    console().print(chr(0x251C))
"""
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0
    assert "\\u251c" in done.stdout


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["--version"]])
def test_help_when_it_is_asked_for_then_no_verb_is_imported(arguments):
    """It answers at once: click is all that it needs."""
    assert imported(*arguments) == set()


@pytest.mark.parametrize("verb", VERBS)
def test_help_when_it_is_a_verbs_then_only_what_that_verb_needs_is_imported(verb):
    """No verb's help loads the CDK, only solve and evaluate load the solver, and what needs no cloud loads no boto3."""
    found = imported(verb, "--help")
    if verb in NEEDED:
        assert found - {"caribou.control", "caribou.solver"} <= NEEDED[verb]
    assert "aws_cdk" not in found
    assert "numpy" not in found or verb in {"solve", "evaluate"}


def test_verb_when_it_starts_then_python_hardly_looks_for_garbage_among_its_modules():
    """It finds none there, in a third of the time that a start takes."""
    script = """
import gc, sys
from caribou.cli.main import main
before = gc.get_stats()[0]["collections"]
try:
    main(["manage_deployments", "--help"])
except SystemExit:
    print(gc.get_stats()[0]["collections"] - before, file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert int(done.stderr) < 20


@pytest.mark.parametrize("verb", VERBS)
def test_help_when_it_lists_a_verb_then_it_says_what_the_verbs_own_help_says_first(verb):
    """The summaries stand beside the names so that nothing has to be imported: they must not drift."""
    command = cli.get_command(click.Context(cli), verb)
    assert VERBS[verb].summary == command.get_short_help_str(limit=1000)
    assert command.name == verb


@pytest.mark.parametrize("module", MODULES)
def test_verbs_when_they_share_something_then_it_is_not_in_another_verbs_module(module):
    """A verb can be read, and added, without the others."""
    tree = ast.parse((CLI / f"{module}.py").read_text(encoding="utf-8"))
    found = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert found & {f"caribou.cli.{other}" for other in MODULES} == set()


def commands_of(group, words=()):
    """Every command with its words, groups too."""
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        yield " ".join((*words, name)), command
        if isinstance(command, click.Group):
            yield from commands_of(command, (*words, name))


COMMANDS = dict(commands_of(cli))


def test_groups_when_verbs_are_listed_then_each_verb_is_under_one_heading():
    """And under the heading at which docs/commands.md has it."""
    listed = [name for names in GROUPS.values() for name in names]
    assert sorted(listed) == sorted(VERBS)
    rows = [line for line in DOCS.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    for heading, names in GROUPS.items():
        row = next(row for row in rows if row.casefold().startswith(f"| {heading.casefold()} |"))
        assert [name for name in names if f"`{name}" not in row] == []


@pytest.mark.parametrize("words", COMMANDS)
def test_help_when_it_is_a_commands_then_it_ends_with_an_example_that_can_be_given(words):
    """The example parses: it names options that there are, with what they take."""
    done = CliRunner().invoke(cli, [*words.split(), "--help"], catch_exceptions=False)
    assert done.output.rstrip().endswith(f"  Example:\n    {EXAMPLES[words]}")
    assert max(map(len, done.output.splitlines())) <= WIDTH
    given = shlex.split(EXAMPLES[words].removeprefix('eval "$(').removesuffix(')"'))
    assert given[0] == "caribou"
    context, command, rest, named = click.Context(cli), cli, given[1:], []
    while isinstance(command, click.Group):
        name, command, rest = command.resolve_command(context, rest)
        named.append(name)
    assert " ".join(named).startswith(words)
    command.make_context(given[1], rest)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("depoly", "Did you mean 'deploy'"),
        ("run-deployment-migrater", "Did you mean 'run_deployment_migrator'?"),
        ("destroy", "Did you mean 'remove'?"),
        ("deploy --placment home", "Did you mean '--placement'?"),
        ("data_collect carbn", "perhaps carbon is meant"),
        ("runs shop --state FALED", "perhaps failed is meant"),
        ("local up --region eu-wset-3", "perhaps eu-west-3"),
        ("completion bsh", "perhaps bash"),
    ],
)
def test_command_when_a_word_is_mistyped_then_what_may_be_meant_is_said(given, said):
    """One message, and exit code 2."""
    done = CliRunner().invoke(cli, given.split(), catch_exceptions=False)
    assert done.exit_code == 2
    assert said in done.stderr
    assert done.stderr.count("Error:") == 1


def test_suggestions_when_another_tool_calls_a_verb_so_then_ours_is_one():
    """None leads to a verb that is not there."""
    assert set(MEANT.values()) <= set(COMMANDS)
    assert set(MEANT) & set(VERBS) == set()
