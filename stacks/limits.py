"""What CloudFormation takes of a template, judged when it is written and before any stack is deployed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from caribou.model.errors import InvalidInputError

MAX_RESOURCES = 500
MAX_TEMPLATE_BYTES = 1_000_000
"""CloudFormation's quotas of one template; CDK puts templates into the bootstrap bucket, where they may be so large."""

NO_LIMIT_OF_CDK = {"@aws-cdk/core:stackResourceLimit": 0}
"""CDK's own limit ends in a traceback: context that turns it off."""

RESOURCES_A_FUNCTION, MOST_FUNCTIONS = 11, 43
"""How many resources a function has in a stack, and how many functions a workflow can have by that."""

_FIX = {
    "resources": "split the workflow into two, or make fewer functions of it: each has "
    f"{RESOURCES_A_FUNCTION}, so {MOST_FUNCTIONS} are the most, and one less with alarms",
    "bytes": "split the workflow into two, make fewer functions of it, or allow fewer regions: each function's role "
    "names a bucket in every region that the manifest allows",
}


def refuse_large_templates(folder: Path) -> None:
    """Raise InvalidInputError if a template in a cloud assembly's folder is larger than CloudFormation takes."""
    for path in sorted(folder.glob("*.template.json")):
        refuse_large(path.name.removesuffix(".template.json"), path.read_bytes())


def refuse_large(stack: str, template: bytes) -> None:
    """Raise InvalidInputError if a stack's template, as JSON, is larger than CloudFormation takes."""
    resources = len(json.loads(template).get("Resources", {}))
    for found, limit, what in _sizes(resources, len(template)):
        if found > limit:
            raise InvalidInputError(
                f"the stack has more {what} than CloudFormation takes",
                where=stack,
                found=f"{found:,} {what}, of at most {limit:,}",
                fix=_FIX[what],
            )


def _sizes(resources: int, size_bytes: int) -> Iterable[tuple[int, int, str]]:
    return (resources, MAX_RESOURCES, "resources"), (size_bytes, MAX_TEMPLATE_BYTES, "bytes")
