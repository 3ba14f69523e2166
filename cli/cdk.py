"""The `cdk` command: the pinned CDK CLI, installed on first use, which finds our Python and node."""

from __future__ import annotations

import logging
import os
import sys

from caribou.cli.output import notify
from caribou.local.tools import cdk_command, cdk_env
from caribou.model.errors import CaribouError

__all__ = ["cdk_command", "cdk_env", "main"]


def main() -> None:
    """Become the CDK CLI, with this command's arguments."""
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    logging.getLogger("caribou.local").setLevel(logging.INFO)
    try:
        command = cdk_command()
    except CaribouError as error:
        notify(str(error))
        raise SystemExit(error.exit_code) from error
    sys.stdout.flush()
    os.execve(command[0], [*command, *sys.argv[1:]], cdk_env(os.environ))  # noqa: S606 - a list, never a shell
