"""The workflow's part of a problem."""

import dataclasses

import pytest
from builders import graph_of

from caribou.collectors.summary import problem_regions, summarise
from caribou.model.errors import InvalidRecordError
from caribou.model.run.record import Outcome

GB = 1024**3
KB = 1024 / GB


def test_summary_of_a_chain_when_one_run_was_seen_then_figures_are_those_of_its_records(make):
    """Durations, sizes in GB of 1024³, call offsets and latencies come straight out of the records."""
    graph = graph_of({"A": "B"}, name="example")
    summary = summarise(make.simulate(graph), graph, make.manifest_of(graph))
    assert summary.nodes["A"]["runs"] == {
        make.HOME: {
            "run": [0],
            "duration_s": [2.0],
            "init_s": [0.0],
            "external": {f"s3.{make.HOME}": {"calls": [1], "gb_out": [KB], "gb_in": [KB], "seconds": [0.1]}},
            "call_offset_s": {"B": [1.0]},
        }
    }
    assert summary.endpoints == {f"s3.{make.HOME}": {"service": "s3", "region": make.HOME, "hosts": []}}
    assert (summary.runs["id"], summary.runs["started_at"]) == (["run-1"], [make.START])
    assert summary.nodes["A"]["cpu_utilization"] == 0.25
    assert summary.nodes["A"]["allowed_regions"] == [make.HOME, make.AWAY]
    (edge,) = summary.edges
    assert edge["probability"] == 1.0
    assert edge["taken"] == [0]
    seen = {"run": [0], "payload_gb": [512 / GB], "latency_s": [0.1], "sent_gb": [1536 / GB]}
    assert edge["transfers"] == {f"{make.HOME}>{make.HOME}": seen}
    assert edge["sync"] is None
    assert edge["on_skip"] == []
    assert summary.entry["payload_gb"] == [1024 / GB]
    assert summary.entry["stays_home_share"] == 0.1


def test_summary_when_an_edge_is_sometimes_skipped_then_probability_and_notices_say_so(make, diamond):
    """One of four runs skips A → B: probability 0.75, and D hears of it in B's name."""
    skip = [["A#0"], [], [], []]
    records = [r for i, s in enumerate(skip) for r in make.simulate(diamond, f"run-{i}", skipped=s)]
    summary = summarise(records, diamond, make.manifest_of(diamond))
    edge = summary.edges[0]
    assert edge["probability"] == 0.75
    (notice,) = edge["on_skip"]
    assert (notice["predecessor"], notice["sync_node"]) == ("B", "D")
    # reported at once and delivered with D's message, which C's later report sent
    assert notice["transfers"] == {f"{make.HOME}>{make.HOME}": {"run": [0], "latency_s": [pytest.approx(0.12)]}}
    assert edge["taken"] == [1, 2, 3]


def test_join_latency_when_an_edge_reported_last_then_it_is_what_was_seen_and_else_what_it_would_have_been(
    make, diamond
):
    """Both edges into D have the seconds of their report and the delivery of D's message."""
    summary = summarise(make.simulate(diamond), diamond, make.manifest_of(diamond))
    latencies = [edge["transfers"][f"{make.HOME}>{make.HOME}"]["latency_s"] for edge in summary.edges]
    assert latencies == [[0.1], [0.1], [pytest.approx(0.12)], [pytest.approx(0.12)]]
    assert summary.edges[2]["sync"] == {"response_gb": 1024 / GB, "message_gb": 1024 / GB}


def test_join_latency_when_the_last_report_was_slow_then_only_its_edge_is_late(make, diamond):
    """D starts 5 s after C's call: that is C → D's latency, while B → D has its own seconds and the delivery."""
    records = {record.node: record for record in make.simulate(diamond)}
    c = records["C"]
    slow = dataclasses.replace(c.successors[0], seconds=4.9)
    call = c.started_at + slow.offset_s
    records["C"] = dataclasses.replace(c, successors=(slow,))
    records["D"] = dataclasses.replace(records["D"], sent_at=call + 4.9, started_at=call + 5)
    summary = summarise(records.values(), diamond, make.manifest_of(diamond))
    route = f"{make.HOME}>{make.HOME}"
    assert summary.edges[3]["transfers"][route]["latency_s"] == [pytest.approx(5.0)]
    assert summary.edges[2]["transfers"][route]["latency_s"] == [pytest.approx(0.12)]


