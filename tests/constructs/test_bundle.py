"""The code bundle: what is part of it, what changes its digest, and that it runs by itself."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import boto3
import pytest

from caribou.constructs import bundle as bundle_module
from caribou.constructs.bundle import Bundle, workflow_bundle
from caribou.constructs.bundling.code_files import CodeFile, workflow_files
from caribou.constructs.bundling.lock import Packages
from caribou.constructs.bundling.target_platform import Platform
from caribou.model.errors import InvalidInputError, OperationFailedError

LAMBDA = Platform("x86_64", "3.13", host=False)
HOST = Platform("x86_64", "3.13", host=True)
FILES = {"app.py": CodeFile(b"workflow = None\n")}
OURS = {"caribou_bundle/__init__.py": b"", "caribou_bundle/workflow.json": b"{}"}
BASE = Bundle(packages=Packages(LAMBDA), handlers=("caribou.runtime.handler.handle",), files=FILES, further=OURS)
SHOW_MODULES = """
import json, caribou.runtime.handler
print(json.dumps({name: getattr(module, "__file__", None) for name, module in sys.modules.items()}))
"""


@pytest.fixture
def folder(tmp_path):
    """A workflow's folder with some data and a requirement."""
    folder = tmp_path / "workflow"
    (folder / "data").mkdir(parents=True)
    (folder / "app.py").write_text("workflow = None\n")
    (folder / "data" / "names.txt").write_text("names")
    return folder


def required(folder, requirements, overrides="", platform=LAMBDA):
    """The bundle of a folder that requires something."""
    (folder / "requirements.txt").write_text(requirements)
    (folder / "overrides.txt").write_text(overrides)
    return workflow_bundle(folder, platform)


def test_digest_when_what_is_not_code_changes_then_it_stays(folder):
    """Writing a README or committing a placement deploys nothing."""
    before = replace(BASE, files=workflow_files(folder)).digest
    for name in ("README.md", "samples/input.json", ".caribou/placement.json", "tests/test_app.py"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("changed")
    assert replace(BASE, files=workflow_files(folder)).digest == before
    (folder / "data" / "names.txt").write_text("changed")
    assert replace(BASE, files=workflow_files(folder)).digest != before


@pytest.mark.parametrize(
    "change",
    [
        {"files": {**FILES, "app.py": CodeFile(b"workflow = 1\n")}},
        {"files": {"app.py": replace(FILES["app.py"], executable=True)}},
        {"files": {**FILES, "more.py": CodeFile(b"")}},
        {"further": {**OURS, "caribou_bundle/workflow.json": b"[]"}},
        {"lock": "pillow==12.0.0 --hash=sha256:00"},
        {"packages": Packages(replace(LAMBDA, architecture="arm64"))},
        {"packages": Packages(replace(LAMBDA, python_version="3.12"))},
        {"packages": Packages(HOST)},
        {"handlers": ("caribou.runtime.sweeper.handle",)},
        {"data": ("caribou.collectors.sources.data",)},
    ],
    ids=str,
)
def test_digest_when_what_decides_the_content_changes_then_it_changes(change):
    """Files and who may execute them, packages, platform, Python and what runs of Caribou are all part of it."""
    assert replace(BASE, **change).digest != BASE.digest


def test_digest_when_our_own_source_changes_then_it_changes(monkeypatch):
    """A new Caribou is a new bundle."""
    before, ours = BASE.digest, bundle_module.own_files
    monkeypatch.setattr(bundle_module, "own_files", lambda *of: {**ours(*of), "caribou/new.py": b""})
    assert BASE.digest != before


def test_digest_when_computed_again_then_it_is_the_same(folder):
    """The order of files does not matter, nor does where the folder lies."""
    moved = folder.rename(folder.with_name("elsewhere"))
    forward = workflow_files(moved)
    backward = dict(reversed(forward.items()))
    assert replace(BASE, files=forward).digest == replace(BASE, files=backward).digest


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://127.0.0.1:4566", True),
        ("http://localhost:4566", True),
        ("https://[::1]:4566", True),
        ("http://127.8.8.8", True),
        ("https://lambda.us-east-1.amazonaws.com", False),
        ("http://10.0.0.7:4566", False),
        ("http://localhost.example.com", False),
        ("127.0.0.1:4566", False),
        ("", False),
    ],
)
def test_platform_when_the_endpoint_is_loopback_then_it_is_this_machines(url, host):
    """Only a local cloud on this machine gets this machine's packages."""
    assert Platform.of_target("x86_64", "3.13", {"AWS_ENDPOINT_URL": url}).host is host
    assert not Platform.of_target("x86_64", "3.13", {}).host


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("architecture", ["x86_64", "arm64"])
def test_build_when_for_lambda_then_packages_are_its_processors_and_ours_are_bare(architecture, folder):
    """Wheels are Lambda's, whatever this machine is; model.schema and pydantic stay out."""
    built = required(folder, "markupsafe==3.0.2", platform=replace(LAMBDA, architecture=architecture)).build()
    (library,) = built.glob("markupsafe/_speedups.*.so")
    assert architecture.replace("arm64", "aarch64") in library.name
    assert "cpython-313" in library.name
    assert (built / "caribou" / "runtime" / "handler.py").is_file()
    assert (built / "caribou" / "model" / "graph.py").is_file()
    names = {path.name for path in built.iterdir()}
    assert not names & {"pydantic", "yaml", "numpy", "boto3", "bin"}
    assert {path.name for path in (built / "caribou").iterdir()} == {"__init__.py", "model", "runtime"}
    assert not (built / "caribou" / "model" / "schema").exists()


