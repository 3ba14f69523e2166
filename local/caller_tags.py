"""The tags of who calls, for the policies of topics and queues of MiniStack 1.5.33.

With IAM enforced MiniStack judges such a policy twice: as AWS does, and once more inside SNS or SQS, where it knows the
caller's ARN and nothing else of him. A Deny for all who lack a tag then hits those who have it, too. Here the second
look gets what the first one had.

Runs on MiniStack's own Python, where there is no `caribou`: standard library only.
"""

# ruff: noqa: ANN401, SLF001 - this module handles MiniStack's modules and replaces one of their functions

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from typing import Any

_NAMES = (
    "resource_policy_allows",
    "resolve_credential",
    "CredentialResolutionError",
    "_principal_keys",
    "_verified_key",
)


def show_tags_of_callers() -> None:
    """Let policies of topics and queues see them. Raises RuntimeError if this MiniStack lacks a name relied on."""
    evaluator: Any = import_module("ministack.core.iam_evaluator")
    if missing := [name for name in _NAMES if not hasattr(evaluator, name)]:
        raise RuntimeError(f"ministack.core.iam_evaluator has no {', '.join(missing)}: see local/caller_tags.py")
    allows = evaluator.resource_policy_allows

    def allows_with_tags(policy: Any, context: Any, same_account: Any) -> bool:
        known = replace(context, principal_keys=_keys_of_caller(evaluator, context.principal_account))
        return allows(policy, known, same_account)  # type: ignore[no-any-return]

    evaluator.resource_policy_allows = allows_with_tags


def _keys_of_caller(evaluator: Any, account: str) -> dict[str, Any]:
    """The condition keys that say who has signed this request; none for the account's root, which has no tags."""
    access_key = evaluator._verified_key.get()
    credential = evaluator.resolve_credential(access_key, account) if access_key else None
    if credential is None or isinstance(credential, evaluator.CredentialResolutionError):
        return {}
    keys: dict[str, Any] = evaluator._principal_keys(credential)
    return keys
