"""The model's numbers where they can be worked out by hand."""

import pytest

from caribou.model.metric import Metric
from caribou.model.schema.problem_file import parse_problem
from caribou.solver import evaluate

HOME, AWAY = "us-east-1", "us-west-2"
KW = {"a": 0.00074 + 0.5 * 0.00276, "b": 0.0035}
MEMORY_KW = 0.0003725 * 1769 / 1024
E = 0.001


def execution_g(node, seconds, intensity):
    """Carbon of a node's execution."""
    return seconds / 3600 * (KW[node] + MEMORY_KW) * 1.11 * intensity


def score(data, regions):
    """Metrics of a placement; with one sample a list, every run is the same."""
    return evaluate(parse_problem(data), regions, samples=50).placed


def test_chain_when_all_at_home_then_carbon_is_execution_external_data_and_messages(instances):
    """Two executions, 0.01 GB of external data (half unknown, half home's), the client's message, and one more."""
    found = score(instances.chain(), {"a": HOME, "b": HOME})
    expected = execution_g("a", 2, 400) + execution_g("b", 4, 400)
    expected += E * (0.01 * (0.5 * 410 + 0.5 * 400) + 0.002 * 410 + 0.001 * 400)
    assert found[Metric.CARBON].mean == pytest.approx(expected)
    assert found[Metric.CARBON].p95 == pytest.approx(expected)
    assert found[Metric.CARBON].ci95 == pytest.approx((expected, expected))


def test_chain_when_all_at_home_then_cost_is_compute_invocations_and_messages(instances):
    """GB-seconds and two invocations, 33 requests for 2,098 KB from the client (64 KB each), 17 for 1,049 KB."""
    found = score(instances.chain(), {"a": HOME, "b": HOME})
    expected = 1.66667e-05 * 1769 / 1024 * 6 + 2 * 2e-07 + (33 + 17) * 5e-07
    assert found[Metric.COST].mean == pytest.approx(expected)


def test_chain_when_all_at_home_then_run_time_is_call_latency_and_duration(instances):
    """Node b starts when a's call, 1.5 s into its run, arrives 0.1 s later, and takes 4 s."""
    assert score(instances.chain(), {"a": HOME, "b": HOME})[Metric.RUNTIME].mean == pytest.approx(1.5 + 0.1 + 4)


def test_second_node_when_moved_then_pays_for_distance_speed_prices_and_egress(instances):
    """Ping difference once, ten per cent slower, its region's own prices, and egress at the sender's price."""
    found = score(instances.chain(), {"a": HOME, "b": AWAY})
    assert found[Metric.RUNTIME].mean == pytest.approx(1.5 + 0.1 + 0.06 + 4.4)
    carbon = execution_g("a", 2, 400) + execution_g("b", 4.4, 100)
    carbon += E * (0.01 * (0.5 * 410 + 0.5 * 400) + 0.002 * 410 + 0.001 * 250)
    assert found[Metric.CARBON].mean == pytest.approx(carbon)
    cost = 1.66667e-05 * 1769 / 1024 * (2 + 1.2 * 4.4) + 2e-07 * 2.2 + (33 + 1.2 * 17) * 5e-07 + 0.001 * 0.02
    assert found[Metric.COST].mean == pytest.approx(cost)


def test_entry_when_moved_then_every_run_makes_the_hop_from_home(instances):
    """The redirector runs at home for 0.2 s and calls after 0.15 s; its message is accounted like any other."""
    found = score(instances.chain(), {"a": AWAY, "b": AWAY})
    start = 0.15 + 0.1 + 0.06
    assert found[Metric.RUNTIME].mean == pytest.approx(start + 1.1 * 1.5 + 0.1 + 1.1 * 4)
    carbon = execution_g("a", 0.2, 400) + execution_g("a", 2.2, 100) + execution_g("b", 4.4, 100)
    carbon += E * (0.01 * (0.5 * 410 + 0.5 * 250) + 0.002 * 410 + 0.001 * 250 + 0.001 * 100)
    assert found[Metric.CARBON].mean == pytest.approx(carbon)
    cost = 1.66667e-05 * 1769 / 1024 * (0.2 + 1.2 * 6.6) + 2e-07 * (1 + 2.4)
    cost += 5e-07 * (33 + 1.2 * 17 * 2) + 0.001 * 0.02
    assert found[Metric.COST].mean == pytest.approx(cost)


def test_share_that_stays_home_when_set_then_is_counted_in_what_a_placement_brings(instances):
    """With a tenth of the runs at home, a placement's means are nine tenths its own and one tenth home's."""
    data = instances.chain()
    moved, home = (score(data, {"a": HOME, "b": region}) for region in (AWAY, HOME))
    data["entry"]["stays_home_share"] = 0.1
    mixed = score(data, {"a": HOME, "b": AWAY})
    for metric in Metric:
        assert mixed[metric].mean == pytest.approx(0.9 * moved[metric].mean + 0.1 * home[metric].mean)


def test_conditional_edge_when_drawn_then_mean_agrees_with_its_probability(instances):
    """The cost of b's execution, 4 s and its start, comes with probability 0.3, within the confidence interval."""
    data = instances.chain()
    whole, data["edges"][0]["probability"] = score(data, {"a": HOME, "b": HOME})[Metric.COST].mean, 0.0
    without = score(data, {"a": HOME, "b": HOME})[Metric.COST].mean
    data["edges"][0]["probability"] = 0.3
    found = evaluate(parse_problem(data), {"a": HOME, "b": HOME}, samples=4000).placed[Metric.COST]
    half = (found.ci95[1] - found.ci95[0]) / 2
    assert found.mean == pytest.approx(without + 0.3 * (whole - without), abs=1.5 * half)


def test_sync_node_when_an_early_call_arrives_last_then_waits_for_it(instances):
    """A sync node starts when the last message arrives, not when the last call's does."""
    data = instances.chain()
    transfers = {f"{HOME}>{HOME}": {"payload_gb": [1e-6], "latency_s": [3.0]}}
    sync = {"response_gb": 1e-6, "message_gb": 1e-6}
    first = {**data["edges"][0], "transfers": transfers, "sync": sync, "call": "early"}
    second = {**data["edges"][0], "sync": sync, "call": "late"}
    data["edges"] = [first, second]
    data["nodes"]["a"]["runs"][HOME]["call_offset_s"] = {"early": [0.5], "late": [1.5]}
    assert score(data, {"a": HOME, "b": HOME})[Metric.RUNTIME].mean == pytest.approx(0.5 + 3.0 + 4)
