"""`caribou local`: the local cloud, which needs neither an AWS account nor Docker."""

from __future__ import annotations

import logging
import os
import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import click

from caribou.cli.choices import Region
from caribou.cli.console import console
from caribou.cli.output import say
from caribou.cli.project_regions import qualifier_of_project, regions_of_project
from caribou.collectors.sources.snapshot import PerformanceSnapshot
from caribou.local.cloud import DEFAULT_ACCOUNT, DEFAULT_REGIONS, Distances, LocalCloud, gets_in_the_way
from caribou.model.errors import InvalidInputError, OperationFailedError
from caribou.model.regions import KNOWN_REGIONS

_console = console(stderr=True, soft_wrap=True)  # stdout is for what programs read
_SHADOWING = ("AWS_PROFILE", "AWS_SESSION_TOKEN")

_state = click.option(
    "--state",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".caribou-local"),
    show_default=True,
    help="Folder of the cloud's logs and temporary files; one cloud a folder.",
)


class _ToConsole(logging.Handler):
    """Shows what takes long (a first installation) while it happens."""

    def emit(self, record: logging.LogRecord) -> None:
        _console.print(record.getMessage(), style="dim")


@click.group()
def local() -> None:
    """Start and stop the local cloud: AWS on this machine, for trying and testing."""
    logger = logging.getLogger("caribou.local")
    logger.setLevel(logging.INFO)
    if not any(isinstance(handler, _ToConsole) for handler in logger.handlers):
        logger.addHandler(_ToConsole())


@local.command()
@_state
@click.option(
    "--region", "regions", type=Region(), multiple=True, help="Bootstrap this region too, beside the project's."
)
@click.option("--account", default=DEFAULT_ACCOUNT, show_default=True, help="The AWS account to be, 12 digits.")
@click.option("--distances", is_flag=True, help="Let functions' calls take as long as between AWS's regions.")
def up(state: Path, regions: Sequence[str], account: str, *, distances: bool) -> None:
    """Start the local cloud, for the project's regions; if it is up already, only bootstrap those that are missing."""
    project = regions_of_project(Path.cwd(), DEFAULT_REGIONS)
    wanted, qualifier = tuple(dict.fromkeys((*project.regions, *regions))), project.qualifier
    cloud = LocalCloud.attach(state)
    if cloud is not None and distances and not cloud.distances:
        raise InvalidInputError(
            "the local cloud is up without distances",
            where="--distances",
            fix=f"end it first: caribou local down{_state_option(state)}",
        )
    with _console.status(f"Local cloud: starting, bootstrapping {', '.join(wanted)}"):
        if cloud is not None:
            ready = cloud.bootstrapped(wanted, qualifier)
            missing = [region for region in wanted if region not in ready]
            cloud.bootstrap(missing, qualifier)
        else:
            table = measured_distances() if distances else None
            cloud_now = LocalCloud.start(
                state, keep=True, regions=wanted, account=account, distances=table, qualifier=qualifier
            )
    if cloud is not None:
        _console.print(f"The local cloud is up already at {cloud.endpoint}, account {cloud.account}.")
        _console.print(f"Bootstrapped: {', '.join(missing) or 'nothing was missing'}.")
        return
    _console.print(f"The local cloud is up at {cloud_now.endpoint}, account {account}: {', '.join(wanted)}.")
    _console.print(f'Use it in this shell: eval "$(caribou local env{_state_option(state)})"')


@local.command()
@_state
def down(state: Path) -> None:
    """Stop the local cloud and every function's process; what was deployed to it is gone, the logs stay."""
    cloud = LocalCloud.attach(state)
    if cloud is None:
        _console.print("The local cloud is not up.")
        return
    cloud.stop()
    if cloud.is_running():
        raise OperationFailedError(f"The local cloud, process {cloud.pid}, did not end. Its log: {cloud.log}")
    _console.print(f"The local cloud is down. Its log: {cloud.log}")


@local.command()
@_state
@click.pass_context
def status(context: click.Context, state: Path) -> None:
    """Say where the local cloud is and how it does. Exit code 0: healthy, 1: not answering, 3: not up."""
    cloud = LocalCloud.attach(state)
    if cloud is None:
        say("state     not up")
        context.exit(3)
    healthy = cloud.is_healthy()
    say(f"state     {'healthy' if healthy else 'not answering'}")
    say(f"endpoint  {cloud.endpoint}")
    say(f"account   {cloud.account}")
    say(f"pid       {cloud.pid}")
    say(f"log       {cloud.log}")
    say(f"distances {'as between AWS regions' if cloud.distances else 'none'}")
    if not healthy:
        context.exit(1)
    say(f"regions   {' '.join(cloud.bootstrapped(qualifier=qualifier_of_project(Path.cwd())))}")


@local.command()
@_state
@click.option("--region", type=Region(), default=DEFAULT_REGIONS[0], show_default=True, help="The region to be in.")
def env(state: Path, region: str) -> None:
    """Print the variables that point the AWS CLI, boto3 and cdk at the local cloud, for `eval "$(...)"`."""
    cloud = LocalCloud.attach(state)
    if cloud is None:
        raise OperationFailedError(f"The local cloud is not up. Start it with: caribou local up{_state_option(state)}")
    say("\n".join(shell_lines(cloud.variables(region), os.environ)))


def measured_distances() -> Distances:
    """The packaged medians of round trips between AWS's regions, s."""
    bodies = PerformanceSnapshot().collect(datetime.now(UTC), KNOWN_REGIONS).bodies
    return {region: {to: median(pings) for to, pings in body.ping_s.items()} for region, body in bodies.items()}


def shell_lines(variables: Mapping[str, str], current: Mapping[str, str]) -> list[str]:
    """Lines for a POSIX shell: the AWS settings that would get in the way unset, then the variables exported."""
    found = (name for name in sorted(current) if gets_in_the_way(name) and name not in variables)
    names = dict.fromkeys((*_SHADOWING, *(name for name in found if name.isidentifier())))
    return [f"unset {' '.join(names)}", *(f"export {name}={shlex.quote(value)}" for name, value in variables.items())]


def _state_option(state: Path) -> str:
    return "" if state == Path(".caribou-local") else f" --state {shlex.quote(str(state))}"
