"""A user's own project, and the commands that the user would give in it."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Project:
    """A copy of the project in a folder of its own, and the environment in which commands run there."""

    root: Path
    environment: dict[str, str]

    def command(self, program, *arguments):
        """The command line of a program of our environment."""
        return [str(Path(sys.prefix) / "bin" / program), *map(str, arguments)]

    def run(self, program, *arguments, code=0):
        """Run a program to its end; its standard output. It must end with `code`."""
        done = subprocess.run(
            self.command(program, *arguments),
            cwd=self.root,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        assert done.returncode == code, f"{done.args}\n{done.stdout}\n{done.stderr}"
        return done.stdout if code == 0 else done.stderr


def copied_project(folder, environment):
    """A project with the repository's example workflows, and nothing else of it."""
    for name in ("app.py", "cdk.json"):
        shutil.copy(REPOSITORY / name, folder)
    shutil.copytree(REPOSITORY / "workflows", folder / "workflows", ignore=shutil.ignore_patterns("__pycache__"))
    return Project(folder, environment)


@pytest.fixture(scope="session")
def project_in():
    """`project_in(folder)`: make a project in a folder, which knows of no cloud."""
    return _lone_project


@pytest.fixture
def lone_project(tmp_path):
    """A project that knows of no cloud."""
    return _lone_project(tmp_path)


def _lone_project(folder):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CDK_"))}
    return copied_project(folder, {**environment, "PYTHONUNBUFFERED": "1"})
