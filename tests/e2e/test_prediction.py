"""Distance, from the calls of functions on the local cloud to the run time that the model says."""

import pytest
from scripts import script

from caribou.model.project.workflow import read_workflow

PAIRS = 20
"""Of runs at home and placed."""
FAR_OFF = 0.35
"""A share of what distance adds: 1 if the model, or the cloud, left distance out, or counted it twice. Below that is
room for so few runs, which draw how long their nodes take."""
REPETITIONS = 5
"""At most: what another one's work adds to some runs alone, on a busy machine, is no distance."""


def test_workflow_when_read_then_as_many_runs_stay_home_as_are_named_to():
    """The benchmark names runs by the share that its manifest has."""
    prediction = script("prediction")
    assert read_workflow(prediction.FOLDER).manifest.runs.home_share == prediction.HOME_SHARE


@pytest.mark.slow
@pytest.mark.local_cloud
def test_placement_over_three_regions_when_run_then_distance_adds_what_the_model_says_by_runs_at_home():
    """Mean and 95th percentile, in a local cloud whose regions are as far apart as AWS's."""
    prediction, seen = script("prediction"), []

    def is_near(figure, at_home):
        return figure.predicted - at_home == pytest.approx(figure.measured - at_home, rel=FAR_OFF)

    with prediction.deployed("leaf_away") as own:
        for _ in range(REPETITIONS):
            found = prediction.Repetition(own.workflow, own.regions, own.pairs(PAIRS))
            assert len(found.home) == len(found.placed) == PAIRS
            if is_near(found.mean, found.home.mean()) and is_near(found.tail, prediction.tail_of(found.home)):
                return
            seen.append(str(found))
    pytest.fail("\n".join(seen))