def test_samples_when_runs_went_to_another_region_then_they_stand_under_that_region_and_route(make):
    """A moved node has runs there; home has what stayed."""
    graph = graph_of({"A": "B"}, name="example")
    records = make.simulate(graph, "r1") + make.simulate(graph, "r2", regions={"B": make.AWAY})
    summary = summarise(records, graph, make.manifest_of(graph))
    assert set(summary.nodes["B"]["runs"]) == {make.HOME, make.AWAY}
    assert set(summary.edges[0]["transfers"]) == {f"{make.HOME}>{make.HOME}", f"{make.HOME}>{make.AWAY}"}
    assert [runs["run"] for runs in summary.nodes["B"]["runs"].values()] == [[1], [0]]


def test_samples_when_a_node_never_ran_at_home_then_it_stands_where_it_ran(make):
    """The model moves it from there; nothing is said to have been observed at home."""
    graph = graph_of({"A": "B"}, name="example")
    summary = summarise(make.simulate(graph, regions={"B": make.AWAY}), graph, make.manifest_of(graph))
    assert set(summary.nodes["B"]["runs"]) == {make.AWAY}


def test_runs_when_one_is_not_whole_then_it_is_left_out_and_the_others_count(make, diamond):
    """A row is a run: one whose node failed, or is still to come, has no place in it."""
    records = make.simulate(diamond, "whole")
    torn = [record for record in make.simulate(diamond, "torn") if record.node != "B"]
    summary = summarise([*records, *torn], diamond, make.manifest_of(diamond))
    assert summary.runs["id"] == ["whole"]
    left_out = summary.provenance["records_left_out"]
    assert left_out == "3 records of a run in which B was called and has no successful record"


def test_attempts_when_the_first_failed_then_the_last_counts_and_the_latency_is_the_first_ones(make):
    """A retry waits a minute; that minute is no latency, and the failed attempt's duration no sample."""
    graph = graph_of({"A": "B"}, name="example")
    a, b = make.simulate(graph)
    failed = dataclasses.replace(b, error="ValueError: no", duration_s=0.1)
    retried = dataclasses.replace(b, attempt=2, started_at=b.started_at + 60, duration_s=3.0)
    summary = summarise([retried, a, failed], graph, make.manifest_of(graph))
    assert summary.nodes["B"]["runs"][make.HOME]["duration_s"] == [3.0]
    assert summary.edges[0]["transfers"][f"{make.HOME}>{make.HOME}"]["latency_s"] == [0.1]
    assert summary.provenance["records_left_out"] == "1 records of a failed attempt"


def test_latency_when_the_sender_was_retried_after_it_had_sent_then_it_is_not_negative(make):
    """The message left at the first attempt: its latency is the send's and the delivery's."""
    graph = graph_of({"A": "B"}, name="example")
    a, b = make.simulate(graph)
    retried = dataclasses.replace(a, attempt=2, started_at=a.started_at + 60)
    summary = summarise([retried, b], graph, make.manifest_of(graph))
    assert summary.edges[0]["transfers"][f"{make.HOME}>{make.HOME}"]["latency_s"] == [pytest.approx(0.12)]


def test_latency_when_a_message_was_rerouted_then_it_counts_as_taken_but_is_no_sample(make):
    """An unreachable region is an outage, not a latency."""
    graph = graph_of({"A": "B"}, name="example")
    a, b = make.simulate(graph, "r1")
    rerouted = dataclasses.replace(a, successors=(dataclasses.replace(a.successors[0], outcome=Outcome.REROUTED),))
    summary = summarise([rerouted, b, *make.simulate(graph, "r2")], graph, make.manifest_of(graph))
    assert summary.edges[0]["probability"] == 1.0
    assert summary.edges[0]["transfers"][f"{make.HOME}>{make.HOME}"]["latency_s"] == [0.1]


