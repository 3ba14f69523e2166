"""How the demo runs a workflow many times; the demo itself is in tests/e2e."""

from caribou.cli.demo import AT_A_TIME, ended_runs


class FakeRuns:
    """Runs that end when they are waited for; how many were open at most."""

    def __init__(self):
        self.open, self.most, self.count = set(), 0, 0

    def start(self, payload):
        """A new run."""
        self.count += 1
        run_id = f"{payload}-{self.count}"
        self.open.add(run_id)
        self.most = max(self.most, len(self.open))
        return run_id

    def wait(self, run_id, *, limit_s):
        """Its end."""
        assert limit_s > 0
        self.open.remove(run_id)
        return run_id


def test_ended_runs_when_many_are_asked_for_then_few_are_open_and_all_end():
    """In the order of their starts; nothing is left open."""
    runs = FakeRuns()
    assert list(ended_runs(runs, "x", 7)) == [f"x-{i}" for i in range(1, 8)]
    assert runs.most == AT_A_TIME
    assert not runs.open


def test_ended_runs_when_fewer_are_asked_for_than_may_be_open_then_all_end():
    """One run is one run."""
    runs = FakeRuns()
    assert list(ended_runs(runs, "x", 1)) == ["x-1"]
    assert not runs.open
