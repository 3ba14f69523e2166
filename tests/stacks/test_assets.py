"""What deploys a function again: an edit of what runs in it, and of nothing else."""

import re
import shutil

import pytest

from caribou.constructs.bundling import own_code
from caribou.constructs.bundling.own_code import caribou_folder
from caribou.stacks.app import add_stacks


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A copy of Caribou's source, which bundles are made of, so that it can be edited."""
    copy = tmp_path / "site-packages" / "caribou"
    shutil.copytree(caribou_folder(), copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(own_code, "caribou_folder", lambda: copy)
    return copy


@pytest.fixture
def hashes(new_app, project, now):
    """Synthesise, and find the hashes of the assets of each stack's functions."""

    def hashes_of():
        app = new_app(placement="west.json")
        add_stacks(app, project, now)
        stacks = app.synth().stacks
        return {stack.id: set(re.findall(r"[0-9a-f]{64}\.zip", str(stack.template))) for stack in stacks}

    return hashes_of


NEVER_THERE = (
    *("model/source/derive.py", "model/project/workflow.py", "model/schema/placement.py"),
    *("runtime/testing/runner.py", "collectors/sources/data/derive.py", "constructs/bundle.py"),
)


def test_assets_when_what_never_runs_in_lambda_is_edited_then_they_stay(source, hashes):
    """A word in a docstring of the DAG's reader deploys nothing."""
    before = hashes()
    for file in NEVER_THERE:
        edit(source / file)
    assert hashes() == before


@pytest.mark.parametrize(
    ("file", "changed"),
    [
        ("runtime/node.py", {"Workflow-city_tour", "Workflow-city_tour-us-west-2"}),
        ("collectors/sources/data/prices.json", {"CaribouControlPlane"}),
        ("model/graph.py", {"Workflow-city_tour", "Workflow-city_tour-us-west-2", "CaribouControlPlane"}),
    ],
)
def test_assets_when_what_runs_in_lambda_is_edited_then_those_change(source, hashes, file, changed):
    """Functions get the edit, and those that do not have that file are left alone."""
    before = hashes()
    edit(source / file)
    after = hashes()
    assert {stack for stack in after if after[stack] != before[stack]} == changed


def edit(path):
    """Change a file's bytes, not what it does."""
    path.write_text(path.read_text().replace("\n", "\n\n", 1))
