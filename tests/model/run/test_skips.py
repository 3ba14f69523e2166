"""What follows from edges that aren't taken."""

from builders import graph_of

from caribou.model.run.skips import reach_of_skipped, reach_of_skipped_node


def _reached(skips):
    return [edge.id for edge in skips.sync_edges], list(skips.leaves)


def test_skip_when_a_plain_chain_follows_then_its_leaf_will_not_run():
    """A plain node has one way to run, so the skip goes on to the end."""
    graph = graph_of({"a": "b", "b": "c", "c": "d"})
    assert _reached(reach_of_skipped(graph.out_edges("a"), graph)) == ([], ["d"])


def test_skip_when_a_subtree_follows_then_all_its_leaves_and_sync_edges_are_found_in_order():
    """Both ends of a skip are found below any number of calls."""
    graph = graph_of({"a": "b s", "b": "c d e", "d": "s", "e": "f", "s": "t"}, sync="s")
    assert _reached(reach_of_skipped(graph.out_edges("a")[:1], graph)) == (["d#0"], ["c", "f"])


def test_skip_when_a_sync_node_is_met_then_it_does_not_go_through_it():
    """A sync node may still run by its other edges, so what is behind it isn't skipped yet."""
    graph = graph_of({"a": "s b", "b": "s", "s": "c"}, sync="s")
    assert _reached(reach_of_skipped(graph.out_edges("a")[:1], graph)) == (["a#0"], [])


def test_skip_when_an_edge_leads_to_a_sync_node_twice_then_both_edges_are_found():
    """Two calls of the same sync node are two edges."""
    graph = graph_of({"a": "s s"}, sync="s")
    assert _reached(reach_of_skipped(graph.out_edges("a"), graph)) == (["a#0", "a#1"], [])


def test_skipped_sync_node_when_it_has_successors_then_they_hear_of_it():
    """A sync node none of whose edges was taken passes the skip on, to nested sync nodes too."""
    graph = graph_of({"a": "s", "s": "t b", "t": "c"}, sync="s t")
    assert _reached(reach_of_skipped_node("s", graph)) == (["s#0"], ["b"])


def test_skipped_sync_node_when_it_is_a_leaf_then_it_is_the_leaf_that_will_not_run():
    """A leaf that is skipped has ended."""
    graph = graph_of({"a": "s"}, sync="s")
    assert _reached(reach_of_skipped_node("s", graph)) == ([], ["s"])
