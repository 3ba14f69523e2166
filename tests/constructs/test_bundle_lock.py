"""What was resolved is locked, and the same digest is the same bytes: whoever builds it, when and where."""

import hashlib
import os
import shutil
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from caribou.constructs.bundle import workflow_bundle
from caribou.constructs.bundling.lock import LOCK, OWN_PACKAGE, Packages, own_lock
from caribou.constructs.bundling.lock_text import packages_of, versions
from caribou.constructs.bundling.requirements import read_requirements
from caribou.constructs.bundling.target_platform import Platform
from caribou.constructs.bundling.uv_run import environment_of
from caribou.model.errors import InvalidInputError, OperationFailedError

ROOT = Path(__file__).parents[2]
LAMBDA = Platform("x86_64", "3.13", host=False)
HOST = replace(LAMBDA, host=True)
WORKFLOWS = sorted(path.parent.name for path in (ROOT / "workflows").glob("*/app.py"))


@pytest.fixture
def folder(tmp_path, wheel):
    """A workflow's folder that requires a package of its own folder of wheels, which has two versions."""
    folder = tmp_path / "flow"
    programs = {"count": "#!/bin/sh\necho 1\n", "run": "#!python\nprint(1)\n"}
    for version in ("1", "2"):
        wheel(folder / "wheels", "herd", version, scripts=programs)
    (folder / "app.py").write_text("import herd\n")
    (folder / "requirements.txt").write_text("--find-links wheels\nherd\n")
    return folder


def packages(folder, platform=LAMBDA):
    """The packages of a folder's bundle."""
    return Packages(platform, read_requirements(folder), folder)


def contents(folder):
    """Every file of a folder: its mode, and the digest of its bytes."""
    return {
        path.relative_to(folder).as_posix(): (oct(path.stat().st_mode), path.is_file() and path.read_bytes())
        for path in (folder, *folder.rglob("*"))
    }


@pytest.mark.usefixtures("cache")
def test_bundle_when_first_built_then_a_lock_is_made_which_later_builds_keep(folder):
    """A newer version is there later; what was resolved is what is deployed, until somebody says otherwise."""
    (folder / "requirements.txt").write_text("--find-links wheels\nherd<2\n")
    first = workflow_bundle(folder, LAMBDA).build()
    text = (folder / LOCK).read_text()
    assert versions(text)["herd"] == "1"
    assert versions(text)[OWN_PACKAGE] == versions(own_lock())[OWN_PACKAGE]
    assert all(package.hashes for package in packages_of(text))
    assert workflow_bundle(folder, LAMBDA).build() == first
    assert (folder / LOCK).read_text() == text


@pytest.mark.usefixtures("cache")
def test_lock_when_made_again_then_versions_stay_unless_upgraded(folder):
    """What else is required does not move what is there."""
    (folder / "requirements.txt").write_text("--find-links wheels\nherd<2\n")
    packages(folder).make_lock()
    (folder / "requirements.txt").write_text("--find-links wheels\nherd\nsix\n")
    assert versions(packages(folder).make_lock())["herd"] == "1"
    assert versions(packages(folder).make_lock(upgrade=True))["herd"] == "2"


@pytest.mark.usefixtures("cache")
def test_digest_when_the_lock_is_another_then_it_changes_and_a_comment_changes_nothing(folder):
    """What decides the content is the lock, not how the file that it came from is written."""
    bundle = workflow_bundle(folder, LAMBDA)
    unlocked, locked = bundle.digest, bundle.locked().digest
    assert unlocked != locked
    (folder / "requirements.txt").write_text("# cattle\n\n--find-links wheels\nherd\n")
    assert workflow_bundle(folder, LAMBDA).digest == locked
    text = (folder / LOCK).read_text()
    (folder / LOCK).write_text(text.replace("sha256:", "sha256:0", 1))
    assert workflow_bundle(folder, LAMBDA).digest != locked


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize(
    ("change", "platform", "message"),
    [
        (lambda folder: (folder / "requirements.txt").write_text("herd==1"), LAMBDA, "does not fit"),
        (lambda folder: (folder / "overrides.txt").write_text("herd==1"), LAMBDA, "does not fit"),
        (lambda folder: (folder / "wheels" / "herd-1-py3-none-any.whl").write_bytes(b"x"), LAMBDA, "does not fit"),
        (lambda folder: (folder / LOCK).write_bytes(b"\xff\xfe<<<<"), LAMBDA, "no lock"),
        (lambda _: None, replace(LAMBDA, architecture="arm64"), "is not for aarch64.*found: x86_64"),
        (lambda _: None, replace(LAMBDA, python_version="3.12"), r"is not for x86_64-manylinux_2_28-3\.12"),
    ],
)
def test_lock_when_it_does_not_fit_any_more_then_it_is_refused_with_the_command(folder, change, platform, message):
    """Found at synth, without asking an index; a lock is never changed behind its owner's back."""
    packages(folder).make_lock()
    before = (folder / LOCK).read_bytes()
    change(folder)
    with pytest.raises(InvalidInputError, match=rf"(?s){message}.*caribou lock flow"):
        assert workflow_bundle(folder, platform).digest
    assert (folder / LOCK).read_bytes() in {before, b"\xff\xfe<<<<"}


