"""`caribou lock`: which packages a workflow's functions get, each in one version."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from caribou.cli.output import say
from caribou.cli.project import project_root, stage, workflow_folder
from caribou.constructs.bundling.lock import LOCK, Packages
from caribou.constructs.bundling.lock_text import versions
from caribou.constructs.bundling.requirements import read_requirements
from caribou.constructs.bundling.target_platform import Platform
from caribou.model.project.workflow import read_workflow


@click.command()
@click.argument("workflow")
@click.option("--upgrade", is_flag=True, help="Take the newest versions that the requirements allow.")
def lock(workflow: str, *, upgrade: bool) -> None:
    """Write down which packages the functions of WORKFLOW get, each in one version.

    The file is requirements.lock, beside requirements.txt: commit it. Versions that it has already stay, where they
    still can, unless --upgrade.
    """
    root = project_root()
    folder = workflow_folder(workflow, root)
    manifest = read_workflow(folder, stage(root)).manifest
    platform = Platform(manifest.architecture, manifest.python_version, host=False)
    packages = Packages(platform, read_requirements(folder), folder)
    if packages.lock_file is None:
        say(f"{folder.name} has no requirements: what Caribou needs itself is locked with Caribou")
        return
    before = _versions(packages.lock_file)
    after = versions(packages.make_lock(upgrade=upgrade))
    for name in sorted({*before, *after}):
        if before.get(name) != after.get(name):
            say(f"{name} {before.get(name, '-')} -> {after.get(name, '-')}")
    say(f"{folder / LOCK}: {len(after)} packages for {platform.name}")


def _versions(path: Path) -> Mapping[str, str]:
    return versions(path.read_text(encoding="utf-8", errors="replace")) if path.is_file() else {}
