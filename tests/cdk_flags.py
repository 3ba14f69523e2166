"""The feature flags that `cdk init` writes into a project's `cdk.json`: every recommended one."""

import json
import tarfile
from functools import cache
from importlib.resources import files
from pathlib import Path

FLAGS_FILE = "package/recommended-feature-flags.json"


@cache
def recommended_flags():
    """Flag to value, out of the package of CDK's library that is installed."""
    [package] = Path(str(files("aws_cdk") / "_jsii")).glob("*.tgz")
    with tarfile.open(package, "r|gz") as archive:
        content = next(archive.extractfile(member).read() for member in archive if member.name == FLAGS_FILE)
    return json.loads(content)