@pytest.mark.usefixtures("cache")
def test_lock_when_built_for_this_machine_then_it_takes_the_locks_versions_and_leaves_the_file(folder):
    """A local cloud has other wheels, and need not wait for a lock that fits while one tries things."""
    (folder / "requirements.txt").write_text("--find-links wheels\nherd<2\n")
    packages(folder).make_lock()
    before = (folder / LOCK).read_bytes()
    (folder / "requirements.txt").write_text("--find-links wheels\nherd\n")
    assert workflow_bundle(folder, HOST).build().joinpath("herd", "__init__.py").read_text() == "VERSION = '1'\n"
    assert (folder / LOCK).read_bytes() == before


def test_bundle_when_built_twice_then_bytes_and_modes_are_the_same_whatever_is_around(folder, tmp_path, monkeypatch):
    """Another umask, another day, other caches, another place, and settings of uv's in files and variables."""
    monkeypatch.setenv("CARIBOU_CACHE_DIR", str(tmp_path / "one"))
    (folder / "bin").mkdir()
    (folder / "bin" / "hello").write_text("#!/bin/sh\necho hello\n")
    (folder / "bin" / "hello").chmod(0o755)
    packages(folder).make_lock()
    first = workflow_bundle(folder, LAMBDA)
    one = contents(first.build())

    elsewhere = tmp_path / "elsewhere" / "flow"
    shutil.copytree(folder, elsewhere)
    for path in elsewhere.rglob("*"):
        os.utime(path, (1, 1))
    (elsewhere / "uv.toml").write_text("constraint-dependencies = []\nlink-mode = 'symlink'\n")
    (elsewhere / "uv.toml").rename(tmp_path / "elsewhere" / "uv.toml")
    (tmp_path / "limit.txt").write_text("herd==1\n")
    monkeypatch.setenv("UV_CONSTRAINT", str(tmp_path / "limit.txt"))
    monkeypatch.setenv("UV_COMPILE_BYTECODE", "1")
    monkeypatch.setenv("CARIBOU_CACHE_DIR", str(tmp_path / "two"))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    before = os.umask(0o077)
    try:
        second = workflow_bundle(elsewhere, LAMBDA)
        two = contents(second.build())
    finally:
        os.umask(before)
    assert first.digest == second.digest
    assert one == two
    assert one["bin/hello"][0] == one["bin/count"][0] == oct(0o100755)
    assert one["app.py"][0] == one["herd/__init__.py"][0] == one["caribou/runtime/handler.py"][0] == oct(0o100644)
    assert one["."][0] == one["caribou/runtime"][0] == oct(0o40755)
    assert "bin/run" not in one  # its first line would name this machine's Python
    assert not [name for name in one if name.endswith((".lock", "direct_url.json", "uv_cache.json"))]


@pytest.mark.usefixtures("cache")
def test_bundle_when_users_files_are_written_then_uvs_cache_is_untouched(folder, tmp_path, monkeypatch):
    """Uv links what it installs to its cache by default: writing there would reach every project of the machine."""
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    (folder / "herd-2.dist-info").mkdir()
    (folder / "more").mkdir()
    (folder / "more" / "x.txt").write_text("x")
    built = workflow_bundle(folder, LAMBDA).build()
    links = [path for path in built.rglob("*") if path.is_file() and path.stat().st_nlink > 1]
    assert links == []
    digests = {hashlib.sha256(path.read_bytes()).hexdigest() for path in (tmp_path / "uv").rglob("*.py")}
    for path in built.rglob("*.py"):
        path.write_text("changed")
    assert {hashlib.sha256(path.read_bytes()).hexdigest() for path in (tmp_path / "uv").rglob("*.py")} == digests


