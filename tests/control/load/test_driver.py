"""Loads: their arrivals, how they are driven, how they are summed up, and one on the local cloud."""

import io
import itertools
import json
import shutil
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from botocore.exceptions import EndpointConnectionError
from hypothesis import given
from hypothesis import strategies as st
from waiting import BACKSTOP_S

from caribou.cli.console import Terminal
from caribou.cli.load import load_view, rate_per_s
from caribou.cli.main import main
from caribou.control.load.arrivals import MAX_RUNS, Replay, poisson, replayed
from caribou.control.load.driver import LOOK_RUNS, LOOK_S, Load, LoadedRun, Outcome
from caribou.control.load.summary import Spread, percentile, summary_of
from caribou.model.errors import InvalidInputError, OperationFailedError
from caribou.model.run.item import RunState

REPOSITORY = Path(__file__).resolve().parents[3]
HOME, WEST = "us-east-1", "us-west-2"
COUNTS = """HashOwner,HashApp,HashFunction,Trigger,1,2,3
owner1,app1,aaa,queue,2,0,3
owner1,app2,abb,queue,0,1,0
"""


def test_poisson_when_long_then_has_the_rate_and_the_spread_of_chance():
    """Mean and deviation of the times between arrivals are one over the rate; counts vary as much as their mean."""
    times = np.array(poisson(5.0, 4000.0, seed=1))
    gaps = np.diff(times)
    assert len(times) == pytest.approx(20_000, rel=0.03)
    assert gaps.mean() == pytest.approx(0.2, rel=0.03)
    assert gaps.std() == pytest.approx(0.2, rel=0.05)
    counts, _ = np.histogram(times, bins=400, range=(0, 4000))
    assert counts.var() == pytest.approx(counts.mean(), rel=0.3)
    assert 0 < times[0] < times[-1] < 4000


def test_poisson_when_seeded_alike_then_is_the_same():
    """A load can be repeated, and another seed is another load."""
    assert poisson(1.0, 100.0, seed=3) == poisson(1.0, 100.0, seed=3) != poisson(1.0, 100.0, seed=4)


def test_poisson_when_there_would_be_none_or_too_many_then_is_refused():
    """Before anything is started."""
    with pytest.raises(InvalidInputError, match="no run arrives"):
        poisson(0.001, 0.001, seed=1)
    with pytest.raises(InvalidInputError, match=r"more than 50,000 runs.*To fix"):
        poisson(1e6, 1e6, seed=1)


def test_replayed_when_given_offsets_then_has_them_in_order_and_faster():
    """Comments and empty lines are none; what comes after the duration is left out."""
    lines = ["# offsets, in seconds\n", "4\n", "\n", " 1.5 \n", "60\n"]
    assert replayed(lines, Replay("f")) == (1.5, 4.0, 60.0)
    assert replayed(lines, Replay("f", speed=2.0, duration_s=30.0)) == (0.75, 2.0)


