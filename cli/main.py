"""The `caribou` command: its verbs, and how a user's mistakes are reported.

Only click is imported here, what prints lines, and words of the command line. A verb's module, with all that it needs,
is imported when that verb is asked for.
"""

from __future__ import annotations

import gc
import io
import os
import sys
from collections.abc import Sequence
from copy import copy
from importlib import import_module
from typing import NamedTuple

import click

from caribou.cli.end_signals import ended_by_signals
from caribou.cli.groups import EXAMPLES, GROUPS, MEANT
from caribou.cli.hints import STAGE, staged
from caribou.cli.output import notify
from caribou.model.errors import CaribouError, OperationFailedError
from caribou.model.schema.nearest import nearest

COMPLETE = "_CARIBOU_COMPLETE"
"""By this variable a shell asks what may come next: see `caribou.cli.completing`."""

_NAMES_WIDTH = 24
"""Columns of the names of verbs in the help, at most."""

_GARBAGE_OBJECTS = 100_000
"""New objects after which Python looks for garbage: by its own 700, a sixth of a verb's start is spent on modules."""


class Verb(NamedTuple):
    """Where a verb's command is, and what `caribou --help` says of it: the first sentence of its own help."""

    module: str
    command: str
    summary: str


VERBS = {
    "new_workflow": Verb("new_workflow", "new_workflow", "Write a new workflow that works, to start from."),
    "lock": Verb("lock", "lock", "Write down which packages the functions of WORKFLOW get, each in one version."),
    "plan": Verb(
        "plan",
        "plan",
        "Show what deploying WORKFLOW with a placement would move and change, on one screen; nothing is changed.",
    ),
    "deploy": Verb(
        "deploy",
        "deploy",
        "Deploy WORKFLOW with its committed placement, or at home; the project's only workflow if none is named.",
    ),
    "history": Verb(
        "history", "history", "List which placements of WORKFLOW were deployed, when, and by whom, the newest first."
    ),
    "list": Verb("listing", "list_", "List the workflows: of this project, registered, or with stacks left."),
    "remove": Verb("deploy", "remove", "Delete the stacks of WORKFLOW in all regions."),
    "unlock": Verb(
        "unlock", "unlock", "Say who holds the lock of WORKFLOW, and take it away from a process that has died."
    ),
    "upload_samples": Verb(
        "upload_samples",
        "upload_samples",
        "Put what the samples of WORKFLOW need into S3 at its home region; buckets that are missing are made.",
    ),
    "run": Verb("run", "run", "Start a run of a deployed WORKFLOW at its home region, and print the run's id."),
    "load": Verb(
        "load",
        "load",
        "Start runs of a deployed WORKFLOW at times by chance or out of a file, and say what became of them.",
    ),
    "runs": Verb("runs", "runs_", "List the runs of WORKFLOW, the newest first."),
    "trace": Verb("runs", "trace", "Show what became of each node of the run RUN."),
    "logs": Verb(
        "logs",
        "logs",
        "Print what the functions of the run RUN have logged, in the order of time, from all its regions.",
    ),
    "redrive": Verb(
        "runs", "redrive", "Go on with the run RUN, which failed or expired, where its messages are parked."
    ),
    "cancel": Verb(
        "runs", "cancel", "End the open run RUN: nothing of it begins any more, and what runs already ends by itself."
    ),
    "log_sync": Verb(
        "collect",
        "log_sync",
        "Read the run records of WORKFLOW out of its logs, in all its regions, into the control plane's table.",
    ),
    "data_collect": Verb(
        "collect",
        "data_collect",
        "Collect facts of regions, or run records of all workflows, into the control plane's tables, now.",
    ),
    "data_status": Verb(
        "data_status",
        "data_status",
        "Say which data placements rest on: sources, age, coverage, licence, what is estimated, what is a fallback.",
    ),
    "problem": Verb(
        "collect",
        "problem",
        "Write the placement problem of WORKFLOW: what is known of the regions and of its runs, for `caribou solve`.",
    ),
    "solve": Verb(
        "solve", "solve", "Find where each node should run, at each hour of the day, and write it as a placement."
    ),
    "evaluate": Verb(
        "solve", "evaluate", "Say what a placement emits, costs and takes over a day, next to all nodes at home."
    ),
    "manage_deployments": Verb(
        "manage",
        "manage_deployments",
        "Solve anew, for WORKFLOW or all workflows; what is worth a move then waits for the migrator.",
    ),
    "run_deployment_migrator": Verb(
        "migrate",
        "run_deployment_migrator",
        "Apply the solved placement that waits, then retire the regions that nothing uses any more.",
    ),
    "local": Verb("local", "local", "Start and stop the local cloud: AWS on this machine, for trying and testing."),
    "completion": Verb("completion", "completion", "Print what makes a shell complete verbs, options and names."),
    "demo": Verb(
        "demo",
        "demo",
        "Deploy a workflow on a local cloud, run it, collect, solve, move it with cdk deploy, and run it again.",
    ),
}
"""Verb to where it is in this room, in the order of the loop: none imports another's module."""


