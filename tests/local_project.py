"""A project in a folder of its own, and the commands that its owner gives there."""

import os
import shutil
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

from builders import ROOT
from waiting import BACKSTOP_S

from caribou.model.project.workflow import read_workflow


def without_aws():
    """This process's environment, with nothing in it that leads to a cloud."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CDK_"))}


@dataclass(frozen=True)
class Project:
    """A project's folder, and the environment in which commands run there."""

    root: Path
    environment: dict[str, str]

    @classmethod
    def in_empty_folder(cls, root, cloud=None):
        """Where a project is to be, at a cloud or at none."""
        variables = {} if cloud is None else cloud.variables()
        return cls(root, {**without_aws(), "PYTHONUNBUFFERED": "1", **variables})

    @classmethod
    def in_folder(cls, root, cloud=None):
        """A project without workflows, at a cloud or at none."""
        for name in ("app.py", "cdk.json"):
            shutil.copy(ROOT / name, root)
        return cls.in_empty_folder(root, cloud)

    def add_workflow(self, source):
        """Copy a workflow's folder into the project; the copy."""
        folder = self.root / "workflows" / source.name
        shutil.copytree(source, folder, ignore=shutil.ignore_patterns("__pycache__"))
        return folder

    def write_workflow(self, name, source, manifest):
        """A workflow of one file, as read from its folder."""
        folder = self.root / "workflows" / name
        (folder / ".caribou").mkdir(parents=True)
        (folder / "app.py").write_text(textwrap.dedent(source))
        (folder / ".caribou" / "config.yml").write_text(manifest)
        return read_workflow(folder)

    def command(self, program, *arguments):
        """The command line of a program of our environment."""
        return [str(Path(sys.prefix) / "bin" / program), *map(str, arguments)]

    def run(self, program, *arguments, code=0):
        """Run a program to its end, which must be `code`; its standard output, or its standard error if it failed."""
        done = subprocess.run(
            self.command(program, *arguments),
            cwd=self.root,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=BACKSTOP_S,
            check=False,
        )
        assert done.returncode == code, f"{done.args}\n{done.stdout}\n{done.stderr}"
        return done.stdout if code == 0 else done.stderr

    def deploy(self, *arguments):
        """Run `cdk deploy`, which asks nothing."""
        return self.run("cdk", "deploy", *arguments, "--require-approval", "never", "--concurrency", "4")