def test_replayed_when_given_counts_then_has_so_many_in_each_minute():
    """The row is named by the beginning of any of its names; the same seed gives the same times."""
    replay = Replay("f", row="aa", seed=7)
    times = replayed(io.StringIO(COUNTS), replay)
    assert [int(at // 60) for at in times] == [0, 0, 2, 2, 2]
    assert times == replayed(io.StringIO(COUNTS), replay) != replayed(io.StringIO(COUNTS), Replay("f", row="aa"))
    (alone,) = replayed(io.StringIO(COUNTS), Replay("f", row="app2", speed=60.0))
    assert 1 <= alone < 2
    assert len(replayed(io.StringIO(COUNTS), Replay("f", row="aaa", speed=60.0, duration_s=1.0))) == 2


def test_replayed_when_a_minute_after_the_duration_has_countless_runs_then_does_not_look_at_it():
    """A day's trace is not unfolded for the sake of its first minutes."""
    text = f"name,1,2\nf,3,{10**15}\n"
    assert len(replayed(io.StringIO(text), Replay("f", duration_s=60.0))) == 3
    with pytest.raises(InvalidInputError, match="more than"):
        replayed(io.StringIO(text), Replay("f"))


@pytest.mark.parametrize(
    ("text", "row", "message"),
    [
        ("1\nsoon\n", None, r"f: line 2: is no offset in seconds \(found: soon\)"),
        ("-1\n", None, "is no offset"),
        ("nan\n", None, "is no offset"),
        ("", None, "no run arrives"),
        ("a,b\n1,2\n", None, r"has no columns 1, 2, 3, ….*\(found: a,b\)"),
        (COUNTS, None, "has several rows.*name one with --row"),
        (COUNTS, "a", "has several rows of that name"),
        (COUNTS, "zzz", r"has no row of that name \(found: zzz\)"),
        ("name,1\n", None, "has no row"),
        ("name,1\nf,many\n", None, r"f: minute 1: is no number of runs \(found: many\)"),
        ("name,1\nf,-2\n", None, "is no number of runs"),
        ("name,0,1\nf,1,1\n", None, r"f: header: is no minute: columns count from 1 \(found: 0\)"),
        (f"name,{'9' * 5000}\nf,1\n", None, "is no minute"),
        (f"name,1\nf,{'9' * 5000}\n", None, "f: minute 1: is more than 3,000,000 runs in a minute"),
        ("name,1\nf,999999999\n", None, "f: minute 1: is more than 3,000,000 runs in a minute"),
        ("name,1,2,1\nf,1,1,1\n", None, r"f: header: has two columns for a minute \(found: 1\)"),
        (f"name,1\n{'f' * 140_000},1\n", None, r"f: line 2: can't be read as CSV \(found: field larger"),
        (f"name,{'x' * 140_000},1\nf,1,1\n", None, "f: line 1: can't be read as CSV"),
    ],
)
def test_replayed_when_the_file_is_wrong_then_says_where(text, row, message):
    """What was found, and what to do."""
    with pytest.raises(InvalidInputError, match=message):
        replayed(io.StringIO(text), Replay("f", row=row))


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=50), st.sampled_from([0, 1, 50, 90, 95, 99, 100]))
def test_percentile_when_compared_with_numpy_then_is_the_same(values, percent):
    """Numpy's default, between two values on the line that joins them."""
    assert percentile(sorted(values), percent) == pytest.approx(np.percentile(values, percent))


def test_spread_when_there_are_values_then_has_their_numbers():
    """In any order; of none there is none."""
    spread = Spread.of(range(100, -1, -1))
    assert (spread.count, spread.min, spread.mean, spread.max) == (101, 0, 50, 100)
    assert (spread.p50, spread.p90, spread.p95, spread.p99) == (50, 90, 95, 99)
    assert Spread.of([]) is None


class Now(Executor):
    """Runs what is submitted at once."""

    def submit(self, fn, /, *args, **kwargs):
        """Run it."""
        future = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001 - the future has it
            future.set_exception(error)
        return future


@dataclass
class FakeClock:
    """Time that passes when somebody sleeps."""

    time: float = 1000.0
    naps: list[float] = field(default_factory=list)

    def now(self):
        """The time."""
        return self.time

    def sleep(self, seconds):
        """Let it pass."""
        assert seconds >= 0
        self.naps.append(seconds)
        self.time += seconds + 1e-6


