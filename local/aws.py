"""Talking to a local cloud without this process's AWS settings: profiles, credentials and files are not looked at."""

from __future__ import annotations

import http.client
import os
from collections.abc import Sequence
from urllib.parse import urlsplit

import boto3
import botocore.session

SECRET = "test"  # noqa: S105 - the emulator looks at none
DEFAULT_REGION = "us-east-1"
_BOOTSTRAP_VERSION = "/cdk-bootstrap/hnb659fds/version"  # the parameter by which CDK knows its bootstrap stack
_HEALTH = "/_ministack/health"
_HEALTH_LIMIT_S = 5.0
_OK = 200
_NO_FILE = (None, None, os.devnull, None)


def session(account: str, region: str) -> boto3.Session:
    """A boto3 session of the account. Its clients share what is read from disk: make one, then many clients."""
    bare = botocore.session.Session(
        session_vars={"profile": (None, None, None, None), "config_file": _NO_FILE, "credentials_file": _NO_FILE}
    )
    return boto3.Session(
        aws_access_key_id=account, aws_secret_access_key=SECRET, region_name=region, botocore_session=bare
    )


def bootstrapped(endpoint: str, account: str, regions: Sequence[str]) -> tuple[str, ...]:
    """Those of the regions in which CDK's bootstrap stack stands."""
    shared = session(account, DEFAULT_REGION)
    return tuple(region for region in regions if _is_bootstrapped(shared, endpoint, region))


def _is_bootstrapped(shared: boto3.Session, endpoint: str, region: str) -> bool:
    ssm = shared.client("ssm", region_name=region, endpoint_url=endpoint)
    try:
        ssm.get_parameter(Name=_BOOTSTRAP_VERSION)
    except ssm.exceptions.ParameterNotFound:
        return False
    finally:
        ssm.close()
    return True


def answers(endpoint: str) -> bool:
    """Whether a server at the endpoint says that it is healthy."""
    address = urlsplit(endpoint)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=_HEALTH_LIMIT_S)
    try:
        connection.request("GET", _HEALTH)
        with connection.getresponse() as response:
            return response.status == _OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
