"""A workflow's folder as anybody may have written it: source, requirements, lock, policy, manifest in YAML."""

import json

import pytest
from deployed_world import HOME, MANIFEST, SOURCE, written_workflow
from hostile import fuzzed, hostile_json, hostile_text, value_or_error
from hypothesis import example, given
from hypothesis import strategies as st

from caribou.constructs.bundling.lock import LOCK, Packages
from caribou.constructs.bundling.lock_text import packages_of
from caribou.constructs.bundling.requirements import read_requirements
from caribou.constructs.bundling.target_platform import Platform
from caribou.constructs.bundling.user_imports import check_imports
from caribou.model.schema.iam_policy import read_iam_policy
from caribou.model.schema.manifest import read_manifest
from caribou.model.source.derive import check_grammar, derive_graph

CALLS = SOURCE.format(name="example", version="0.0.1")
PYTHON = (
    *("break", "return", "global last", "nonlocal last", "await x", "yield", "async ", "del first", "import *", "0x"),
    *("workflow.invoke_serverless_function(last, event)", "workflow.get_predecessor_data()", "workflow = None", "@x"),
    *("for last in ():", "with suppress(Exception):", "if event:", "try:", "class A:", "def last(event):", "lambda: "),
    *(
        "from app import *",
        "from .x import y",
        "import app",
        f"import {'m' * 3000}",
        "last = last",
        "last: int",
        "match event:",
        "**",
        ":=",
    ),
    *(
        "-" * 5000,
        "not " * 5000,
        "a." * 5000 + "b",
        "x" + "[0]" * 5000,
        "x" + "()" * 5000,
        "1_",
        f"import {'m' * 3000}",
        "'\\N{x}'",
    ),
)
REQUIREMENTS = """\
# what the functions need
idna==3.10 --hash=sha256:0123
-r more.txt
--find-links ./wheels
requests[socks] >= 2 ; python_version > "3.8"
./wheels/some-1.0-py3-none-any.whl
"""
LINE_PARTS = (
    *(
        "-r more.txt",
        "-r requirements.txt",
        "-c ../../x.txt",
        "-r /dev/zero",
        "-r .",
        "-e .",
        "./lib",
        "git+https://x/y",
    ),
    *("https://[::1", "http://[x/y.whl", "file:///etc/passwd.whl", "x @ ", "@", "--hash=sha256:", "--hash md5:0", "-"),
    *("--index-url", "--pre", "--no-index", "-f .", "-f ..", "%00.whl", "./" + "w" * 3000 + ".whl", "-r " + "w" * 3000),
    *("wheels/%2e%2e/%2e%2e/x.whl", "\\", "x[", ";", "===", "x==1 \\"),
)
LOCKED = """\
# for: x86_64-manylinux_2_28-3.13
# from: {source}
idna==3.10 \\
    --hash=sha256:0123 \\
    --hash=sha256:4567
./wheels/some-1.0-py3-none-any.whl \\
    --hash=sha256:89ab
"""
PLATFORM = Platform("x86_64", "3.13", host=False)
YAML = MANIFEST.format(name="example", version="0.0.1", home=HOME)
YAML_PARTS = ("&a [*a]", "*a", "!!python/object:os.system x", "? {a: b}", "<<: *a", "010", "1:30", "~: 1", "- - - -")
POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "one",
            "Effect": "Allow",
            "Action": ["s3:GetObject"],
            "Resource": "*",
            "Condition": {
                "StringEquals": {"aws:PrincipalTag/a": ["b"]},
                "Bool": {"aws:SecureTransport": True},
            },
        },
        {"Effect": "Deny", "NotAction": "s3:GetObject", "NotResource": ["arn:aws:s3:::a/*"]},
    ],
}