def test_latency_when_a_message_came_after_hours_then_it_is_no_sample(make):
    """Parked and sent again after an outage: not what a placement changes."""
    graph = graph_of({"A": "B"}, name="example")
    a, b = make.simulate(graph, "r1")
    records = [a, dataclasses.replace(b, started_at=b.started_at + 7200), *make.simulate(graph, "r2")]
    summary = summarise(records, graph, make.manifest_of(graph))
    assert summary.edges[0]["transfers"][f"{make.HOME}>{make.HOME}"]["latency_s"] == [0.1]
    assert len(summary.nodes["B"]["runs"][make.HOME]["duration_s"]) == 2


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"workflow": "other"}, "of another workflow"),
        ({"workflow_version": "9"}, "of another version"),
        ({"node": "Z"}, "of another graph"),
        ({"successors": ()}, "of another graph"),
        ({"memory_mb": 128}, "of a function with another memory size"),
        ({"region": "eu-west-1"}, "of a region that is no longer allowed"),
    ],
)
def test_records_when_they_are_of_another_program_then_they_are_left_out_with_the_reason(make, change, reason):
    """Only this workflow, version, graph, memory and regions count; the provenance says what was left out and why."""
    graph = graph_of({"A": "B"}, name="example")
    alien = dataclasses.replace(make.simulate(graph, "alien")[0], **change)
    summary = summarise([*make.simulate(graph), alien], graph, make.manifest_of(graph))
    assert summary.nodes["A"]["runs"][make.HOME]["duration_s"] == [2.0]
    assert f"1 records {reason}" in summary.provenance["records_left_out"]


def test_runs_when_there_are_more_than_asked_for_then_the_newest_count(make):
    """Of three runs the two newest are samples."""
    graph = graph_of({"A": "B"}, name="example")
    records = [r for i in range(3) for r in make.simulate(graph, f"r{i}", started_at=make.START + 100 * i)]
    summary = summarise(records, graph, make.manifest_of(graph), newest_runs=2)
    assert len(summary.entry["payload_gb"]) == 2
    assert "2 records of a run before the newest ones" in summary.provenance["records_left_out"]


def test_node_when_no_run_led_to_it_then_it_stays_home_without_runs_and_is_named(make, diamond):
    """A branch that was never taken has probability 0 and costs nothing: its node is not moved on no evidence."""
    summary = summarise(make.simulate(diamond, skipped=["A#0"]), diamond, make.manifest_of(diamond))
    assert summary.edges[0]["probability"] == 0.0
    assert summary.nodes["B"]["runs"] == {}
    assert summary.nodes["B"]["allowed_regions"] == [make.HOME]
    assert summary.provenance["unreached_nodes"].endswith("B")


@pytest.mark.parametrize(
    ("lost", "said"), [("A", "whose beginning is not recorded"), ("B", "in which B was called and has no successful")]
)
def test_node_when_it_was_called_but_never_observed_then_the_error_names_it_and_what_to_do(make, lost, said):
    """A problem without a node's runs would be a guess."""
    graph = graph_of({"A": "B"}, name="example")
    records = [record for record in make.simulate(graph) if record.node != lost]
    with pytest.raises(InvalidRecordError, match=rf"no run is whole.*of a run {said}.*run the workflow"):
        summarise(records, graph, make.manifest_of(graph))


def test_edges_when_two_of_a_node_have_the_same_target_then_each_has_a_key_of_its_own(make):
    """`call` is the key in `call_offset_s`, unique among the node's edges."""
    graph = graph_of({"A": "D D"}, sync="D", name="example")
    summary = summarise(make.simulate(graph), graph, make.manifest_of(graph))
    assert [edge["call"] for edge in summary.edges] == ["D#0", "D#1"]
    assert summary.nodes["A"]["runs"][make.HOME]["call_offset_s"] == {"D#0": [1.0], "D#1": [1.1]}


