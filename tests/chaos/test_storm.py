"""Nothing is lost and nothing fires twice, whatever goes wrong."""

import os
import random
import sys

import pytest
from storm import Campaign

pytestmark = [pytest.mark.local_cloud, pytest.mark.slow]


def test_storm_when_everything_goes_wrong_then_no_run_is_lost_and_no_sync_node_fires_twice(calm):
    """The short form of the storm; CARIBOU_CHAOS_RUNS makes it longer, CARIBOU_CHAOS_SEED the same again."""
    runs = int(os.environ.get("CARIBOU_CHAOS_RUNS", "20"))
    seed = int(os.environ.get("CARIBOU_CHAOS_SEED", random.SystemRandom().randrange(10**6)))
    campaign = Campaign(calm.project, calm.proxy, seed, runs)
    calm.proxy.observe(campaign.observe)
    try:
        report = campaign.run()
    finally:
        calm.proxy.observe(None)

    sys.stdout.write(report.to_text())
    assert report.started == runs
    assert (report.lost, report.double_fired, report.wrong) == ([], [], [])
    assert report.succeeded + report.failed_as_expected + report.failed_by_kills == runs
