"""Names at the top of a bundle that would hide modules which functions need: those are never found again.

Lambda puts a function's code first on Python's path, so a file `queue.py` beside `app.py` is what botocore gets for
`import queue`, and no function starts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from caribou.constructs.bundling.target_platform import Platform
from caribou.model.errors import InvalidInputError
from caribou.model.template_contract import BUNDLE_PACKAGE

LAMBDA_MODULES = frozenset(
    {
        *("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3"),
        *("awslambdaric", "runtime_client", "snapshot_restore_py"),
    }
)
"""What Lambda's Python has beside the standard library: the SDK with what it asks for, and Lambda's own client."""
CARIBOU_MODULES = frozenset({"caribou", BUNDLE_PACKAGE})
_MODULE_SUFFIXES = (".py", ".so", ".pyd", ".pyc")


def modules_at_top(paths: Iterable[str]) -> dict[str, str]:
    """The modules that Python would find at the top of a bundle, by their names: each with the path that makes it one.

    A folder is one if Python files lie in it, directly; a folder of data hides nothing.
    """
    found: dict[str, str] = {}
    for path in sorted(paths):
        parts = PurePosixPath(path).parts
        if len(parts) <= 2 and parts[-1].endswith(_MODULE_SUFFIXES):
            name = parts[0].partition(".")[0] if len(parts) == 1 else parts[0]
            found.setdefault(name, path if len(parts) == 1 else f"{parts[0]}/")
    return found


def check_names(folder: str, paths: Iterable[str], platform: Platform) -> None:
    """Raise InvalidInputError for a user's module that hides one of the standard library, Lambda or Caribou."""
    owners = {
        **dict.fromkeys(platform.standard_library, "the standard library"),
        **dict.fromkeys(LAMBDA_MODULES, "Lambda, which the AWS SDK needs"),
        **dict.fromkeys(CARIBOU_MODULES, "Caribou"),
    }
    _refuse(folder, modules_at_top(paths), owners)


def check_against_packages(folder: str, paths: Iterable[str], packages: Iterable[str]) -> None:
    """The same for modules of installed packages, `packages` being the paths of their files.

    Namespace packages may share a folder, as long as no file stands twice.
    """
    installed = frozenset(packages)
    own = modules_at_top(paths)
    whole = {name: path for name, path in own.items() if not _may_share(path, installed)}
    owners = {name: f"an installed package, {path}" for name, path in modules_at_top(installed).items()}
    _refuse(folder, whole, owners)
    for path in sorted(installed.intersection(paths)):
        raise _hides(folder, path, f"an installed package, {path}")


def _may_share(path: str, installed: frozenset[str]) -> bool:
    """Whether a user's folder and packages' make one namespace."""
    theirs = any(each.startswith(path) for each in installed)
    return path.endswith("/") and theirs and f"{path}__init__.py" not in installed


def _refuse(folder: str, modules: Mapping[str, str], owners: Mapping[str, str]) -> None:
    for name, path in modules.items():
        if name in owners:
            raise _hides(folder, path, owners[name])


def _hides(folder: str, path: str, owner: str) -> InvalidInputError:
    return InvalidInputError(
        f"has the name of a module of {owner}, and would hide it",
        where=f"{folder}/{path}",
        fix="rename it, or put it into a package of your own",
    )