def test_redirector_when_no_start_was_forwarded_then_it_follows_from_messages_at_home(make):
    """Two calls as long as the entry's send; the delivery is that of a plain message."""
    graph = graph_of({"A": "B"}, name="example")
    summary = summarise(make.simulate(graph), graph, make.manifest_of(graph))
    redirector = summary.entry["redirector"]
    assert redirector["runs"][make.HOME]["duration_s"] == [pytest.approx(2 * make.SEND_S)]
    assert redirector["runs"][make.HOME]["call_offset_s"] == {"A": [pytest.approx(make.SEND_S)]}
    assert redirector["transfers"] == {f"{make.HOME}>{make.HOME}": {"payload_gb": [1024 / GB], "latency_s": [0.1]}}
    assert summary.provenance["redirector"] == "derived from messages at home"


def test_redirector_when_the_entry_calls_nobody_then_it_is_assumed_and_said_so(make):
    """A workflow of one node has no message to go by."""
    graph = graph_of({"A": "A"}, name="example")
    graph = dataclasses.replace(graph, edges=())
    summary = summarise(make.simulate(graph), graph, make.manifest_of(graph))
    assert summary.provenance["redirector"] == "assumed"
    assert summary.entry["redirector"]["runs"][make.HOME]["duration_s"] == [0.1]


def test_redirector_when_starts_were_forwarded_then_it_is_what_was_observed(make):
    """The hop's duration, when in it the message left, and the delivery to where the entry is placed."""
    graph = graph_of({"A": "B"}, name="example")
    away = {"A": make.AWAY, "B": make.AWAY}
    moved = make.simulate(graph, "r2", regions=away, started_at=make.START + 1)
    moved[0] = dataclasses.replace(moved[0], sent_at=make.START + 0.9)
    hop = make.record_of("A", run_id="r2", redirect=True, started_at=make.START + 0.5, duration_s=0.45, cpu_s=0.09)
    summary = summarise([*make.simulate(graph, "r1"), hop, *moved], graph, make.manifest_of(graph))
    redirector = summary.entry["redirector"]
    assert redirector["cpu_utilization"] == 0.2
    assert redirector["runs"][make.HOME] == {
        "duration_s": [0.45],
        "external_data_gb": [0.0],
        "call_offset_s": {"A": [pytest.approx(0.4)]},
    }
    assert redirector["transfers"][f"{make.HOME}>{make.AWAY}"]["latency_s"] == [pytest.approx(0.1)]
    assert summary.provenance["redirector"] == "observed"
    assert len(summary.nodes["A"]["runs"][make.AWAY]["duration_s"]) == 1


def test_summary_when_the_order_of_records_changes_then_it_is_the_same(make, diamond):
    """The table's order and a file's order give the same problem."""
    records = [r for i in range(3) for r in make.simulate(diamond, f"run-{i}", started_at=make.START + i)]
    manifest = make.manifest_of(diamond)
    assert summarise(records, diamond, manifest) == summarise(records[::-1], diamond, manifest)


def test_regions_of_a_problem_when_functions_allow_different_ones_then_all_and_home_are_there(make):
    """In the order of the known regions, each once."""
    graph = graph_of({"A": "B"}, name="example")
    manifest = make.manifest_of(graph, regions=(make.AWAY,))
    assert problem_regions(manifest) == (make.HOME, make.AWAY)


def test_summary_when_a_function_writes_runs_of_its_own_making_then_they_displace_nobody(make):
    """500 runs that only the second function knows of, newer than any true one: the entry's log has none of them."""
    graph = graph_of({"A": "B"}, name="example")
    true = [record for i in range(20) for record in make.simulate(graph, f"run-{i}", started_at=make.START + i)]
    made_up = [
        make.record_of("B", run_id=f"x{i}", started_at=make.START + 60 + i, duration_s=900.0) for i in range(500)
    ]
    manifest = make.manifest_of(graph)
    summary, honest = summarise([*true, *made_up], graph, manifest), summarise(true, graph, manifest)
    assert summary.nodes == honest.nodes
    assert summary.edges == honest.edges
    assert "500 records of a run whose beginning is not recorded" in summary.provenance["records_left_out"]
