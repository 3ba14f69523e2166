"""A storm of forged messages: no run is given another's payload, runs twice what runs once, or hangs."""

import os

import pytest
from forgeries import ForgeryStorm

SEEDS = int(os.environ.get("CARIBOU_FORGED_SEEDS", "2"))


@pytest.mark.parametrize("seed", range(SEEDS))
def test_runs_when_a_forger_sends_what_receivers_withstand_then_none_notices(seed):
    """200 runs and 150 forgeries: all succeed, each node once, on its own run's payloads; see docs/chaos.md."""
    storm = ForgeryStorm(seed, runs=200, forgeries=150).play()
    assert len(storm.forged_runs) > 20
    assert storm.world.cloud.failures.events
