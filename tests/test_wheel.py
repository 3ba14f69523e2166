"""The wheel: whole, and of use in a user's own repository with nothing of this one at hand."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import uv
from waiting import BACKSTOP_S, eventually

ROOT = Path(__file__).resolve().parents[1]
UV = uv.find_uv_bin()


def run(*command, cwd, **variables):
    """Run a command as a user would, without this project's environment. Its standard output."""
    unwanted = {"VIRTUAL_ENV", "PYTHONPATH", "AWS_ENDPOINT_URL"}
    environment = {key: value for key, value in os.environ.items() if key not in unwanted}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**environment, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of the working tree."""
    folder = tmp_path_factory.mktemp("wheel")
    run(UV, "build", "--quiet", "--out-dir", folder, cwd=ROOT)  # as the README says: by way of the source archive
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def user(wheel, tmp_path_factory):
    """Run a command in a new folder, in an environment that has the wheel and what it needs, as locked."""
    folder = tmp_path_factory.mktemp("user")
    locked = ("--frozen", "--no-dev", "--no-emit-project", "--no-hashes", "--quiet", "--output-file")
    run(UV, "export", *locked, folder / "locked.txt", cwd=ROOT)
    run(UV, "venv", "--quiet", "--python", sys.executable, folder / "venv", cwd=folder)
    scripts = folder / "venv" / "bin"
    installing = ("--quiet", "--python", scripts / "python", "--constraints", folder / "locked.txt")
    run(UV, "pip", "install", *installing, wheel, cwd=folder)
    project = folder / "project"
    project.mkdir()

    def run_here(name, *arguments, **variables):
        path = f"{scripts}{os.pathsep}{os.environ['PATH']}"
        variables["CARIBOU_CACHE_DIR"] = str(folder / "cache")
        return run(scripts / name, *arguments, cwd=project, PATH=path, **variables)

    run_here.project, run_here.folder, run_here.scripts = project, folder, scripts
    return run_here


BESIDE = {"caribou/__init__.py", "caribou/py.typed"}


def test_wheel_when_built_then_every_file_of_every_room_is_inside(wheel):
    """Code, data, templates, locks, the marker of types: what the rooms hold, and the examples with their licences."""
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("caribou/")}
    rooms = [path for path in (ROOT / "src" / "caribou").iterdir() if path.is_dir() and path.name != "__pycache__"]
    files = {
        f"caribou/{room.name}/{path.relative_to(room)}" for room in rooms for path in room.rglob("*") if is_ours(path)
    }
    listed = run("git", "ls-files", "workflows", cwd=ROOT).split() if (ROOT / ".git").exists() else []
    examples = {f"caribou/{path}" for path in listed}
    assert {name for name in inside if not name.startswith("caribou/workflows/")} == files | BESIDE
    assert examples <= inside
    assert not [name for name in inside if "__pycache__" in name]
    assert {
        "caribou/constructs/bundle.py",
        "caribou/constructs/bundling/runtime_packages.lock",
        "caribou/cli/cdk_cli/package-lock.json",
        "caribou/cli/template/dot_caribou/config.yml",
        "caribou/local/ministack/requirements.lock",
        "caribou/collectors/sources/data/carbon/profiles.json",
        "caribou/workflows/image_processing/samples/photo.png",
        "caribou/workflows/image_processing/.caribou/config.yml",
        "caribou/workflows/video_analytics/labels.LICENSE",
    } <= inside
    assert "caribou/constructs/__init__.py" not in inside


def is_ours(path):
    """Whether a path in a room is a file that belongs to it."""
    return path.is_file() and "__pycache__" not in path.parts


def test_wheel_when_built_then_it_names_its_commands_and_licence(wheel):
    """`caribou` and `cdk` are commands, and the licence is inside."""
    archive = zipfile.ZipFile(wheel)
    names = {name.partition("/")[2]: name for name in archive.namelist() if ".dist-info/" in name}
    commands = archive.read(names["entry_points.txt"]).decode()
    assert "caribou = caribou.cli.main:main" in commands
    assert "cdk = caribou.cli.cdk:main" in commands
    assert "licenses/LICENSE" in names


def test_wheel_when_installed_then_a_users_repository_is_synthesised_with_it(user):
    """A new workflow in a project of its own: the user's functions carry the installed Caribou."""
    user("caribou", "new_workflow", "my_tour")
    context = json.dumps({"aws:cdk:bundling-stacks": ["Workflow-my_tour"]})
    out = user.folder / "cdk.out"
    user("python", "app.py", CDK_OUTDIR=str(out), CDK_CONTEXT_JSON=context, CDK_VALIDATION="false")
    template = json.loads((out / "Workflow-my_tour.template.json").read_text())
    functions = [r for r in template["Resources"].values() if r["Type"] == "AWS::Lambda::Function"]
    assert functions
    named = [f["Properties"]["FunctionName"] for f in functions if "FunctionName" in f["Properties"]]
    assert named  # all but the sweeper
    assert all(name.startswith("caribou-dev-my_tour-") for name in named)
    handlers = list(out.glob("asset.*/caribou/runtime/handler.py"))
    assert [path.read_bytes() for path in handlers] == [(ROOT / "runtime" / "handler.py").read_bytes()]
    assert not list(out.glob("asset.*/caribou/model/source"))