def test_build_when_two_do_it_at_once_then_both_have_the_same_whole_bundle(cache):
    """A concurrent build is safe: one wins, the other takes what is there, and no draft stays."""
    with ThreadPoolExecutor(4) as pool:
        built = set(pool.map(lambda _: BASE.build(), range(4)))
    (folder,) = built
    assert (folder / "aws_lambda_powertools").is_dir()
    assert (folder / "app.py").read_bytes() == FILES["app.py"].content
    assert [path.name for path in (cache / "bundles").iterdir()] == [BASE.digest]


def test_build_when_it_is_there_then_nothing_is_installed(cache, monkeypatch):
    """The cache is by content: what was built is taken as it is."""
    folder = cache / "bundles" / BASE.digest
    folder.mkdir(parents=True)
    monkeypatch.setattr(bundle_module, "install", lambda *_, **__: pytest.fail("packages are installed"))
    assert BASE.build() == folder


def test_build_when_a_requirement_cannot_be_installed_then_nothing_half_made_stays(cache):
    """A failed installation says what uv said, and leaves the cache as it was."""
    wrong = replace(BASE, lock="no-such-package-here==1 --hash=sha256:" + "0" * 64)
    with pytest.raises(OperationFailedError, match="no-such-package-here"):
        wrong.build()
    assert not list((cache / "bundles").iterdir())


@pytest.mark.usefixtures("cache")
def test_build_when_deployed_alone_then_the_runtime_imports_with_only_boto3_beside_it(tmp_path):
    """What Lambda has is the bundle and boto3: nothing of this project's environment is needed."""
    built = replace(BASE, packages=Packages(HOST)).build()
    beside = tmp_path / "lambda"
    beside.mkdir()
    for name in ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six.py"):
        (beside / name).symlink_to(Path(boto3.__file__).parents[1] / name)
    script = f"import sys; sys.path[:0] = [{str(built)!r}, {str(beside)!r}]; {SHOW_MODULES}"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    modules = json.loads(done.stdout)
    assert modules["caribou.runtime.handler"].startswith(str(built))
    assert "boto3" in modules
    assert not {"pydantic", "yaml", "numpy", "aws_cdk", "caribou.model.schema"} & set(modules)


@pytest.mark.usefixtures("cache")
def test_bundle_when_an_override_takes_a_requirement_out_then_it_is_not_installed(folder):
    """A package may ask for what its user does without: jinja2 asks for markupsafe."""
    without = required(folder, "jinja2==3.1.6", "markupsafe; python_version < '3'", HOST).build()
    assert (without / "jinja2").is_dir()
    assert not (without / "markupsafe").exists()
    assert (required(folder, "jinja2==3.1.6", platform=HOST).build() / "markupsafe").is_dir()


def test_build_when_it_is_larger_than_lambda_takes_then_names_the_largest_parts_and_keeps_nothing(cache, monkeypatch):
    """Found at synth, not by CloudFormation minutes later."""
    monkeypatch.setattr(bundle_module, "MAX_BUNDLE_BYTES", 3 << 20)
    files = {**FILES, "large.bin": CodeFile(bytes(2 << 20)), "data/larger.bin": CodeFile(bytes(5 << 20))}
    with pytest.raises(InvalidInputError, match=r"11 MB: data 5 MB, .*, large\.bin 2 MB") as caught:
        replace(BASE, files=files).build()
    assert caught.value.exit_code == 2
    assert not [path for path in (cache / "bundles").iterdir() if path.name != "empty"]