@dataclass
class FakeTarget:
    """Runs that take two seconds, but for those that a test says more about."""

    clock: FakeClock
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    refused: frozenset[int] = frozenset()
    refusal: Exception = field(default_factory=lambda: OperationFailedError("not taken"))
    start_s: float = 0.0
    silent: int = 0
    silence: Exception = field(default_factory=lambda: EndpointConnectionError(endpoint_url="http://nowhere"))
    begun: dict[str, tuple[int, float]] = field(default_factory=dict)
    looks: list[tuple[float, int]] = field(default_factory=list)

    def start(self, run_id, number):
        """Note the time, and let some pass."""
        if number in self.refused:
            raise self.refusal
        self.begun[run_id] = number, self.clock.now()
        self.clock.time += self.start_s

    def look(self, run_ids):
        """Those that have ended."""
        self.looks.append((self.clock.now(), len(run_ids)))
        if self.silent:
            self.silent -= 1
            raise self.silence
        done = {
            run_id: number for run_id in run_ids for number, at in [self.begun[run_id]] if self.clock.now() > at + 2
        }
        good = Outcome(RunState.SUCCEEDED, 2.0, (HOME,))
        found = {run_id: self.outcomes.get(number, good) for run_id, number in done.items()}
        return {run_id: outcome for run_id, outcome in found.items() if outcome is not None}


def driven(times, limit_s=60.0, **fields):
    """A load that was driven to its end, and what it was driven on."""
    clock = FakeClock()
    target = FakeTarget(clock, **fields)
    load = Load(target, times, "load-x", clock, lambda _: Now())
    load.drive(limit_s)
    return load, target


def test_load_when_driven_then_starts_runs_at_their_times_though_others_have_not_ended():
    """An open loop: each run takes longer than there is time to the next."""
    times = (0.5, 1.0, 1.25, 4.0)
    load, target = driven(times)
    assert [at - 1000.0 for _, at in target.begun.values()] == pytest.approx(times, abs=1e-3)
    assert list(target.begun) == ["load-x-1", "load-x-2", "load-x-3", "load-x-4"]
    assert max(run.late_s for run in load.runs) < 1e-3
    summary = summary_of(load.runs)
    assert (summary.planned, summary.started, summary.succeeded, load.ended) == (4, 4, 4, 4)
    assert summary.is_good


def test_load_when_starting_takes_long_then_says_how_late_it_was():
    """One who drives too slowly sees it there."""
    load, _ = driven((0.0, 0.0, 0.0), start_s=1.0)
    assert [run.late_s for run in load.runs] == pytest.approx([0.0, 1.0, 2.0], abs=1e-3)
    assert summary_of(load.runs).lateness_s.max == pytest.approx(2.0, abs=1e-3)


def test_load_when_many_runs_are_open_then_looks_at_some_of_them_at_a_pace():
    """However many there are: so many a look, so many looks a second; each run gets its turn."""
    load, target = driven([0.0] * 350)
    assert all(size <= LOOK_RUNS for _, size in target.looks)
    looked_at = [at for at, _ in target.looks]
    assert all(after - before >= LOOK_S for before, after in itertools.pairwise(looked_at))
    assert summary_of(load.runs).succeeded == 350
    assert len(target.looks) <= 9  # five in the two seconds, four for the ends
    assert min(target.clock.naps) >= 0.0
    assert len(target.clock.naps) < 30


def test_load_when_looking_fails_for_a_while_then_goes_on_looking():
    """The trouble is kept for as long as it lasts."""
    load, _ = driven((0.0,), silent=6)
    assert summary_of(load.runs).is_good
    assert load.trouble is None
    load, _ = driven((0.0,), limit_s=3.0, silent=100)
    assert summary_of(load.runs).unfinished == 1
    assert "nowhere" in load.trouble


@pytest.mark.parametrize(
    ("refusal", "error"), [(OperationFailedError("not taken"), "not taken"), (KeyError("x"), "KeyError: 'x'")]
)
def test_load_when_a_start_fails_in_any_way_then_goes_on_with_the_others(refusal, error):
    """What nobody expected is kept with its kind; the run is not waited for."""
    load, target = driven((0.0, 1.0, 2.0), refused=frozenset({1}), refusal=refusal)
    assert [number for number, _ in target.begun.values()] == [0, 2]
    summary = summary_of(load.runs)
    assert (summary.started, summary.succeeded, summary.unfinished) == (2, 2, 0)
    assert [(f.node, f.error, f.example) for f in summary.failures] == [("(start)", error, "load-x-2")]


