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
from caribou.constructs.bundle import Bundle, Platform, requirements_of, workflow_files
from caribou.model.errors import InvalidInputError, OperationFailedError

LAMBDA = Platform("x86_64", "3.13", host=False)
FILES = {"app.py": b"workflow = None\n", "caribou_bundle/__init__.py": b"", "caribou_bundle/workflow.json": b"{}"}
BASE = Bundle(files=FILES, handlers=("caribou.runtime.handler.handle",), requirements=(), platform=LAMBDA)
SHOW_MODULES = """
import json, caribou.runtime.handler
print(json.dumps({name: getattr(module, "__file__", None) for name, module in sys.modules.items()}))
"""


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of Caribou's; uv's own stays, so nothing is downloaded twice."""
    monkeypatch.setenv("CARIBOU_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def folder(tmp_path):
    """A workflow's folder with all that a project keeps there."""
    names = ["app.py", "steps/resize.py", "data/names.txt", "requirements.txt", "README.md", "steps/notes.rst"]
    names += ["samples/input.json", "tests/test_app.py", "__pycache__/app.pyc", "steps/__pycache__/resize.cpython.pyc"]
    names += [".caribou/config.yml", ".caribou/placement.json", ".env", ".venv/lib/x.py", "steps/.cache"]
    for name in names:
        path = tmp_path / "workflow" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path / "workflow"


def test_workflow_files_when_the_folder_has_more_than_code_then_only_code_is_taken(folder):
    """No README, sample, test, cache, dot file or placement is part of the code; data files are."""
    assert set(workflow_files(folder)) == {"app.py", "steps/resize.py", "data/names.txt"}


def test_digest_when_what_is_not_code_changes_then_it_stays(folder):
    """Writing a README or committing a placement deploys nothing."""
    before = replace(BASE, files=workflow_files(folder)).digest
    for name in ("README.md", "samples/input.json", ".caribou/placement.json", "tests/test_app.py"):
        (folder / name).write_text("changed")
    assert replace(BASE, files=workflow_files(folder)).digest == before
    (folder / "data" / "names.txt").write_text("changed")
    assert replace(BASE, files=workflow_files(folder)).digest != before


@pytest.mark.parametrize(
    "change",
    [
        {"files": {**FILES, "app.py": b"workflow = 1\n"}},
        {"files": {**FILES, "more.py": b""}},
        {"requirements": ("pillow==12.0.0",)},
        {"overrides": ("pillow==12.0.0",)},
        {"platform": replace(LAMBDA, architecture="arm64")},
        {"platform": replace(LAMBDA, python_version="3.12")},
        {"platform": replace(LAMBDA, host=True)},
        {"handlers": ("caribou.runtime.sweeper.handle",)},
        {"data": ("caribou.collectors.sources.data",)},
    ],
    ids=str,
)
def test_digest_when_what_decides_the_content_changes_then_it_changes(change):
    """Files, requirements, platform, Python and what runs of Caribou are all part of it."""
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


def test_requirements_when_the_file_has_comments_then_only_requirements_are_lines(tmp_path):
    """Comments and empty lines do not change a bundle; no file means no requirements."""
    assert requirements_of(tmp_path) == ()
    (tmp_path / "requirements.txt").write_text("# pictures\npillow==12.0.0  # pinned\n\na @ file:///a.whl#sha256=0f\n")
    assert requirements_of(tmp_path) == ("pillow==12.0.0", "a @ file:///a.whl#sha256=0f")


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("architecture", ["x86_64", "arm64"])
def test_build_when_for_lambda_then_packages_are_its_processors_and_ours_are_bare(architecture):
    """Wheels are Lambda's, whatever this machine is; model.schema and pydantic stay out."""
    platform = Platform(architecture, "3.13", host=False)
    built = replace(BASE, requirements=("markupsafe==3.0.2",), platform=platform).build()
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
    assert (folder / "app.py").read_bytes() == FILES["app.py"]
    assert [path.name for path in (cache / "bundles").iterdir()] == [BASE.digest]


def test_build_when_it_is_there_then_nothing_is_installed(cache, monkeypatch):
    """The cache is by content: what was built is taken as it is."""
    folder = cache / "bundles" / BASE.digest
    folder.mkdir(parents=True)
    monkeypatch.setattr(bundle_module.uv, "find_uv_bin", lambda: pytest.fail("uv was started"))
    assert BASE.build() == folder


def test_build_when_a_requirement_cannot_be_installed_then_nothing_half_made_stays(cache):
    """A failed installation says what uv said, and leaves the cache as it was."""
    wrong = replace(BASE, requirements=("./no-such-folder-here",))
    with pytest.raises(OperationFailedError, match="no-such-folder-here"):
        wrong.build()
    assert not list((cache / "bundles").iterdir())


@pytest.mark.usefixtures("cache")
def test_build_when_deployed_alone_then_the_runtime_imports_with_only_boto3_beside_it(tmp_path):
    """What Lambda has is the bundle and boto3: nothing of this project's environment is needed."""
    built = replace(BASE, platform=replace(LAMBDA, host=True)).build()
    beside = tmp_path / "lambda"
    beside.mkdir()
    for name in ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six.py"):
        (beside / name).symlink_to(Path(boto3.__file__).parents[1] / name)
    script = f"import sys; sys.path[:0] = [{str(built)!r}, {str(beside)!r}]; {SHOW_MODULES}"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    modules = json.loads(done.stdout)
    assert modules["caribou.runtime.handler"].startswith(str(built))
    assert {"aws_lambda_powertools", "boto3"} < set(modules)
    assert not {"pydantic", "yaml", "numpy", "aws_cdk", "caribou.model.schema"} & set(modules)


@pytest.mark.usefixtures("cache")
def test_bundle_when_an_override_takes_a_requirement_out_then_it_is_not_installed():
    """A package may ask for what its user does without: jinja2 asks for markupsafe."""
    platform = replace(LAMBDA, host=True)
    bundle = replace(BASE, requirements=("jinja2==3.1.6",), platform=platform)
    without = replace(bundle, overrides=("markupsafe; python_version < '3'",)).build()
    assert (without / "jinja2").is_dir()
    assert not (without / "markupsafe").exists()
    assert (bundle.build() / "markupsafe").is_dir()


def test_build_when_it_is_larger_than_lambda_takes_then_names_the_largest_parts_and_keeps_nothing(cache, monkeypatch):
    """Found at synth, not by CloudFormation minutes later."""
    monkeypatch.setattr(bundle_module, "MAX_BUNDLE_BYTES", 3 << 20)
    files = {**FILES, "large.bin": bytes(2 << 20), "data/larger.bin": bytes(5 << 20)}
    with pytest.raises(InvalidInputError, match=r"11 MB: data 5 MB, .*, large\.bin 2 MB") as caught:
        replace(BASE, files=files).build()
    assert caught.value.exit_code == 2
    assert not [path for path in (cache / "bundles").iterdir() if path.name != "empty"]
