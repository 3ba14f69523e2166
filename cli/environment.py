"""The environment of a stage, as `cdk.json` describes it: its profile is used, its account checked.

The profile goes into this process's environment, where every client of AWS and the CDK find it. Credentials that are
there already count more, as those of a build machine that has no profiles: the account is what makes sure.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from caribou.control.aws import Aws
from caribou.model.errors import InvalidInputError
from caribou.model.names import STAGES_KEY
from caribou.model.project.settings import ProjectSettings

_PROFILE = "AWS_PROFILE"
_CREDENTIALS = (
    *(_PROFILE, "AWS_DEFAULT_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE"),
    *("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"),
)
"""Variables by which an environment says whose credentials are used (AWS SDKs, "Standardized credential providers")."""


@contextmanager
def environment_of(settings: ProjectSettings) -> Iterator[Aws]:
    """AWS's clients with a stage's profile, once the account is known to be the stage's. Raises InvalidInputError."""
    if settings.profile is not None and not any(os.environ.get(name) for name in _CREDENTIALS):
        os.environ[_PROFILE] = settings.profile
    with Aws() as aws:
        _check_account(aws, settings)
        yield aws


def _check_account(aws: Aws, settings: ProjectSettings) -> None:
    if settings.account is None:
        return
    found = aws.account(settings.control_region)
    if found != settings.account:
        raise InvalidInputError(
            f"the credentials are of another account than {STAGES_KEY} says, so nothing was done",
            where=f"stage {settings.stage}",
            found=f"account {found}, expected {settings.account}",
            fix=f"use credentials of {settings.account} (AWS_PROFILE), or another stage (--stage)",
        )