def test_load_when_looking_fails_in_a_way_that_nobody_expected_then_looks_again():
    """The runs that were looked at are not lost."""
    load, _ = driven((0.0, 0.0), silent=2, silence=KeyError("Responses"))
    assert summary_of(load.runs).is_good
    load, _ = driven((0.0,), limit_s=3.0, silent=100, silence=KeyError("Responses"))
    assert load.trouble == "KeyError: 'Responses'"


def test_load_when_runs_do_not_end_then_gives_up_after_the_limit():
    """Counted from the last start."""
    load, target = driven((0.0, 10.0), limit_s=5.0, outcomes={0: None})
    assert target.clock.now() == pytest.approx(1015.0, abs=0.1)
    summary = summary_of(load.runs)
    assert (summary.succeeded, summary.unfinished, summary.is_good) == (1, 1, False)


def test_load_when_interrupted_then_says_what_was_there_so_far():
    """Runs that were not started yet are neither."""
    clock = FakeClock()
    load = Load(FakeTarget(clock), (0.0, 5.0, 100.0), "load-x", clock, lambda _: Now())

    def interrupt(load):
        if load.sent == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load.drive(60.0, interrupt)
    summary = summary_of(load.runs)
    assert (summary.planned, summary.started, summary.succeeded, summary.unfinished) == (3, 2, 1, 1)
    assert load.runs[2].late_s is None


def test_load_when_driven_by_threads_then_is_the_same():
    """With the real clock, as the command drives it."""
    target = FakeTarget(clock=FakeClock())
    target.look = lambda run_ids: {run_id: Outcome(RunState.SUCCEEDED, 0.1, (HOME,)) for run_id in run_ids}
    load = Load(target, [0.01 * i for i in range(40)], "load-x")
    load.drive(BACKSTOP_S)
    summary = summary_of(load.runs)
    assert summary.is_good
    assert sorted(number for number, _ in target.begun.values()) == list(range(40))


def run(number, outcome=None, **fields):
    """A run of a load, started in time."""
    return LoadedRun(f"load-x-{number}", float(number), outcome=outcome, **({"late_s": 0.01} | fields))


def failed(node, error):
    """The outcome of a run that failed."""
    return Outcome(RunState.FAILED, 9.0, (HOME,), node, error)


MIXED = (
    *(run(i, Outcome(RunState.SUCCEEDED, float(i), (HOME,))) for i in range(1, 5)),
    *(run(i, Outcome(RunState.SUCCEEDED, float(i), (WEST, HOME))) for i in range(5, 7)),
    *(run(i, failed("a:entry_point:0", "ValueError: [bad]")) for i in range(7, 10)),
    run(10, failed("b:a_0_0:1", "TypeError: no")),
    run(11, Outcome(RunState.EXPIRED, 30.0, (HOME,))),
    run(12),
    run(13, refused="not taken"),
    run(14, late_s=None),
)


def test_summary_when_runs_ended_in_all_ways_then_counts_each():
    """Times are those of runs that succeeded, failures are grouped, and refusals are among them."""
    summary = summary_of(MIXED)
    assert (summary.planned, summary.started) == (14, 12)
    assert (summary.succeeded, summary.failed, summary.expired, summary.unfinished) == (6, 4, 1, 1)
    assert summary.seconds.mean == 3.5
    assert {regions: spread.count for regions, spread in summary.by_regions.items()} == {(HOME,): 4, (WEST, HOME): 2}
    assert [(f.node, f.error, f.runs, f.example) for f in summary.failures] == [
        ("a:entry_point:0", "ValueError: [bad]", 3, "load-x-7"),
        ("b:a_0_0:1", "TypeError: no", 1, "load-x-10"),
        ("(start)", "not taken", 1, "load-x-13"),
    ]
    assert summary.lateness_s.count == 13
    data = json.loads(json.dumps(summary.to_json()))
    assert data["seconds"]["p50"] == 3.5
    assert data["by_regions"][0] == {"regions": [HOME], "seconds": data["by_regions"][0]["seconds"]}


