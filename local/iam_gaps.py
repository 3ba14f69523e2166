"""What MiniStack 1.5.33 authorises otherwise than IAM, put right in the emulator's process; see docs/local-cloud.md.

Runs on MiniStack's own Python, where there is no `caribou`: standard library only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import import_module
from typing import Any

_NONE_KNOWN = "*"


def close_iam_gaps() -> None:
    """Let calls that list have the resources that they have on AWS, and not `*`, which only a policy for `*` allows.

    Raises RuntimeError if MiniStack no longer finds resources as is relied on.
    """
    actions: Any = import_module("ministack.core.iam_actions")
    original = getattr(actions, "extract_resource_arn", None)
    if original is None:
        raise RuntimeError("ministack.core.iam_actions has no extract_resource_arn: local/iam_gaps.py needs another")

    def extract_resource_arn(  # noqa: PLR0917 - the signature is MiniStack's
        service: str,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
        query_params: Mapping[str, Any],
        region: str,
        account_id: str,
    ) -> str:
        found = str(original(service, method, path, headers, body, query_params, region, account_id))
        listed = listed_resource(headers.get("x-amz-target", ""), body) if found == _NONE_KNOWN else None
        return found if listed is None else f"arn:aws:{service}:{region}:{account_id}:{listed}"

    actions.extract_resource_arn = extract_resource_arn


def listed_resource(target: str, body: bytes) -> str | None:
    """What a call that lists is authorised on, behind the account in its ARN; None for other calls."""
    match target.rpartition(".")[2]:
        case "GetParametersByPath":
            return f"parameter{_path(body)}"
        case "DescribeLogGroups":
            return "log-group::log-stream:"
    return None


def _path(body: bytes) -> str:
    """The path of parameters that is asked for; the root if it can't be read."""
    try:
        return str(json.loads(body)["Path"])
    except (ValueError, KeyError, TypeError):
        return "/"
