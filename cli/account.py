"""Which AWS account the credentials at hand are for."""

from __future__ import annotations

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from caribou.model.errors import OperationFailedError


def current_account(region: str) -> str:
    """The account's 12 digits. Raises OperationFailedError if AWS, or the local cloud, can't be asked."""
    try:
        return boto3.client("sts", region_name=region).get_caller_identity()["Account"]
    except (BotoCoreError, ClientError) as error:
        raise OperationFailedError(
            f"AWS does not answer: {error}. To fix: give credentials, or use the local cloud: "
            'caribou local up, then eval "$(caribou local env)"'
        ) from error
