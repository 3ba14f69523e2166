"""The benchmark workflows on the local cloud, whole: at home and split over three regions, by the one command.

Two are run always, the others if their folder is not the one that was last seen: see docs/benchmark-workflows.md.
"""

import subprocess
import sys

import pytest
from builders import ROOT
from scripts import script
from waiting import BACKSTOP_S

SCRIPT = ROOT / "benchmarks" / "workflows.py"
ALWAYS = ("map_reduce", "text_2_speech_censoring")
LAMBDA_BYTES = 250 * 1024 * 1024  # AWS Lambda quotas: function code and layers, unpacked
REMEDY = "uv run benchmarks/workflows.py --write"


FOLDERS = {name: ROOT / "workflows" / name for name in script("workflows").NINE}
NOTED = script("workflows").noted()


@pytest.mark.slow
@pytest.mark.local_cloud
def test_workflows_when_split_over_three_regions_then_each_leaves_the_same_as_at_home():
    """The command says so, and fails otherwise. Its cloud enforces IAM, so that their policies are enough, too."""
    digest_of = script("workflows").digest_of
    changed = [name for name, f in FOLDERS.items() if name not in NOTED or NOTED[name].digest != digest_of(f)]
    names = sorted({*ALWAYS, *changed})
    limit_s = BACKSTOP_S * len(names)
    done = subprocess.run(
        [sys.executable, SCRIPT, *names], capture_output=True, text=True, timeout=limit_s, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert [name for name in names if f"{name}: equal outputs at home and in " not in done.stdout] == []


def test_noted_when_compared_with_the_folder_then_has_each_workflow():
    """What was seen is written down for all nine, and the page shows it."""
    assert set(NOTED) == set(FOLDERS), REMEDY
    assert script("workflows").table(NOTED) in script("workflows").PAGE.read_text(), REMEDY


@pytest.mark.parametrize("name", sorted(NOTED))
def test_noted_when_read_then_the_bundles_fit_into_lambda_for_both_architectures(name):
    """A bundle is built and measured for each architecture whenever its workflow is run whole."""
    sizes = NOTED[name].bundle_bytes
    assert set(sizes) == {"x86_64", "arm64"}
    assert max(sizes.values()) < LAMBDA_BYTES


@pytest.mark.parametrize("name", sorted(NOTED))
def test_noted_when_read_then_the_split_was_over_three_regions_or_as_many_as_it_has_nodes(name):
    """A workflow of one node can be elsewhere only."""
    assert len(NOTED[name].regions) == min(3, NOTED[name].nodes)
    assert NOTED[name].away_bytes > 0
