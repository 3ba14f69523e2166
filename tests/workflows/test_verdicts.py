"""What the model says of recorded runs of the samples at home: benchmarks/recorded/, made by benchmarks/verdicts.py."""

import pytest
from builders import ROOT, record_of
from scripts import script

from caribou.model.project.workflow import read_workflow
from caribou.model.run.record import EndpointRecord, Outcome, SuccessorRecord
from caribou.model.verdict import Verdict

NA4 = ("us-east-1", "us-west-1", "us-west-2", "ca-central-1")
"""The regions of the reference system's paper."""
REMEDY = "uv run benchmarks/verdicts.py --write"


@pytest.fixture(scope="session")
def judged():
    """`judged(workflow, sample, regions)`: the verdict on an input; `regions` in the place of the manifest's."""
    return lambda workflow, sample, regions=None: script("verdicts").judged(
        read_workflow(ROOT / "workflows" / workflow), sample, regions
    )


def savings(row, intensity, energies):
    """What is saved at a corner, and its interval."""
    (corner,) = (
        corner
        for corner in row.found["corners"]
        if (corner["intensity"], corner["transmission_kwh_per_gb"], corner["intra_region_kwh_per_gb"])
        == (intensity, *energies)
    )
    return corner["saving"], corner["ci95"]


def test_demos_input_when_solved_then_saves_at_six_corners(judged):
    """What the demo moves, with intervals clear of zero, and data far from turning it."""
    row = judged("image_processing", "input.json")
    assert row.moves
    assert row.found["verdict"] == Verdict.SAVES
    assert len(row.found["corners"]) == 6
    assert all(corner["ci95"][0] > 0 for corner in row.found["corners"])
    assert row.found["break_even_kwh_per_gb"] > 0.005


def test_light_input_when_solved_then_stays_home_because_of_its_data(judged):
    """Moved, it would lose at the worst energy of data, by more than by marginal intensity with the least."""
    row = judged("image_processing", "input_light.json")
    assert not row.moves
    assert row.found["verdict"] != Verdict.SAVES
    assert row.found["break_even_kwh_per_gb"] is None or row.found["break_even_kwh_per_gb"] < 0.001
    assert savings(row, "average", (0.005, 0.0))[1][1] < 0


def test_map_reduce_when_its_regions_are_those_of_the_paper_then_its_sign_depends(judged):
    """By average intensity and at 0.001 kWh/GB it saves most of its carbon; at 0.005 by marginal intensity it loses."""
    row = judged("map_reduce", "input.json", NA4)
    assert row.moves
    assert row.found["verdict"] == Verdict.DEPENDS
    assert savings(row, "average", (0.001, 0.0))[1][0] > 0.3
    assert savings(row, "marginal", (0.005, 0.0))[1][1] < 0


def test_tables_when_made_again_of_the_recorded_runs_then_are_those_of_the_pages():
    """A change of the model that changes what is said of a workflow is seen here."""
    verdicts = script("verdicts")
    for path, text in verdicts.pages(list(verdicts.all_judged())).items():
        assert text in path.read_text(encoding="utf-8"), f"{path}: {REMEDY}"


def test_recorded_when_compared_with_the_benchmarks_then_there_are_runs_of_each_sample():
    """Each sample input has a verdict."""
    verdicts = script("verdicts")
    samples = [
        (name, path.name)
        for name in script("workflows").NINE
        for path in (ROOT / "workflows" / name / "samples").glob("input*.json")
    ]
    assert [sample for sample in samples if not verdicts.path_of(*sample).exists()] == []


def test_alone_when_a_function_waited_for_a_core_then_that_is_taken_out():
    """What is left is CPU time, calls of endpoints and sends; a start is as much shorter as its import is."""
    bucket = EndpointRecord("s3", "us-east-1", "", 2, 2, 10, 10, 0.5, 0.4)
    sent = SuccessorRecord("a#0", "b", "us-east-1", Outcome.SENT, 10, offset_s=8.0, seconds=0.1)
    start = {"init_s": 3.0, "import_s": 2.0, "import_cpu_s": 1.0}
    waited = record_of("a", duration_s=10.0, cpu_s=1.5, external=(bucket,), successors=(sent,), **start)
    alone = script("verdicts").alone(waited)
    assert (alone.duration_s, alone.init_s) == (pytest.approx(2.0), pytest.approx(1.5))
    assert alone.successors[0].offset_s == pytest.approx(1.6)


def test_alone_when_a_function_waited_for_nothing_then_is_as_it_was():
    """CPU time of two threads may be longer than the duration."""
    record = record_of("a", duration_s=1.0, cpu_s=1.8)
    assert script("verdicts").alone(record) == record
