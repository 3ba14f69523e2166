"""The digest of a call: it knows one call from another, by what its source says and not how."""

import textwrap

import pytest

from caribou.model.source.derive import derive_graph

APP = """
from caribou.runtime import CaribouWorkflow

workflow = CaribouWorkflow(name="shop", version="0.0.1")


@workflow.serverless_function(entry_point=True)
def start(event):
{body}


@workflow.serverless_function()
def join(event):
    return workflow.get_predecessor_data()
"""
HELPER = """

def send(workflow, function, part):
    workflow.invoke_serverless_function(function, part)
"""
X = 'workflow.invoke_serverless_function(join, {"part": "x"})\n'
Y = 'workflow.invoke_serverless_function(join, {"part": "y"}, event["is_wanted"])\n'


def calls_of(folder, body, helper=""):
    """The digests of the entry's calls; the graph that it is of has them when it is read back, too."""
    (folder / "app.py").write_text(APP.format(body=textwrap.indent(body, "    ")) + helper)
    graph = derive_graph(folder)
    assert type(graph).from_json(graph.to_json()) == graph
    return graph.function("start").calls


def test_calls_when_they_change_places_then_so_do_their_digests(tmp_path):
    """Nodes and edges are the same: this alone knows them apart."""
    first, second = calls_of(tmp_path, X + Y)
    assert calls_of(tmp_path, Y + X) == (second, first)


@pytest.mark.parametrize(
    "body",
    [
        'print("mended")\n' + X,
        X.replace(", {", ",  # a remark\n    {"),
        X.replace('"', "'"),
        X.replace('"x"', 'u"x"'),
        f"with open(event) as _:\n    {X}",
    ],
    ids=["another statement", "layout and comment", "quotes", "a mark of old", "in a block"],
)
def test_call_when_what_it_says_is_the_same_then_its_digest_is_too(tmp_path, body):
    """What stands around it may be mended."""
    assert calls_of(tmp_path, body) == calls_of(tmp_path, X)


@pytest.mark.parametrize(
    "call",
    [
        X.replace('"x"', '"z"'),
        X.replace('"x"', "b'x'"),
        X.replace('"x"})', '"x"}, True)'),
        X.replace("{", "{**event, "),
    ],
)
def test_call_when_it_says_something_else_then_its_digest_is_another(tmp_path, call):
    """Payload, type, condition."""
    assert calls_of(tmp_path, call) != calls_of(tmp_path, X)


def test_call_when_it_stands_in_a_helper_then_the_calls_that_lead_there_count_too(tmp_path):
    """The helper's own call says the same of both."""
    one, other = 'send(workflow, join, "x")\n', 'send(workflow, join, "y")\n'
    first, second = calls_of(tmp_path, one + other, HELPER)
    assert first != second
    assert calls_of(tmp_path, other + one, HELPER) == (second, first)


def test_call_when_its_payload_is_deeper_than_python_recurses_then_it_has_a_digest_all_the_same(tmp_path):
    """A long sum is nested as deep as it is long."""
    (digest,) = calls_of(tmp_path, f"workflow.invoke_serverless_function(join, {' + '.join(['1'] * 900)})\n")
    assert len(digest) == 6
