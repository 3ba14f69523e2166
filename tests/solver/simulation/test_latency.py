"""Latencies between regions, from those that were observed, and the numbers that draw them."""

import numpy as np
import pytest

from caribou.model.schema.problem import Transfers
from caribou.solver.simulation.latency import Geography, kb, latency_of_sizes, message_latency, notice_latency, size_bin
from caribou.solver.simulation.random_streams import Purpose, RandomStreams

KB = 1 / 1024**2
GEOGRAPHY = Geography(("home", "near", "far"), 0, np.array([[0.0, 0.1, 0.2], [0.1, 0.0, 0.3], [0.2, 0.3, 0.0]]))
U = np.array([0.0, 0.5, 0.999])


def transfers(*sizes_and_latencies):
    """Observed messages, sizes in KB."""
    sizes, latencies = zip(*sizes_and_latencies, strict=True)
    return Transfers(payload_gb=tuple(size * KB for size in sizes), latency_s=latencies)


def seconds(latency, source, target):
    """The latencies between two regions."""
    return latency.seen[latency.row[source, target]] + latency.shift[source, target]


def test_sizes_when_rounded_then_whole_kb_and_bins_round_up():
    """6 KB is 6 KB and falls in the first bin of 10 KB; a byte more than 10 KB in the second."""
    assert kb(6 * KB) == 6
    assert kb(6.001 * KB) == 7
    assert size_bin(np.array([6 * KB, 10 * KB, 10.001 * KB])).tolist() == [1, 1, 2]


def test_latency_when_size_was_seen_then_is_drawn_from_its_bin_with_every_sample_possible():
    """Each latency of the bin is equally likely, the last one too."""
    observed = transfers((5, 0.1), (6, 0.2), (7, 0.3), (55, 9.0))
    assert latency_of_sizes(observed, np.full(3, 5 * KB), U).tolist() == [0.1, 0.2, 0.3]


def test_latency_when_size_was_not_seen_then_follows_the_line_within_its_range():
    """Between two sizes the line; far beyond them 1.3 times the average."""
    observed = transfers((5, 0.2), (45, 0.3))
    found = latency_of_sizes(observed, np.array([25 * KB, 4000 * KB]), U[:2])
    assert found == pytest.approx([0.25, 1.3 * 0.25])


def test_latency_when_larger_was_faster_then_is_the_average():
    """A falling line makes no sense: the average of the bins stands in."""
    observed = transfers((5, 0.4), (45, 0.2))
    assert latency_of_sizes(observed, np.array([25 * KB]), U[:1]) == pytest.approx([0.3])


def test_pair_when_never_seen_then_is_home_and_the_farther_ping():
    """Once for a plain message, five times into a sync node; never less than at home."""
    seen = {"home>home": transfers((5, 0.1))}
    once, five = (message_latency(seen, np.full(3, 5 * KB), U, GEOGRAPHY, k) for k in (1.0, 5.0))
    assert seconds(once, 0, 2) == pytest.approx([0.3] * 3)
    assert seconds(five, 1, 2) == pytest.approx([0.1 + 5 * 0.3] * 3)
    assert seconds(five, 2, 2) == pytest.approx([0.1] * 3)


def test_pair_when_seen_then_uses_its_own_samples_without_pings():
    """What was observed needs no estimate."""
    seen = {"home>home": transfers((5, 0.1)), "home>far": transfers((5, 0.7))}
    latency = message_latency(seen, np.full(3, 5 * KB), U, GEOGRAPHY, 5.0)
    assert seconds(latency, 0, 2) == pytest.approx([0.7] * 3)
    assert seconds(latency, 0, 1) == pytest.approx([0.6] * 3)


def test_pair_when_nothing_was_seen_at_home_then_starts_from_the_pair_seen_most():
    """The most often observed pair stands in; a nearer pair is not taken to be faster than it."""
    seen = {"near>far": transfers((5, 0.5)), "home>far": transfers((5, 0.4), (5, 0.4))}
    latency = message_latency(seen, np.full(3, 5 * KB), U, GEOGRAPHY, 1.0)
    assert seconds(latency, 0, 0) == pytest.approx([0.4] * 3)
    assert seconds(latency, 2, 1) == pytest.approx([0.5] * 3)


def test_notice_when_its_pair_was_not_seen_then_takes_its_edges_latency():
    """Own samples where seen, else the edge's with five pings, else its own with five pings."""
    edge = message_latency({"home>home": transfers((5, 0.1))}, np.full(3, 5 * KB), U, GEOGRAPHY, 5.0)
    latency = notice_latency({"home>far": [0.9]}, edge, U, GEOGRAPHY)
    assert seconds(latency, 0, 2) == pytest.approx([0.9] * 3)
    assert seconds(latency, 0, 1) == pytest.approx([0.6] * 3)
    alone = notice_latency({"home>home": [0.2]}, None, U, GEOGRAPHY)
    assert seconds(alone, 0, 1) == pytest.approx([0.7] * 3)


def test_draws_when_more_are_asked_for_then_the_first_stay_the_same():
    """More samples and other parts of them do not change a sample's number; another purpose or seed does."""
    few, many = (RandomStreams(1, 0, count).uniform(Purpose.EDGE_TAKEN, 3) for count in (10, 50))
    np.testing.assert_array_equal(few, many[:10])
    np.testing.assert_array_equal(RandomStreams(1, 10, 50).uniform(Purpose.EDGE_TAKEN, 3), many[10:])
    for other in (
        RandomStreams(2, 0, 10).uniform(Purpose.EDGE_TAKEN, 3),
        RandomStreams(1, 0, 10).uniform(Purpose.EDGE_TAKEN, 4),
    ):
        assert (other != few).all()