def test_summary_when_each_run_failed_in_a_way_of_its_own_then_stays_short():
    """The most frequent are listed, the others are counted; long errors are cut."""
    summary = summary_of([run(i, failed("n", f"{i}: {'x' * 5000}")) for i in range(300)])
    assert len(summary.failures) == 10
    assert summary.more_failures == 290
    assert len(summary.failures[0].error) == 200


def test_summary_when_nothing_was_started_then_has_no_times():
    """Nothing is divided by nothing."""
    summary = summary_of([run(1, late_s=None)])
    assert (summary.seconds, summary.lateness_s, summary.is_good) == (None, None, False)


def shown(summary):
    """What a wide terminal shows of a summary."""
    output = io.StringIO()
    Terminal(file=output, width=140).print(load_view(summary, "Load x of flow"))
    return output.getvalue()


def test_view_when_runs_ended_in_all_ways_then_a_person_reads_so():
    """Counts, times with and without regions, failures, and no warning as long as starts are in time."""
    text = shown(summary_of(MIXED))
    assert "14 runs: 6 succeeded, 4 failed, 1 expired, 1 unfinished, 2 not started" in text
    assert "in us-west-2, us-east-1" in text
    assert "ValueError: [bad]" in text
    assert "load-x-7" in text
    assert "3.500" in text
    assert "warning" not in text


def test_view_when_all_runs_were_in_the_same_regions_then_has_no_row_of_them():
    """Programs get the set of regions even so."""
    summary = summary_of([run(1, Outcome(RunState.SUCCEEDED, 1.0, (WEST,)))])
    assert WEST not in shown(summary)
    assert summary.to_json()["by_regions"][0]["regions"] == [WEST]


def test_view_when_starts_were_late_then_warns():
    """The load was not the one that was asked for."""
    assert "the driver, or SNS, did not keep up" in shown(summary_of([run(1, late_s=2.0)]))


