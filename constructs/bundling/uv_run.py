"""Running uv so that its result depends on its arguments alone: no settings of the machine, the project or the user.

What a user's environment may say is where packages come from, how they are reached and cached: a lock's hashes hold
whatever the way.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import uv

_FINDING_UV = threading.Lock()
"""Finding uv asks `sysconfig`, which in Python 3.11 may answer None to the second of two threads that ask first."""
_KEPT_PREFIXES = ("UV_INDEX", "UV_HTTP_", "UV_CONCURRENT_")
_KEPT = frozenset(
    {
        *("UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_NO_INDEX", "UV_KEYRING_PROVIDER"),
        *("UV_CREDENTIALS_DIR", "UV_INSECURE_HOST", "UV_NATIVE_TLS", "UV_SYSTEM_CERTS", "UV_OFFLINE"),
        *("UV_CACHE_DIR", "UV_NO_CACHE", "UV_REQUEST_TIMEOUT"),
    }
)


def run_uv(arguments: Sequence[str], *, folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    """Run `uv pip ARGUMENTS` in a folder, which relative paths start from, with a text as standard input."""
    with _FINDING_UV:
        program = uv.find_uv_bin()
    command = [program, "pip", *arguments, "--quiet", "--no-config", "--python", sys.executable]
    return subprocess.run(
        command, cwd=folder, env=environment_of(os.environ), input=text, capture_output=True, text=True, check=False
    )


def environment_of(variables: Mapping[str, str]) -> dict[str, str]:
    """The environment without what changes uv's result."""
    return {
        name: value
        for name, value in variables.items()
        if not name.startswith("UV_") or name in _KEPT or name.startswith(_KEPT_PREFIXES)
    }
