"""The scripts in benchmarks/ keep up with what they measure."""

import pytest
from builders import ROOT
from observed_rows import as_observed
from problem_instances import HOME
from scripts import script

from caribou.model.metric import Metric
from caribou.model.schema.problem_file import parse_problem

SCRIPTS = sorted(path.stem for path in (ROOT / "benchmarks").glob("*.py"))


@pytest.fixture(autouse=True)
def _beside_each_other(monkeypatch):
    """They import one another."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))


@pytest.mark.parametrize("name", SCRIPTS)
def test_benchmark_when_loaded_then_all_that_it_uses_is_there(name):
    """Nothing else notices when what a script imports is renamed."""
    assert script(name).__doc__


def test_solver_benchmark_when_runs_are_observed_then_its_hour_has_all_intervals():
    """Of each metric, and of its change."""
    solver = script("solver")
    problem = parse_problem(as_observed(solver.generated(1, 3, 3), 20, bucket=HOME))
    evaluation = solver._with_intervals(problem)
    for metric in Metric:
        low, high = evaluation.placed[metric].ci95
        assert low < evaluation.placed[metric].mean < high
        assert len(evaluation.changes[metric].mean) == 2


@pytest.mark.slow
def test_log_collection_when_there_are_four_times_as_many_records_then_it_takes_no_more_memory(tmp_path):
    """Beyond those that are kept: the newest 5,000 runs of two nodes."""
    benchmark = script("log_collection")
    shape = benchmark.SHAPES[-1]
    few, many = (benchmark.measured(tmp_path, shape, count) for count in (30_000, 120_000))
    assert many.peak_mb < 1.1 * few.peak_mb
    assert many.runs == few.runs