def test_wheel_when_installed_then_examples_are_copied_out_of_it_and_projects_depend_on_it(user, wheel):
    """`--from` needs no repository, and the new project's requirement is the wheel's file."""
    user("caribou", "new_workflow", "photos", "--from", "image_processing")
    copy = user.project / "workflows" / "photos" / "samples" / "photo.png"
    assert copy.read_bytes() == (ROOT / "workflows/image_processing/samples/photo.png").read_bytes()
    assert f"caribou-cdk @ {wheel.as_uri()}" in (user.project / "pyproject.toml").read_text()


@pytest.mark.slow
@pytest.mark.local_cloud
def test_wheel_when_a_stranger_does_what_the_commands_say_then_their_workflow_is_moved(user):
    """From an empty folder to nodes in another region: nothing is given but what was printed before."""
    stranger = Stranger(user, user.folder / "stranger")
    stranger.do("caribou new_workflow flow")
    try:
        moved = stranger.follow()
        assert "flow is deployed" in moved
        assert "ca-central-1" in stranger.run_until("ca-central-1")
    finally:
        stranger.do("caribou local down")


class Stranger:
    """Somebody who copies commands out of what the last one printed, in a shell whose variables stay set."""

    def __init__(self, user, folder):
        folder.mkdir()
        self.folder, self.user, self.said, self.done = folder, user, "", []

    def do(self, command):
        """Give a command. Where it asks for a yes that nobody can give here, say it as it asks to."""
        kept = self.folder.with_name("environment")
        before = f". {kept}\n" if kept.exists() else ""
        script = f"{before}{command}\ncode=$?\nexport -p > {kept}\nexit $code"
        ours = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CDK_", "PYTEST"))}
        environment = {**ours, "PATH": f"{self.user.scripts}{os.pathsep}{os.environ['PATH']}"}
        done = subprocess.run(
            ["bash", "-c", script], cwd=self.folder, env=environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False, timeout=BACKSTOP_S,
        )  # fmt: skip
        said = done.stdout + done.stderr
        if done.returncode == 2 and "add --yes" in said:
            return self.do(f"{command} --yes")
        assert done.returncode == 0, f"{command}\n{said}"
        self.said, self.done = said, [*self.done, command]
        return said

    def follow(self):
        """Do what is said until that has been done before; what the last new command printed."""
        while (commands := next_commands(self.said)) and not set(commands) & set(self.done):
            for command in commands:
                last = self.do(command)
        return last

    def run_until(self, region):
        """Run it as before, until a run is none of the share that stays home."""
        command = next(one for one in reversed(self.done) if one.startswith("caribou run "))
        return eventually(lambda: said if region in (said := self.do(command)) else "", f"a run in {region}")


def next_commands(said):
    """The commands after the last `Next:`: on its line, or on lines of their own."""
    line, *below = said.rpartition("Next: ")[2].splitlines()
    return [line] if line.startswith("caribou ") else [one.strip() for one in below if one.startswith("  ")]


def test_wheel_when_installed_then_it_is_not_this_repository(user):
    """What the tests above ran is the wheel, and CDK's `constructs` is beside it."""
    script = "import importlib.util as i; print(i.find_spec('caribou').origin, i.find_spec('constructs').origin)"
    for path in user("python", "-c", script).split():
        assert Path(path).is_relative_to(user.folder)
