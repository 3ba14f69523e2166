"""Problems whose rows are runs: a placement changes of a run what it changes, and nothing else."""

import copy

import numpy as np
import pytest
from known_worlds import world
from observed_problem import AWAY, FAR, HOME, observed_problem

from caribou.model.metric import Metric
from caribou.model.schema.problem_file import parse_problem
from caribou.solver import evaluate, solve
from caribou.solver.simulation.carbon_and_cost import DAY
from caribou.solver.simulation.checks import place_positions
from caribou.solver.simulation.evaluator import Evaluator

MICROSECONDS = 5e-6
"""Figures of a problem are rounded to one; a run time is a sum of some."""


def _home(problem):
    return dict.fromkeys(problem.nodes, problem.home_region)


def _own_runtimes(data):
    """What each run took, from its own figures: plain Python, from the entry's start to the latest end."""
    return [run["end"] for run in data.observed]


@pytest.mark.parametrize("seed", range(5))
def test_home_when_runs_were_at_home_then_mean_and_tail_are_the_runs_own(seed):
    """Every draw of them apart would lose what nodes of a run have in common: cold starts, large inputs."""
    data = observed_problem(seed, runs=40)
    problem = parse_problem(data.problem)
    own = np.sort(_own_runtimes(data))
    home = evaluate(problem, _home(problem)).home
    assert home[Metric.RUNTIME].mean == pytest.approx(own.mean(), abs=MICROSECONDS)
    assert home[Metric.RUNTIME].p95 == pytest.approx(own[int(np.ceil(0.95 * 40)) - 1], abs=MICROSECONDS)


def test_runs_when_observed_in_other_regions_then_the_placement_they_had_scores_as_they_did():
    """Not at home only: what was observed is not estimated."""
    data = observed_problem(3, runs=30, regions={"b": AWAY, "c": AWAY})
    problem = parse_problem(data.problem)
    evaluator = Evaluator(problem, 0, 100)
    places = place_positions(problem, {**_home(problem), "b": AWAY, "c": AWAY})
    moved = evaluator.moved_runs(Metric.RUNTIME, places)
    assert moved == pytest.approx(_own_runtimes(data), abs=MICROSECONDS)


def test_run_when_its_last_node_moves_then_reports_take_two_and_a_half_round_trips_more_and_its_end_two():
    """A payload, a report, half of the message that starts it; then it notes its end at home, and ends the run."""
    problem = parse_problem(observed_problem(1, runs=30).problem)
    ping = {a: {b: float(np.mean(pings)) for b, pings in row.items()} for a, row in problem.ping_s.items()}
    there, back = ping[HOME][AWAY] - ping[HOME][HOME], ping[AWAY][HOME] - ping[HOME][HOME]
    evaluator = Evaluator(problem, 0, 100)
    home, moved = (
        evaluator.moved_runs(Metric.RUNTIME, place_positions(problem, {**_home(problem), "d": region}))
        for region in (HOME, AWAY)
    )
    assert moved - home == pytest.approx(np.full(30, 2.5 * there + 2 * back))


def test_hop_when_round_trips_are_anothers_then_what_is_on_top_of_them_stays_the_runs_own():
    """Home scores as the runs did; elsewhere a report takes two and a half of the new round trips, and the end two."""
    data = observed_problem(1, runs=30).problem
    longer = copy.deepcopy(data)
    for a, row in longer["ping_s"].items():
        longer["ping_s"][a] = {b: [1.5 * ping if b != a else ping for ping in pings] for b, pings in row.items()}
    (home, moved), (home_then, moved_then) = map(_at_home_and_with_d_away, (data, longer))
    ping = data["ping_s"]
    assert home_then == pytest.approx(home, abs=MICROSECONDS)
    more = 0.5 * (2.5 * ping[HOME][AWAY][0] + 2 * ping[AWAY][HOME][0])
    assert moved_then - moved == pytest.approx(np.full(30, more))


def test_hop_when_records_say_that_it_took_longer_then_it_does_in_every_region():
    """Two hops of 0.1 s more each, from a to d: what is on top of round trips is learned from records alone."""
    data = observed_problem(1, runs=30, skip_share=0.0).problem
    slower = copy.deepcopy(data)
    for edge in slower["edges"]:
        for observed in edge["transfers"].values():
            observed["latency_s"] = [seconds + 0.1 for seconds in observed["latency_s"]]
    for usual, then in zip(_at_home_and_with_d_away(data), _at_home_and_with_d_away(slower), strict=True):
        assert then - usual == pytest.approx(np.full(30, 0.2))


def _at_home_and_with_d_away(data):
    """Each run's time, s, at home and with its last node elsewhere."""
    problem = parse_problem(data)
    evaluator = Evaluator(problem, 0, 100)
    return [
        evaluator.moved_runs(Metric.RUNTIME, place_positions(problem, {**_home(problem), "d": region}))
        for region in (HOME, AWAY)
    ]


def test_call_when_its_node_is_farther_from_its_endpoint_then_it_comes_later_by_all_of_that():
    """User code has waited for its data by then; what follows the last call waits for nothing that is farther."""
    problem = parse_problem(observed_problem(1, runs=30).problem)
    scenarios = Evaluator(problem, 0, 100).part.scenarios
    runs, names = scenarios.runs[problem.node_order.index("b")], list(problem.regions)
    (home, far) = names.index(HOME), names.index(FAR)
    (offsets,) = runs.offset_s.values()
    assert offsets[far] - offsets[home] == pytest.approx(runs.duration_s[far] - runs.duration_s[home])


