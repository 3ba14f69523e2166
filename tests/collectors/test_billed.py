"""What a problem says of sizes that are billed."""

import dataclasses

from builders import graph_of

from caribou.collectors.summary import summarise
from caribou.model.run_settings import RunSettings

KB = 1024


def summary_of(make, graph, records, **changes):
    """The workflow's part of a problem."""
    return summarise(records, graph, make.manifest_of(graph, **changes))


def test_claim_when_plain_nodes_are_not_claimed_then_only_the_sync_node_has_one(make, diamond):
    """With `deduplicate: false` plain nodes run as often as their message comes."""
    summary = summary_of(make, diamond, make.simulate(diamond), runs=RunSettings(deduplicate=False))
    claims = {name: node["claim_bytes"] for name, node in summary.nodes.items()}
    assert claims.pop("D") > 100
    assert set(claims.values()) == {0}


def test_message_when_an_earlier_version_recorded_it_then_it_has_an_envelope_around_its_payload(make, diamond):
    """Its size was not recorded."""
    summary = summary_of(make, diamond, make.simulate(diamond))
    (seen,) = summary.edges[0]["transfers"].values()
    assert seen["sent_gb"] == [(512 + KB) / KB**3]


def test_message_when_its_size_was_recorded_then_it_is_that(make, diamond):
    """Smaller than the payload: the payload rests in a bucket."""
    records = [
        make.changed(r, successors=tuple(dataclasses.replace(s, message_bytes=400) for s in r.successors))
        for r in make.simulate(diamond)
    ]
    (seen,) = summary_of(make, diamond, records).edges[0]["transfers"].values()
    assert seen["sent_gb"] == [400 / KB**3]


def test_run_item_when_leaves_end_then_it_grows_by_their_names_and_results(make):
    """It is written as the run begins, at each leaf, and at the end."""
    graph = graph_of({"A": "B C"}, name="example")
    records = [
        make.changed(r, result_bytes={"A": None, "B": 100, "C": 0}[r.node], workflow="example")
        for r in make.simulate(graph)
    ]
    (begun, first, second, ended), *_ = summary_of(make, graph, records).runs["item_bytes"]
    assert first - begun == len("ended") + len("B") + len("result:B") + 100
    assert second - first == len("C")
    assert ended > second


def test_run_item_when_a_skip_ends_leaves_then_that_is_one_write(make):
    """A skipped call of a node behind which two leaves are, and a leaf that runs."""
    graph = graph_of({"A": "B C", "B": "D E"}, conditional="A#0", name="example")
    writes, *_ = summary_of(make, graph, make.simulate(graph, skipped=("A#0",))).runs["item_bytes"]
    assert len(writes) == 4
    assert writes[1] - writes[0] == len("ended") + len("DE")


def test_input_when_it_is_small_then_it_is_kept_up_to_some_size_of_the_map(make, diamond):
    """A large one never is, whatever the regions."""
    small = [make.changed(record, bytes_in=50) for record in make.simulate(diamond)]
    runs = summary_of(make, diamond, small).runs
    assert runs["input_bytes"] == [len("input") + 50]
    assert 2 <= runs["input_room_bytes"][0] < KB
    runs = summary_of(make, diamond, make.simulate(diamond)).runs
    assert (runs["input_bytes"], runs["input_room_bytes"]) == ([0], [0])
