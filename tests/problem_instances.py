"""Made-up problems as JSON objects: one to read and edit, and random ones that use every feature of the model."""

import copy
import random
from pathlib import Path

REGIONS = ("us-east-1", "us-west-2", "ca-central-1", "eu-west-1")
HOME = REGIONS[0]


SHIPPED = Path(__file__).parents[1] / "../shared/problems"
"""The shipped instances, where they are there."""
BEST_KNOWN = {
    "small_sync": -58.9,
    "image_processing": -38.6,
    "text2speech": -72.3,
    "text2speech_tight": -60.2,
    "map_reduce": -56.8,
    "map_reduce_tight": -51.1,
    "video_analytics": -70.3,
    "big": -55.2,
    "huge": -61.4,
}
"""Shipped instances to the best known change of carbon against home, at the average hour, in per cent."""


def region(intensity=400.0, slowness=1.0, price=1.0, pue=1.11, **prices):
    """A region's facts; the intensity is the same at every hour. `prices`: those not `price` times usual."""
    return {
        "carbon_intensity_g_per_kwh": {"average": intensity, "hourly": [intensity] * 24},
        "pue": pue,
        "cpu_kw_per_vcpu": {"idle": 0.00074, "full": 0.0035},
        "memory_kw_per_gb": 0.0003725,
        "relative_run_time": slowness,
        "price_usd": {
            "compute_per_gb_s": {"x86_64": 1.66667e-05 * price, "arm64": 1.33334e-05 * price},
            "invocation": {"x86_64": 2e-07 * price, "arm64": 2e-07 * price},
            "message_request": 5e-07 * price,
            "table_read_unit": 2.5e-07 * price,
            "table_write_unit": 1.25e-06 * price,
            "egress_other_region_per_gb": 0.02 * price,
            "egress_internet_per_gb": 0.09 * price,
            **prices,
        },
    }


def problem(name, **fields):
    """A problem: its regions, pings, entry, nodes and edges are among the fields, and what differs from the usual."""
    return {
        "schema": "caribou.problem/1",
        "workflow": {"name": name, "version": "0.0.1"},
        "home_region": HOME,
        "control_region": HOME,
        "carbon_model": {
            "transmission_kwh_per_gb": 0.001,
            "unknown_route_g_per_kwh": 410.0,
            "intra_region_transmission_free": False,
            "external_data_home_share": 0.5,
        },
        **fields,
        "objective": {
            "priority": ["carbon", "cost", "runtime"],
            "hard": {},
            "soft": {},
            "tail_percentile": 95,
            **fields.get("objective", {}),
        },
    }


def entry(node, payload_gb, **fields):
    """How runs begin: at home, without a redirector, if the fields do not say otherwise."""
    usual = {"plan_gb": 0.0, "plan_read_at_function_probability": 0.0, "redirector": None}
    return {"node": node, "payload_gb": payload_gb, **usual, **fields}


def is_sync(node, edges):
    """Whether several edges (caller, called node, ...) lead to a node."""
    return sum(target == node for _, target, *_ in edges) > 1


def ended_by_skip(edge, edges):
    """Pairs (predecessor, sync node) that are notified when an edge is skipped."""
    source, target, *_ = edge
    if is_sync(target, edges):
        return [(source, target)]
    return [pair for other in edges if other[0] == target for pair in ended_by_skip(other, edges)]


def chain():
    """Two nodes, `a` calls `b`; every sample list has one entry, so that expected values can be worked out by hand."""
    transfers = {f"{HOME}>{HOME}": {"payload_gb": [0.001], "latency_s": [0.1]}}
    redirector = {
        "cpu_utilization": 0.5,
        "runs": {HOME: {"duration_s": [0.2], "external_data_gb": [0.0], "call_offset_s": {"a": [0.15]}}},
        "transfers": transfers,
    }
    node = {"memory_mb": 1769, "vcpu": None, "architecture": "x86_64", "allowed_regions": list(REGIONS[:2])}
    return problem(
        "chain",
        control_region="us-west-2",
        regions={HOME: region(), "us-west-2": region(100.0, slowness=1.1, price=1.2)},
        ping_s={a: {b: [0.002 if a == b else 0.062] for b in REGIONS[:2]} for a in REGIONS[:2]},
        entry=entry("a", [0.002], plan_read_at_function_probability=1.0, redirector=redirector),
        nodes={
            "a": {
                **node,
                "cpu_utilization": 0.5,
                "runs": {HOME: {"duration_s": [2.0], "external_data_gb": [0.01], "call_offset_s": {"b": [1.5]}}},
            },
            "b": {
                **node,
                "cpu_utilization": 1.0,
                "runs": {HOME: {"duration_s": [4.0], "external_data_gb": [0.0], "call_offset_s": {}}},
            },
        },
        edges=[{"from": "a", "to": "b", "probability": 1.0, "transfers": transfers, "sync": None, "on_skip": []}],
    )


def made_up(seed, nodes=4, regions=3, **objective):
    """A random problem with joins, skips, parallel edges, several observed regions, a redirect and a share at home."""
    return _Maker(random.Random(seed), nodes, REGIONS[:regions]).problem(objective)


