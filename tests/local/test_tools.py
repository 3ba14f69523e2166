import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from waiting import BACKSTOP_S

from caribou.local import tools
from caribou.model.cache import cache_folder
from caribou.model.errors import OperationFailedError

PROOF = Path("proof")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache of the test's own."""
    monkeypatch.setenv("CARIBOU_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def build(folder):
    """Build a tool."""
    (folder / PROOF).write_text("built")


def refuse(folder):
    """A build that nobody should ask for."""
    raise AssertionError(folder)


def test_installed_the_first_time_builds(cache):
    """A tool that is not there is built under its name."""
    folder = tools.installed("tool-1", PROOF, build)

    assert folder == cache / "tool-1"
    assert (folder / PROOF).read_text() == "built"


def test_installed_again_builds_nothing():
    """A tool that is there is used as it is."""
    tools.installed("tool-1", PROOF, build)

    tools.installed("tool-1", PROOF, refuse)


def test_installed_without_its_proof_is_built_anew(cache):
    """An installation that lost what it is for (its base Python, say) is replaced."""
    (cache / "tool-1").mkdir(parents=True)
    (cache / "tool-1" / "old").touch()

    folder = tools.installed("tool-1", PROOF, build)

    assert [path.name for path in folder.iterdir()] == ["proof"]


def test_installed_when_the_build_fails_leaves_nothing(cache):
    """A failed build leaves no folder behind that could be taken for an installation."""

    def fail(folder):
        build(folder)
        raise OperationFailedError("no network")

    with pytest.raises(OperationFailedError):
        tools.installed("tool-1", PROOF, fail)

    assert [path.name for path in cache.iterdir()] == ["tool-1.lock"]


def test_installed_by_two_processes_at_once_is_built_once(cache, tmp_path):
    """One of two processes builds, the other waits for it and uses the result."""
    script = f"""
import sys
from pathlib import Path
from caribou.local import tools
def build(folder):
    with open({str(tmp_path / "builds")!r}, "a") as file:
        file.write("x")
    (folder / "proof").touch()
sys.stdin.readline()
print(tools.installed("tool-1", Path("proof"), build))
"""
    both = [
        subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for process in both:
        process.stdin.write("go\n")
        process.stdin.flush()
    outputs = [process.communicate(timeout=BACKSTOP_S)[0].strip() for process in both]

    assert outputs == [str(cache / "tool-1")] * 2
    assert (tmp_path / "builds").read_text() == "x"


def test_a_failing_command_is_reported_with_its_output(tmp_path):
    """The message of a failed installation has the command and what it said."""
    with pytest.raises(OperationFailedError, match=r"ended with 3: out of disk"):
        tools._run([sys.executable, "-c", "import sys; print('out of disk', file=sys.stderr); sys.exit(3)"], tmp_path)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"CARIBOU_CACHE_DIR": "/a", "XDG_CACHE_HOME": "/b", "HOME": "/c"}, "/a"),
        ({"XDG_CACHE_HOME": "/b", "HOME": "/c"}, "/b/caribou"),
        ({"HOME": "/c"}, "/c/.cache/caribou"),
    ],
)
def test_cache_folder_is_the_one_chosen_then_the_users(monkeypatch, variables, expected):
    """Caribou's own variable goes before the desktop standard's, which goes before the home folder."""
    for name in ("CARIBOU_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert cache_folder() == Path(expected)


def test_cdk_env_finds_our_python_and_node_first():
    """`python app.py` in cdk.json and the CLI's node are those of this environment."""
    path = tools.cdk_env({"PATH": "/usr/bin"})["PATH"].split(os.pathsep)

    assert (Path(path[0]) / "python").exists()
    assert (Path(path[1]) / "node").exists()
    assert path[-1] == "/usr/bin"


def test_the_lock_of_the_cdk_cli_is_exact_and_names_no_private_host():
    """Every package has a hash, and is fetched from the public registry or the user's, never from elsewhere."""
    lock = json.loads((tools._CDK_FILES / "package-lock.json").read_text())
    packages = {name: package for name, package in lock["packages"].items() if name}

    assert packages["node_modules/aws-cdk"]["version"] == "2.1148.1"
    for package in packages.values():
        assert package["integrity"].startswith("sha512-")
        assert package.get("resolved", "https://registry.npmjs.org/").startswith("https://registry.npmjs.org/")


def test_the_lock_of_ministack_is_exact_and_names_no_host():
    """Every requirement is one version with hashes, and no index is written into the file."""
    text = tools._MINISTACK_LOCK.read_text()
    requirements = [block for block in re.split(r"\n(?=\S)", text) if not block.startswith("#")]

    assert "ministack==1.5.33" in text
    assert all("==" in block and "--hash=sha256:" in block for block in requirements)
    assert "://" not in text
