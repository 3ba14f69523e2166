"""Talking to a local cloud without this process's AWS settings: profiles, credentials and files are not looked at."""

from __future__ import annotations

import http.client
import os
import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import botocore.session

DEFAULT_REGION = "us-east-1"
DEFAULT_QUALIFIER = "hnb659fds"
"""The CDK's own, of its bootstrap stack."""
_HEALTH = "/_ministack/health"
_HEALTH_LIMIT_S = 5.0
_OK = 200
_NO_FILE = (None, None, os.devnull, None)


def session(account: str, secret: str, region: str) -> boto3.Session:
    """A boto3 session of the account, with the local cloud's secret.

    Its clients share what is read from disk: make one, then many clients.
    """
    bare = botocore.session.Session(
        session_vars={"profile": (None, None, None, None), "config_file": _NO_FILE, "credentials_file": _NO_FILE}
    )
    return boto3.Session(
        aws_access_key_id=account, aws_secret_access_key=secret, region_name=region, botocore_session=bare
    )


def bootstrapped(
    shared: boto3.Session, reach: Mapping[str, Any], regions: Sequence[str], qualifier: str
) -> tuple[str, ...]:
    """Those of the regions in which CDK's bootstrap stack of that qualifier stands.

    `reach` has what a client needs beside its region.
    """
    return tuple(region for region in regions if _is_bootstrapped(shared, reach, region, qualifier))


def _is_bootstrapped(shared: boto3.Session, reach: Mapping[str, Any], region: str, qualifier: str) -> bool:
    ssm = shared.client("ssm", region_name=region, **reach)
    try:
        ssm.get_parameter(Name=f"/cdk-bootstrap/{qualifier}/version")
    except ssm.exceptions.ParameterNotFound:
        return False
    finally:
        ssm.close()
    return True


def answers(endpoint: str, certificate: Path | None = None) -> bool:
    """Whether a server at the endpoint says that it is healthy; `certificate` is the one to trust, with https."""
    address = urlsplit(endpoint)
    if address.scheme == "https" and not (certificate and certificate.exists()):
        return False
    connection = _connection(address.hostname or "", address.port, certificate)
    try:
        connection.request("GET", _HEALTH)
        with connection.getresponse() as response:
            return response.status == _OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _connection(host: str, port: int | None, certificate: Path | None) -> http.client.HTTPConnection:
    if certificate is None:
        return http.client.HTTPConnection(host, port, timeout=_HEALTH_LIMIT_S)
    trusted = ssl.create_default_context(cafile=str(certificate))
    return http.client.HTTPSConnection(host, port, timeout=_HEALTH_LIMIT_S, context=trusted)