@pytest.mark.parametrize(("text", "rate"), [("2/s", 2.0), ("90/min", 1.5), ("0.5/s", 0.5)])
def test_rate_when_it_has_a_unit_then_is_so_many_a_second(text, rate):
    """A second or a minute."""
    assert rate_per_s(text) == rate


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with the example of two sync nodes, as the current folder."""
    folder = REPOSITORY / "workflows" / "small_sync_example"
    shutil.copytree(folder, tmp_path / "workflows" / folder.name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("app.py", "cdk.json"):
        shutil.copy(REPOSITORY / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def caribou(*arguments):
    """Give a command in this process; its exit code."""
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    return exit_.value.code


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--rate, --arrivals: one of the two must be given"),
        (["--rate", "1/s", "--arrivals", "f"], "and not both"),
        (["--rate", "1/s"], "--duration: must be given with --rate"),
        (["--rate", "1", "--duration", "5"], "--rate: is no rate (found: 1). To fix: write such as 2/s or 90/min"),
        (["--rate", "0/s", "--duration", "5"], "--rate: is no rate"),
        (["--rate", "1/s", "--duration", "5", "--speed", "2"], "--speed: is for arrivals out of a file"),
        (["--rate", "1/s", "--duration", "5", "--row", "a"], "--row: is for arrivals out of a file"),
        (["--rate", "9999/s", "--duration", "999"], "more than 50,000 runs"),
        (["--arrivals", "nowhere"], "nowhere: can't be read"),
        (["--arrivals", "cdk.json"], "cdk.json: line 1: is no offset"),
        (["--rate", "9/s", "--duration", "5", "-a", "{"], "-a: is not JSON"),
        (["--rate", "9/s", "--duration", "5", "-a", "[" * 60_000], "-a: is nested too deeply"),
        (["--rate", "9/s", "--duration", "5", "-o", "no/where.json"], "--output: there is no such folder"),
        (["--rate", "9/s", "--duration", "5", "-o", "."], "--output: can't be written: Is a directory (found: .)"),
        (["--rate", "9/s", "--duration", "5", "-o", "x" * 300], "--output: can't be written: File name too long"),
        (["--rate", "9/s", "--duration", "5", "-o", "cdk.json/x"], "--output: there is no such folder"),
        (["--rate", "9/s", "--duration", "5", "-o", "no/../x"], "--output: there is no such folder"),
    ],
)
def test_command_when_the_user_is_mistaken_then_is_said_in_one_message(project, capsys, arguments, message):  # noqa: ARG001 - the current folder
    """Exit code 2, before AWS is asked."""
    assert caribou("load", "small_sync_example", "-a", "{}", *arguments) == 2
    assert message in capsys.readouterr().err


def test_command_when_a_number_is_not_positive_then_click_says_so(project, capsys):  # noqa: ARG001 - the current folder
    """A duration of nothing."""
    assert caribou("load", "small_sync_example", "-a", "{}", "--rate", "1/s", "--duration", "0") == 2
    assert "--duration" in capsys.readouterr().err


@pytest.fixture
def offline(project, monkeypatch):
    """The command without AWS: its target has runs that succeed at once; what it may be given in its stead."""
    target = FakeTarget(FakeClock())
    target.look = lambda run_ids: {run_id: Outcome(RunState.SUCCEEDED, 0.1, (HOME,)) for run_id in run_ids}
    monkeypatch.setattr("caribou.control.aws.Aws.account", lambda *_: "111122223333")
    monkeypatch.setattr("caribou.cli.load.DeployedTarget", lambda *_: target)
    monkeypatch.setattr("caribou.control.runs.runs.Runs.state", lambda *_: None)
    (project / "arrivals").write_text("0\n0.1\n0.2\n")
    return target


LOAD = ("load", "small_sync_example", "-a", "{}", "--arrivals", "arrivals")


@pytest.mark.usefixtures("offline")
def test_command_when_all_runs_succeed_then_writes_what_it_prints(project, capsys):
    """A file that is there is replaced."""
    (project / "load.json").write_text("x" * 10_000)
    assert caribou(*LOAD, "-o", "load.json", "--json") == 0
    data = json.loads((project / "load.json").read_text())
    assert [entry["state"] for entry in data.pop("runs")] == ["SUCCEEDED"] * 3
    assert data == json.loads(capsys.readouterr().out)


def test_command_when_a_thread_raises_what_nobody_expected_then_prints_and_writes_the_result(project, offline, capsys):
    """It is a failure among the others."""
    offline.refused, offline.refusal = {1}, KeyError("x")
    assert caribou(*LOAD, "-o", "load.json") == 1
    said = capsys.readouterr()
    assert "3 runs: 2 succeeded, 1 not started" in said.out
    assert "KeyError: 'x'" in said.out
    assert "1 of 3 runs did not succeed" in said.err
    assert json.loads((project / "load.json").read_text())["started"] == 2


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize(("error", "ends"), [(KeyboardInterrupt(), SystemExit), (RuntimeError("no"), RuntimeError)])
def test_command_when_driving_is_cut_short_then_prints_and_writes_what_was_there(
    project, monkeypatch, capsys, error, ends
):
    """By a person, or by what nobody expected, which is not hidden."""
    monkeypatch.setattr(Load, "_look_again", lambda *_: (_ for _ in ()).throw(error))
    with pytest.raises(ends):
        main([*LOAD, "-o", "load.json"])
    assert "3 runs: 0 succeeded" in capsys.readouterr().out
    assert json.loads((project / "load.json").read_text())["planned"] == 3


def test_command_when_the_result_can_no_longer_be_written_then_prints_it(project, offline, capsys):
    """The folder has become one with that name meanwhile."""
    start = offline.start

    def start_and_spoil(run_id, number):
        (project / "load.json").mkdir(exist_ok=True)
        start(run_id, number)

    offline.start = start_and_spoil
    assert caribou(*LOAD, "-o", "load.json") == 1
    said = capsys.readouterr()
    assert "3 runs: 3 succeeded" in said.out
    assert "load.json can't be written: Is a directory. " in said.err
    assert "The runs were started" in said.err


@pytest.mark.usefixtures("offline")
def test_command_when_a_load_is_refused_then_leaves_no_output_and_keeps_that_of_before(project, monkeypatch):
    """It is only found out whether it could be written; a link stays one."""
    monkeypatch.setattr("caribou.control.runs.runs.Runs.state", lambda *_: refuse())
    (project / "old.json").write_text("old")
    (project / "link.json").symlink_to("new.json")

    def refuse():
        raise OperationFailedError("not deployed")

    for name in ("fresh.json", "old.json", "link.json"):
        assert caribou(*LOAD, "-o", name) == 1
    assert not (project / "fresh.json").exists()
    assert (project / "old.json").read_text() == "old"
    assert (project / "link.json").is_symlink()
    assert not (project / "new.json").exists()


def test_bound_when_a_load_is_as_large_as_may_be_then_is_taken():
    """One more is refused."""
    assert len(replayed(["1\n"] * MAX_RUNS, Replay("f"))) == MAX_RUNS
    with pytest.raises(InvalidInputError):
        replayed(["1\n"] * (MAX_RUNS + 1), Replay("f"))


@pytest.fixture
def cloud(local_cloud, led_to):
    """An account of its own in the session's cloud, with the example deployed to it, which this process talks to."""
    account = local_cloud.as_account("222211113333")
    account.bootstrap((HOME, WEST))
    return led_to(account)


