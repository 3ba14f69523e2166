"""A function's role and its loop detection, on graphs that are larger than any workflow at hand."""

import itertools
import json

import pytest
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from hypothesis import given
from hypothesis import strategies as st

from caribou.constructs.workflow_function import FunctionProps, WorkflowFunction, most_visits
from caribou.constructs.workflow_role import RoleProps, WorkflowRole, functions_started_by
from caribou.model.graph import Edge, Function, Graph, Node
from caribou.model.names import WorkflowNames
from caribou.model.regions import KNOWN_REGIONS

POLICY_LIMIT_BYTES = 10_240  # IAM: all inline policies of a role, white space not counted


def chain(functions):
    """A graph whose only path visits functions in an order, each node a call site."""
    nodes = tuple(Node(f"n{i}", function) for i, function in enumerate(functions))
    edges = tuple(Edge(a.name, 0, b.name) for a, b in itertools.pairwise(nodes))
    registered = tuple(Function(name, "app", name, i == 0) for i, name in enumerate(dict.fromkeys(functions)))
    return Graph("long_workflow_name", "0.0.1", registered, nodes, edges)


def star(successors):
    """A graph whose entry has many successors."""
    names = [f"a_successor_with_a_name_{i}" for i in range(successors)]
    nodes = (Node("entry", "entry"), *(Node(name, name) for name in names))
    edges = tuple(Edge("entry", i, name) for i, name in enumerate(names))
    functions = (Function("entry", "app", "entry", entry_point=True), *(Function(n, "app", n) for n in names))
    return Graph("long_workflow_name", "0.0.1", functions, nodes, edges)


def props(graph, function, folder):
    """A function's props, with an empty folder as its code."""
    role = RoleProps(function, graph, WorkflowNames(graph.workflow), "us-east-1", ("us-east-1", "us-west-2"))
    code = lambda_.Code.from_asset(str(folder))
    return FunctionProps(role, code, "3.13", "arm64", timeout_s=60, memory_mb=1024, log_retention_days=30)


@pytest.mark.parametrize(("visits", "expected"), [(10, None), (11, "Allow")])
def test_recursive_loop_when_a_path_visits_a_function_often_then_it_is_allowed(
    stack, resources, visits, expected, empty
):
    """Lambda would stop a run that visits a function about 16 times: past ten our functions say that this is meant."""
    WorkflowFunction(stack, "F", props(chain(["start", *["again"] * visits]), "again", empty))
    (function,) = resources(stack, "AWS::Lambda::Function")
    assert function["Properties"].get("RecursiveLoop") == expected


def test_most_visits_when_branches_share_a_function_then_only_one_path_counts():
    """Parallel visits are no loop: only what follows each other adds up."""
    nodes = (Node("a", "a"), Node("b1", "b"), Node("b2", "b"), Node("j", "b", sync=True))
    edges = (Edge("a", 0, "b1"), Edge("a", 1, "b2"), Edge("b1", 0, "j"), Edge("b2", 0, "j"))
    graph = Graph("w", "0.0.1", (Function("a", "app", "a"), Function("b", "app", "b")), nodes, edges)
    assert most_visits(graph, "b") == 2


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=30))
def test_most_visits_when_the_graph_is_a_chain_then_it_is_the_count(functions):
    """On a chain the one path visits a function as often as it occurs."""
    assert most_visits(chain(functions), functions[0]) == functions.count(functions[0])


def test_function_when_on_arm_then_its_architecture_says_so(stack, resources, empty):
    """The manifest's architecture and Python reach the function."""
    WorkflowFunction(stack, "F", props(chain(["start", "next"]), "start", empty))
    (function,) = resources(stack, "AWS::Lambda::Function")
    found = {key: function["Properties"][key] for key in ("Architectures", "Runtime", "Handler", "FunctionName")}
    assert found == {
        "Architectures": ["arm64"],
        "Runtime": "python3.13",
        "Handler": "caribou.runtime.handler.handle",
        "FunctionName": "caribou-dev-long_workflow_name-start",
    }


def test_role_when_ten_successors_are_allowed_in_twenty_regions_then_its_policy_fits(stack, resources):
    """Regions are a condition and not a factor, so the policy stays below IAM's limit."""
    role = RoleProps("entry", star(10), WorkflowNames("long_workflow_name"), "us-east-1", KNOWN_REGIONS[:20])
    WorkflowRole(stack, "Role", role, logs.LogGroup(stack, "Log"))
    (policy,) = resources(stack, "AWS::IAM::Policy")
    document = json.dumps(policy["Properties"]["PolicyDocument"], separators=(",", ":"))
    assert 2_000 < len(document) < POLICY_LIMIT_BYTES


def test_functions_started_by_when_a_sync_node_lies_behind_then_it_is_among_them():
    """A last report or a skip may fire any sync node behind a function, and the entry forwards to itself."""
    nodes = (Node("a", "a"), Node("b", "b"), Node("c", "c"), Node("j", "j", sync=True))
    edges = (Edge("a", 0, "b"), Edge("b", 0, "c"), Edge("b", 1, "j"), Edge("c", 0, "j"))
    graph = Graph("w", "0.0.1", tuple(Function(name, "app", name) for name in "abcj"), nodes, edges)
    started = {name: functions_started_by(name, graph) for name in "abcj"}
    assert started == {"a": ("a", "b", "j"), "b": ("c", "j"), "c": ("j",), "j": ()}