def test_solution_when_runs_are_rows_then_it_is_optimal_and_no_worse_than_home():
    """The search is the same one."""
    placement = solve(parse_problem(observed_problem(1, runs=50).problem))
    report = placement.plans[0].report
    assert report["status"] == "optimal"
    assert report["metrics"]["carbon_g"]["mean"] <= report["home_metrics"]["carbon_g"]["mean"]


def test_external_data_when_a_function_leaves_its_endpoint_then_it_never_emits_less_for_it():
    """Inside a region data in motion takes nothing, between regions it does."""
    data = observed_problem(2, runs=20, bucket=HOME, only_data=True)
    problem = parse_problem(data.problem)
    evaluator = Evaluator(problem, 0, 100)
    rows = [place_positions(problem, {**_home(problem), "b": region}) for region in (HOME, AWAY, FAR)]
    grams = evaluator.score(np.array(rows)).means[Metric.CARBON]
    assert (grams[1:] >= grams[0]).all()
    assert (grams[1:, 0] > grams[0, 0]).all()


def test_external_data_when_its_endpoint_is_not_known_then_moving_gains_nothing_by_it():
    """Nobody knows whether it comes nearer."""
    data = observed_problem(2, runs=20, bucket=None, only_data=True).problem
    problem = parse_problem({**data, "ping_s": _all_as_far(data)})
    evaluator = Evaluator(problem, 0, 100)
    rows = [place_positions(problem, {**_home(problem), "b": region}) for region in (HOME, AWAY, FAR)]
    at_home, *elsewhere = [grams.mean() for grams in evaluator.score(np.array(rows)).means[Metric.CARBON]]
    assert elsewhere == pytest.approx([at_home] * 2, rel=1e-4)  # the report to the sync node, of a KB


def test_external_data_when_a_function_is_farther_from_its_endpoint_then_it_takes_longer_and_costs_egress():
    """Round trips take the difference of the pings; both ways over regions are billed."""
    problem = parse_problem(observed_problem(4, runs=20, bucket=HOME).problem)
    near = evaluate(problem, _home(problem)).placed
    without = parse_problem(observed_problem(4, runs=20, bucket=None).problem)
    away = evaluate(problem, {**_home(problem), "b": FAR}).placed
    away_without = evaluate(without, {**_home(without), "b": FAR}).placed
    assert away[Metric.RUNTIME].mean > away_without[Metric.RUNTIME].mean
    assert away[Metric.COST].mean > away_without[Metric.COST].mean
    at_home = evaluate(without, _home(without)).placed[Metric.COST].mean
    assert near[Metric.COST].mean == pytest.approx(at_home, rel=1e-4)  # a record names the region


@pytest.mark.parametrize("region", [HOME, AWAY, FAR])
def test_endpoint_when_it_is_compared_with_a_pinned_node_of_no_length_then_both_emit_the_same(region):
    """An endpoint is a place that data goes to, as a node is; b is in each region, the data in Canada."""
    data = world("chain", runs=20, seed=1, data_gb=0.01).model_dump(mode="json", by_alias=True)
    data["endpoints"]["s3"]["region"] = AWAY
    data["nodes"]["b"]["runs"][HOME]["external"]["s3"]["calls"] = [0] * 20  # nobody waits for it
    data["ping_s"] = _all_as_far(data)
    pinned = world("chain", runs=20, seed=1, data_gb=0.01).model_dump(mode="json", by_alias=True)
    exchanged = pinned["nodes"]["b"]["runs"][HOME].pop("external")["s3"]
    pinned["nodes"]["b"]["runs"][HOME]["call_offset_s"]["data"] = [0.0] * 20
    pinned["ping_s"] = _all_as_far(pinned)
    pinned["nodes"]["data"] = {**pinned["nodes"]["c"], "runs": {AWAY: _of_no_length(20)}}
    pinned["edges"].append(_sent(exchanged["gb_in"]))

    away = {"b": region}
    grams = [_grams(parse_problem(one), away | more) for one, more in ((data, {}), (pinned, {"data": AWAY}))]
    assert grams[0] == pytest.approx(grams[1], rel=1e-9)


def _all_as_far(data):
    """Pings by which no move takes longer."""
    return {a: {b: [0.01] for b in data["regions"]} for a in data["regions"]}


def _of_no_length(runs):
    nothing = [0.0] * runs
    return {"run": list(range(runs)), "duration_s": nothing, "init_s": nothing, "external": {}, "call_offset_s": {}}


def _sent(payload_gb):
    """An edge from b to the node that stands for the data."""
    rows = list(range(len(payload_gb)))
    messages = {"run": rows, "payload_gb": payload_gb, "latency_s": [0.0] * len(rows)}
    ends = {"from": "b", "to": "data", "probability": 1.0, "taken": rows}
    return {**ends, "transfers": {f"{HOME}>{AWAY}": messages}, "sync": None, "on_skip": []}


def _grams(problem, regions):
    """The day's carbon of a run, nodes at home that are not named."""
    places = place_positions(problem, _home(problem) | regions)
    return float(Evaluator(problem, 0, 100).score(places[np.newaxis]).mean(Metric.CARBON, DAY)[0])


def test_notice_when_nobody_ever_sends_it_then_it_needs_no_latency():
    """A node that never ran skips nothing, so a problem may lack what its notices take."""
    data = observed_problem(3, runs=3, skip_share=1.0).problem
    [edge] = (edge for edge in data["edges"] if edge["from"] == "b")
    edge["on_skip"][0]["transfers"] = {}
    problem = parse_problem(data)
    assert evaluate(problem, _home(problem)).home[Metric.RUNTIME].mean > 0