@pytest.mark.local_cloud
@pytest.mark.slow
def test_command_when_one_of_twenty_runs_fails_then_prints_all_and_the_one(project, cloud, capsys):  # noqa: ARG001 - both are where the command works
    """The whole way: twenty runs within a second, of which one has a payload that the entry refuses."""
    load = ("load", "small_sync_example")
    assert caribou(*load, "-a", "{}", "--rate", "1/s", "--duration", "9") == 1
    assert "To deploy it: caribou deploy small_sync_example" in capsys.readouterr().err
    assert caribou("deploy", "small_sync_example") == 0
    (project / "arrivals").write_text("".join(f"{i / 10}\n" for i in range(20)))
    payloads = [part for i in range(20) for part in ("-a", '{"limit": -1}' if i == 6 else '{"limit": 2000}')]
    capsys.readouterr()
    assert caribou(*load, *payloads, "--arrivals", "arrivals", "--speed", "2", "-o", "load.json") == 1
    said = capsys.readouterr()
    assert "20 runs: 19 succeeded, 1 failed" in said.out
    assert "1 of 20 runs did not succeed" in said.err
    data = json.loads((project / "load.json").read_text())
    assert data["schema"] == "caribou.load/1"
    assert data["plan"]["speed"] == 2
    assert [entry["planned_s"] for entry in data["runs"]] == [i / 20 for i in range(20)]
    assert [entry["state"] for entry in data["runs"]].index("FAILED") == 6
    assert data["failures"] == [
        {
            "node": "initial_function:entry_point:0",
            "error": "ValueError: limit must be a whole number from 0 to 1000000, not -1",
            "runs": 1,
            "example": data["runs"][6]["run_id"],
        }
    ]
    seconds = [entry["seconds"] for entry in data["runs"] if entry["state"] == "SUCCEEDED"]
    for percent in (50, 90, 95, 99):
        assert data["seconds"][f"p{percent}"] == pytest.approx(np.percentile(seconds, percent))
    assert caribou(*load, "-a", "{}", "--rate", "120/min", "--duration", "2", "--seed", "5", "--json") == 0
    data = json.loads(capsys.readouterr().out)
    assert data["succeeded"] == data["planned"] == len(poisson(2.0, 2.0, seed=5))
    assert data["by_regions"][0]["regions"] == [HOME]
