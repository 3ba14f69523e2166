"""The placement's layer: what the runtime reads, and nothing that changes without a move."""

import json
from datetime import UTC, datetime

from caribou.constructs.placement_layer import placement_text
from caribou.model.placement import Placement, Plan


def placement(**origin):
    """A placement of one node, with what a solver says of it."""
    plan = Plan(tuple(range(24)), {"a:entry_point:0": "us-west-2"}, {"status": "optimal", "metrics": {"carbon_g": 1}})
    return Placement("w", "0.0.1", "us-east-1", (plan,), datetime(2026, 1, 8, tzinfo=UTC), origin)


def test_text_when_read_back_then_it_is_the_placement_without_reports():
    """Hours, regions and expiry survive; what the solver says of them stays out."""
    text = placement_text(placement(solver={"name": "s"}))
    read = Placement.from_json(json.loads(text))
    assert (read.digest, read.expires_at) == (placement().digest, placement().expires_at)
    assert "carbon_g" not in text


def test_text_when_only_the_solvers_words_differ_then_it_is_equal():
    """Solving again with the same result gives the same layer, so nothing is deployed anew."""
    first, second = placement(solver={"seconds": 1}), placement(solver={"seconds": 2}, problem_sha256="0" * 64)
    assert placement_text(first) == placement_text(second)
