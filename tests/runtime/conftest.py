"""Small graphs, and user code for them."""

from collections import defaultdict

import builders
import pytest

from caribou.model.placement import ALL_HOURS, Placement, Plan
from caribou.model.run_settings import RunSettings
from caribou.runtime import CaribouWorkflow
from caribou.runtime.settings import Settings

HOME, AWAY, FAR = "us-east-1", "us-west-2", "ca-central-1"


class Script:
    """User code in which every function calls its successors in order, edge by edge.

    `skip` has the ids of edges whose condition is false, `payloads` what is sent along an edge (its id by default),
    `flaky` how often a function fails at its end. `received` has what each function was given, one a try.
    """

    def __init__(self, graph, skip=(), payloads=None, flaky=None):
        self.graph, self.skip, self.payloads, self.flaky = graph, set(skip), payloads or {}, dict(flaky or {})
        self.received = defaultdict(list)
        self.workflow = CaribouWorkflow("flow", "0.0.1")
        self.functions = {function.name: self._function(function.name) for function in graph.functions}

    def _function(self, name):
        node = next(node for node in self.graph.nodes if node.function == name)

        def function(payload):
            self.received[name].append(self.workflow.get_predecessor_data() if node.sync else payload)
            for edge in self.graph.out_edges(node.name):
                target = self.functions[self.graph.node(edge.target).function]
                sent = self.payloads.get(edge.id, edge.id)
                self.workflow.invoke_serverless_function(target, sent, edge.id not in self.skip)
            if self.flaky.get(name, 0):
                self.flaky[name] -= 1
                raise RuntimeError(f"{name} fails")
            return name

        return self.workflow.serverless_function(name=name)(function)


def _placement_of(graph, regions, hours=ALL_HOURS, **fields):
    """A placement of some nodes in some hours; the rest is at home."""
    everywhere = {node.name: HOME for node in graph.nodes}
    plans = [Plan(tuple(hours), everywhere | regions)]
    if rest := tuple(hour for hour in ALL_HOURS if hour not in hours):
        plans.append(Plan(rest, everywhere))
    return Placement(graph.workflow, graph.version, HOME, tuple(plans), **fields)


def _settings_of(graph, *, region=HOME, function=None, **runs):
    """The settings of a function, the entry's at home by default; `runs` are settings of the manifest."""
    settings = RunSettings(**{"run_deadline_s": 3600, **runs})
    return Settings(graph, graph.entry.function if function is None else function, HOME, region, "test", settings)


@pytest.fixture(scope="session")
def graph_of():
    """Make a graph; see `builders.graph_of`."""
    return builders.graph_of


@pytest.fixture(scope="session")
def script_of():
    """Make user code for a graph; see `Script`."""
    return Script


@pytest.fixture(scope="session")
def placement_of():
    """Make a placement; see `_placement_of`."""
    return _placement_of


@pytest.fixture(scope="session")
def settings_of():
    """Make settings; see `_settings_of`."""
    return _settings_of