@pytest.mark.usefixtures("cache")
def test_lock_when_hashes_of_a_requirement_are_given_then_only_those_are_taken(folder):
    """A lock made out of the index alone would trust whatever the index has on that day."""
    digest = hashlib.sha256((folder / "wheels" / "herd-2-py3-none-any.whl").read_bytes()).hexdigest()
    (folder / "requirements.txt").write_text(f"--find-links wheels\nherd==2 --hash=sha256:{digest}\n")
    assert f"sha256:{digest}" in packages(folder).make_lock()
    (folder / "requirements.txt").write_text(f"--find-links wheels\nherd==2 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(InvalidInputError, match=r"requirements\.txt:2: allows other hashes than the package has"):
        packages(folder).make_lock()


@pytest.mark.usefixtures("cache")
def test_bundle_when_a_package_has_another_hash_than_the_lock_then_it_is_refused(folder):
    """The same version with other content, from another index or another day, is never deployed."""
    bundle = workflow_bundle(folder, LAMBDA).locked()
    wrong = bundle.lock.replace(packages_of(bundle.lock)[1].hashes[0], "sha256:" + "1" * 64)
    with pytest.raises(InvalidInputError, match=r"(?s)names hashes that a package does not have.*caribou lock"):
        replace(bundle, lock=wrong).build()


@pytest.mark.usefixtures("cache")
def test_lock_when_caribous_own_package_is_pinned_elsewhere_then_says_whose_pin_it_meets_and_overrides_help(folder):
    """Most users of Powertools pin it."""
    (folder / "requirements.txt").write_text(f"six\n{OWN_PACKAGE}==3.4.0\n")
    with pytest.raises(InvalidInputError, match=r"(?s)requirements\.txt:2.*is Caribou's own.*overrides\.txt") as caught:
        packages(folder).make_lock()
    assert caught.value.exit_code == 2
    (folder / "overrides.txt").write_text(f"{OWN_PACKAGE}==3.4.0\n")
    assert versions(packages(folder).make_lock())[OWN_PACKAGE] == "3.4.0"


@pytest.mark.usefixtures("cache")
def test_lock_when_requirements_meet_each_other_then_uv_says_which(folder, monkeypatch):
    """A mistake of the user's, with exit code 2; an index that is silent is not."""
    (folder / "requirements.txt").write_text("--find-links wheels\nherd==1\nherd==2\n")
    with pytest.raises(InvalidInputError, match=r"(?s)herd==1 and.*herd==2"):
        packages(folder).make_lock()
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    (folder / "requirements.txt").write_text("--index-url http://127.0.0.1:9/simple\nherd==1\n")
    with pytest.raises(OperationFailedError, match="can't be resolved"):
        packages(folder).make_lock()


def test_environment_when_uv_is_run_then_only_where_packages_come_from_is_the_users():
    """Indexes, their credentials and how they are reached; a lock's hashes hold whatever the way."""
    kept = {"UV_INDEX_URL": "a", "UV_INDEX_PRIVATE_PASSWORD": "b", "UV_CACHE_DIR": "c", "UV_OFFLINE": "1", "PATH": "p"}
    gone = {"UV_CONSTRAINT": "a", "UV_OVERRIDE": "b", "UV_PRERELEASE": "c", "UV_PYTHON": "d", "UV_LINK_MODE": "e"}
    assert environment_of(kept | gone) == kept


def test_own_lock_when_compared_with_the_project_then_it_is_what_is_tested_here():
    """Functions get the versions that the tests of the runtime ran with."""
    here = {package["name"]: package["version"] for package in tomllib.loads((ROOT / "uv.lock").read_text())["package"]}
    assert {name: here[name] for name in versions(own_lock())} == versions(own_lock())
    assert all(package.hashes for package in packages_of(own_lock()))


@pytest.mark.parametrize("name", WORKFLOWS)
def test_lock_of_a_benchmark_workflow_when_read_then_it_fits(name):
    """They are committed, and synth takes them without asking an index."""
    assert packages(ROOT / "workflows" / name).known_lock()
