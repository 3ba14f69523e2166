"""docs/existing-cdk-app.md, done as it stands: with the real CDK CLI, in an app that has a stack of its own."""

import json
from pathlib import Path

import pytest
from followed_docs import Reader, blocks_of

DOCS = Path(__file__).parents[2] / "docs" / "existing-cdk-app.md"


@pytest.mark.slow
def test_existing_app_when_the_page_is_followed_then_everything_comes_out_as_it_says(tmp_path):
    """Every block: files, changes, commands and what they print."""
    reader = Reader(tmp_path)
    for block in blocks_of(DOCS.read_text(encoding="utf-8")):
        reader.do(block)
    policy = json.loads((tmp_path / "key-policy.json").read_text())
    assert len(policy["Statement"]) == 4
