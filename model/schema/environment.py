"""What Lambda takes as the environment of a function, beside the names of its variables."""

from __future__ import annotations

import json
from collections.abc import Mapping

from caribou.model.errors import InvalidManifestError
from caribou.model.template_contract import FUNCTION_VARIABLE, STAGE_VARIABLE

LARGEST_BYTES = 4096
"""Of all variables of a function, as the JSON object in which Lambda measures them (AWS Lambda quotas)."""

LONGEST_STAGE = 16
"""Letters of a stage's name: the manifest holds for every stage."""


def checked_environment(variables: Mapping[str, str], function: str, where: str) -> None:
    """Raise InvalidManifestError if a function's variables, with ours, are more than Lambda takes."""
    size = environment_bytes(variables, function)
    if size > LARGEST_BYTES:
        largest = max(variables, key=lambda key: len(variables[key].encode()))
        raise InvalidManifestError(
            f"the variables of the function {function} take {size:,} bytes as JSON, with Caribou's own, "
            f"and Lambda takes {LARGEST_BYTES:,}",
            where=where,
            found=f"{largest}, the largest, has {len(variables[largest].encode()):,}",
            fix="shorten them, or let the function read them out of a file of its own or a parameter",
        )


def environment_bytes(variables: Mapping[str, str], function: str) -> int:
    """The size of a function's variables and of ours, whatever the stage is called."""
    ours = {FUNCTION_VARIABLE: function, STAGE_VARIABLE: "s" * LONGEST_STAGE}
    return len(json.dumps({**variables, **ours}, separators=(",", ":"), ensure_ascii=False).encode())
