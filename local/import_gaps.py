"""What MiniStack 1.5.33 refuses to adopt and AWS does not, put right in its process; see docs/local-cloud.md.

Runs on MiniStack's own Python, where there is no `caribou`: standard library only.
"""

from __future__ import annotations

from contextvars import ContextVar
from importlib import import_module
from typing import Any

_DEPLOY = "_deploy_stack_async"
_adopted: ContextVar[frozenset[str]] = ContextVar("caribou_adopted", default=frozenset())
"""Names of the buckets that the operation at hand adopts."""


def close_import_gaps() -> None:
    """Let a bucket that an operation adopts be no conflict of names: it is there, and that is why.

    Raises RuntimeError if MiniStack no longer works as is relied on.
    """
    changesets: Any = import_module("ministack.services.cloudformation.changesets")
    provisioners: Any = import_module("ministack.services.cloudformation.provisioners")
    deploy = getattr(changesets, _DEPLOY, None)
    conflict = getattr(provisioners, "s3_bucket_name_conflict", None)
    if deploy is None or conflict is None:
        raise RuntimeError("MiniStack's CloudFormation has changed: local/import_gaps.py was written for another")

    async def deploy_stack(*arguments: Any, imports: dict[str, dict[str, str]] | None = None, **options: Any) -> None:  # noqa: ANN401 - MiniStack's
        _adopted.set(frozenset(one["BucketName"] for one in (imports or {}).values() if "BucketName" in one))
        await deploy(*arguments, imports=imports, **options)

    def bucket_name_conflict(name: str) -> str | None:
        found: str | None = None if name in _adopted.get() else conflict(name)
        return found

    setattr(changesets, _DEPLOY, deploy_stack)
    provisioners.s3_bucket_name_conflict = bucket_name_conflict