def _keep_stage(context: click.Context, option: click.Parameter, given: str | None) -> None:
    """Keep what an option says where `caribou.cli.project` looks for it; beside the verb it counts more than before."""
    del option
    if given is not None:
        context.meta[STAGE] = given


def stage_option() -> click.Option:
    """The option that may stand before the verb and after it."""
    return click.Option(
        [STAGE],
        metavar="STAGE",
        expose_value=False,
        callback=_keep_stage,
        help="The stage to work on; else CARIBOU_STAGE, else what cdk.json says, else dev.",
    )


def _staged(command: click.Command) -> click.Command:
    """A verb, and each verb in a group, with the option."""
    staged = copy(command)
    staged.params = [*command.params, stage_option()]
    if isinstance(staged, click.Group):
        staged.commands = {name: _staged(inner) for name, inner in staged.commands.items()}
    return staged


class _Verbs(click.Group):
    """Verbs by their names, in which a hyphen is as good as an underscore. Each has the option `--stage`."""

    def invoke(self, ctx: click.Context) -> object:
        """Give the verb; commands in the message of an error are at its stage, which is known here alone."""
        try:
            return super().invoke(ctx)
        except CaribouError as error:
            error.args = (staged(str(error)),)
            raise

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        verb_name = cmd_name.replace("-", "_")
        verb = VERBS.get(verb_name)
        if verb is None:
            return None
        command: click.Command = getattr(import_module(f"caribou.cli.{verb.module}"), verb.command)
        return with_example(_staged(command), verb_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The verb that is meant. Fails as click does, with the verbs that a mistyped one may be."""
        name = args[0]
        if name[:1].isalnum() and self.get_command(ctx, name) is None:
            ctx.fail(f"No such command {name!r}.{_suggestion(name)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what each verb does without importing it."""
        del ctx
        for heading, names in GROUPS.items():
            with formatter.section(heading):
                formatter.write_dl([(name, VERBS[name].summary) for name in names], col_max=_NAMES_WIDTH)


def with_example(command: click.Command, words: str) -> click.Command:
    """The command, and each one in a group, with its example at the end of its help."""
    command.epilog = f"\b\nExample:\n  {EXAMPLES[words]}"
    for name, inner in command.commands.items() if isinstance(command, click.Group) else ():
        with_example(inner, f"{words} {name}")
    return command


def _suggestion(name: str) -> str:
    meant = MEANT.get(name)
    known = nearest(name.replace("-", "_"), VERBS) if meant is None else [meant]
    return f" Did you mean {' or '.join(map(repr, known))}?" if known else ""


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="caribou-cdk")
def cli() -> None:
    """Run serverless workflows where and when electricity is clean: write, deploy, run, collect, solve, migrate."""


cli.params.append(stage_option())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line. An error that we raise on purpose is one message on standard error, and its exit code.

    So is what the system says of a file, a disk or a pipe. A character that the terminal can't show is written out.
    """
    gc.set_threshold(_GARBAGE_OBJECTS)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if arguments is None and COMPLETE in os.environ:
        from caribou.cli.completing import answer  # noqa: PLC0415 - it is for shells alone

        sys.exit(answer(os.environ[COMPLETE]))
    try:
        with ended_by_signals():
            cli(arguments, prog_name="caribou")
    except CaribouError as error:
        notify(f"Error: {error}")
        sys.exit(error.exit_code)
    except OSError as error:
        notify(f"Error: {error.filename or 'The output'}: {error.strerror}")
        sys.exit(OperationFailedError.exit_code)
