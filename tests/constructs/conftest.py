"""Stacks to build constructs in, without an app of ours around them; caches; packages to install."""

import zipfile

import pytest
from aws_cdk import App, Environment, Stack
from aws_cdk.assertions import Template


@pytest.fixture
def stack(tmp_path):
    """An empty stack in us-east-1; nothing is bundled."""
    app = App(
        outdir=str(tmp_path / "cdk.out"),
        builtin_cloud_formation_validation=False,  # slow, and tests/stacks has it
        context={"aws:cdk:bundling-stacks": [], "@aws-cdk/aws-iam:minimizePolicies": True},
    )
    return Stack(app, "Stack", env=Environment(region="us-east-1"))


@pytest.fixture
def resources():
    """The resources of a type in a stack's template."""

    def resources_of(stack, kind):
        return list(Template.from_stack(stack).find_resources(kind).values())

    return resources_of


@pytest.fixture
def empty(tmp_path):
    """An empty folder."""
    folder = tmp_path / "empty"
    folder.mkdir()
    return folder


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of Caribou's; uv's own stays, so nothing is downloaded twice."""
    monkeypatch.setenv("CARIBOU_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def wheel():
    """Write a wheel into a folder: `files` by their paths in it, `scripts` to be installed as programs."""

    def write(folder, name, version="1", *, files=None, scripts=None):
        folder.mkdir(parents=True, exist_ok=True)
        information = f"{name}-{version}.dist-info"
        members = {f"{name}/__init__.py": f"VERSION = {version!r}\n"} if files is None else dict(files)
        members |= {f"{name}-{version}.data/scripts/{script}": text for script, text in (scripts or {}).items()}
        head = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        members |= {f"{information}/METADATA": head}
        members |= {f"{information}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
        members |= {f"{information}/RECORD": "".join(f"{path},,\n" for path in [*members, f"{information}/RECORD"])}
        path = folder / f"{name}-{version}-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as archive:
            for member, text in members.items():
                archive.writestr(zipfile.ZipInfo(member), text)
        return path

    return write