@pytest.fixture(scope="module")
def workflow(tmp_path_factory):
    """A workflow in a folder, for all inputs."""
    return written_workflow(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder for all inputs of a test."""
    root = tmp_path_factory.mktemp("folder")
    (root / "wheels").mkdir()
    (root / "wheels" / "some-1.0-py3-none-any.whl").write_bytes(b"no wheel")
    (root / "more.txt").write_text("more==1\n")
    return root


def put(path, text):
    """Write a text as it is, halves of characters as bytes that are no UTF-8."""
    path.write_bytes(text.encode("utf-8", "surrogatepass"))


@fuzzed
@given(text=hostile_text(CALLS, PYTHON), version=st.sampled_from(["3.11", "3.13"]))
@example(f"import {'m' * 3000}\n{CALLS}", "3.13")
@example("[" * 100_000, "3.13")
@example(f"{CALLS}\nif {'not ' * 3000}x:\n    pass\n", "3.13")
@example(f"{CALLS}\n{'a.' * 3000}b\n", "3.13")
@example(CALLS.replace('name="example"', f"name={'-' * 3000}1", 1), "3.13")
@example(CALLS.replace('name="example"', f"name={'not ' * 5000!r}", 1), "3.13")
def test_source_when_hostile_then_it_is_a_graph_or_one_error(folder, text, version):
    """Nothing of it is run; what imports it can't meet is found as well."""
    put(folder / "app.py", text)
    graph = value_or_error(lambda: derive_graph(folder))
    value_or_error(lambda: check_grammar(folder, version))
    value_or_error(lambda: check_imports("example", {"app.py": text.encode(errors="replace")}, {"caribou"}))
    assert graph is None or graph.entry.name


@fuzzed
@given(text=hostile_text(REQUIREMENTS, LINE_PARTS), more=hostile_text("more==1\n", LINE_PARTS))
@example("https://[::1/x.whl", "")
@example("-r " + "w" * 3000, "")
@example("[" * 100_000, "")
def test_requirements_when_hostile_then_they_are_kept_or_one_error(folder, text, more):
    """Whatever they name lies in the folder."""
    put(folder / "requirements.txt", text)
    put(folder / "more.txt", more)
    found = value_or_error(lambda: read_requirements(folder))
    if found is not None:
        assert all((folder / path).resolve().is_relative_to(folder.resolve()) for path, _ in found.files)
        assert Packages(PLATFORM, found, folder).source


@fuzzed
@given(text=hostile_text(LOCKED, LINE_PARTS))
@example(f"{LOCKED}-e ../.. --hash=sha256:0")
@example(f"{LOCKED}idna==1")
def test_lock_when_hostile_then_it_is_packages_with_hashes_or_one_error(folder, text):
    """What uv is given to install has names and hashes, and no options."""
    (folder / "requirements.txt").write_text("idna==3.10\n")
    packages = Packages(PLATFORM, read_requirements(folder), folder)
    put(folder / LOCK, text.replace("{source}", packages.source))
    lock = value_or_error(packages.known_lock)
    assert lock is None or all(package.hashes and package.name for package in packages_of(lock))


@fuzzed
@given(text=hostile_json(POLICY))
def test_policy_when_hostile_then_it_is_a_roles_or_one_error(folder, text):
    """What is read is given to CDK as it is."""
    put(folder / "policy.json", text)
    found = value_or_error(lambda: read_iam_policy(folder / "policy.json"))
    assert found is None or all(statement["Effect"] in {"Allow", "Deny"} for statement in found["Statement"])


@fuzzed
@given(
    text=hostile_text(
        YAML, ("&a [*a]", "*a", "!!python/object:os.system x", "? {a: b}", "<<: *a", "010", "1:30", "~: 1")
    )
)
def test_manifest_when_its_yaml_is_hostile_then_it_is_a_value_or_one_error(workflow, text):
    """Anchors, tags, numbers of other bases: what YAML has besides JSON."""
    put(workflow.folder / ".caribou" / "config.yml", text)
    value_or_error(lambda: read_manifest(workflow.folder, workflow.graph))


def test_folder_when_it_is_not_changed_then_it_is_read(folder, workflow):
    """What is fuzzed is right to begin with."""
    for name, text in (("app.py", CALLS), ("requirements.txt", REQUIREMENTS), ("more.txt", "more==1\n")):
        put(folder / name, text)
    put(folder / "policy.json", json.dumps(POLICY))
    assert [node.function for node in derive_graph(folder).nodes] == ["first", "last"]
    requirements = read_requirements(folder)
    assert len(requirements.lines) == 4
    assert read_iam_policy(folder / "policy.json") == POLICY
    packages = Packages(PLATFORM, requirements, folder)
    put(folder / LOCK, LOCKED.replace("{source}", packages.source))
    assert [package.name for package in packages_of(packages.known_lock())] == ["idna", "some"]
    put(workflow.folder / ".caribou" / "config.yml", YAML)
    assert read_manifest(workflow.folder, workflow.graph)