class _Maker:
    def __init__(self, rng, nodes, regions):
        self.rng, self.regions = rng, regions
        self.names = [f"n{i}" for i in range(nodes)]
        self.edges = self._edges()

    def problem(self, objective):
        some = self.rng.random
        entry_moves = some() < 0.8
        return problem(
            "made_up",
            control_region=self.rng.choice(self.regions),
            regions={name: self._region() for name in self.regions},
            ping_s={a: {b: [0.3 * some() for _ in range(3)] for b in self.regions} for a in self.regions},
            carbon_model={
                "transmission_kwh_per_gb": 0.005 * some(),
                "unknown_route_g_per_kwh": 410.0,
                "intra_region_transmission_free": some() < 0.3,
                "external_data_home_share": some(),
            },
            entry=entry(
                self.names[0],
                self._sizes(3),
                plan_gb=self.rng.choice([0.0, 1e-5]),
                plan_read_at_function_probability=self.rng.choice([0.0, 0.4, 1.0]),
                stays_home_share=self.rng.choice([0.0, 0.1]),
                redirector={
                    "cpu_utilization": some(),
                    "runs": {HOME: self._runs({self.names[0]})},
                    "transfers": self._transfers(),
                },
            ),
            nodes={name: self._node(name, moves=entry_moves or i > 0) for i, name in enumerate(self.names)},
            edges=[self._edge(i) for i in range(len(self.edges))],
            objective=objective,
        )

    def _edges(self):
        """Each node but the first has 1 to 3 callers before it, perhaps the same one twice."""
        edges = []
        for i, name in enumerate(self.names[1:], start=1):
            callers = [self.rng.choice(self.names[:i]) for _ in range(self.rng.choice([1, 1, 2, 3]))]
            edges += [(caller, name, f"{name}_{j}" if j else name) for j, caller in enumerate(callers)]
        return edges

    def _edge(self, index):
        source, target, call = self.edges[index]
        probability = self.rng.choice([0.3, 0.7, 1.0])
        notified = ended_by_skip(self.edges[index], self.edges) if probability < 1 else []
        sync = {"response_gb": self._size(), "message_gb": self._size()} if is_sync(target, self.edges) else None
        return {
            "from": source,
            "to": target,
            **({"call": call} if call != target else {}),
            "probability": probability,
            "transfers": self._transfers(),
            "sync": sync,
            "on_skip": [self._notice(*pair) for pair in notified],
        }

    def _notice(self, predecessor, sync_node):
        pairs = self._pairs() if self.rng.random() < 0.7 else []
        return {
            "predecessor": predecessor,
            "sync_node": sync_node,
            "response_gb": self._size(),
            "message_gb": self._size(),
            "transfers": {pair: {"latency_s": self._times(3, 0.5)} for pair in pairs},
        }

    def _node(self, name, *, moves):
        calls = {call for source, _, call in self.edges if source == name}
        away = [r for r in self.regions[1:] if self.rng.random() < 0.3]
        seen = [HOME, *away] if self.rng.random() < 0.9 or not away else away
        return {
            "memory_mb": self.rng.choice([512, 1769]),
            "vcpu": self.rng.choice([None, 1.0]),
            "architecture": self.rng.choice(["x86_64", "arm64"]),
            "allowed_regions": list(self.regions) if moves else [HOME],
            "cpu_utilization": self.rng.random(),
            "runs": {r: self._runs(calls) for r in seen},
        }

    def _runs(self, calls):
        count = self.rng.randint(1, 4)
        durations = self._times(count, 3.0)
        return {
            "duration_s": durations,
            "external_data_gb": self._sizes(count),
            "call_offset_s": {call: [d * self.rng.random() for d in durations] for call in sorted(calls)},
        }

    def _region(self):
        made = region(600 * self.rng.random(), 0.8 + 0.5 * self.rng.random(), 0.8 + 0.5 * self.rng.random())
        made["carbon_intensity_g_per_kwh"]["hourly"] = [600 * self.rng.random() for _ in range(24)]
        return made

    def _pairs(self):
        others = [f"{a}>{b}" for a in self.regions for b in self.regions if (a, b) != (HOME, HOME)]
        home = [f"{HOME}>{HOME}"] if self.rng.random() < 0.8 or not others else []
        return [*home, *self.rng.sample(others, self.rng.randint(0 if home else 1, min(2, len(others))))]

    def _transfers(self):
        pairs = self._pairs()
        return {pair: {"payload_gb": self._sizes(4), "latency_s": self._times(4, 0.5)} for pair in pairs}

    def _size(self):
        return self.rng.choice([1e-6, 6e-6, 2e-5, 1e-4]) * (0.5 + self.rng.random())

    def _sizes(self, count):
        return [self._size() for _ in range(count)]

    def _times(self, count, most):
        return [most * self.rng.random() for _ in range(count)]


def changed(data, path, value):
    """The data with a value at a path of keys and indices; `...` removes it."""
    data = copy.deepcopy(data)
    *parents, last = path
    place = data
    for key in parents:
        place = place[key]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return data
