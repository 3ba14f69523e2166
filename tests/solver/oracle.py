"""Expected carbon and cost of tree-shaped workflows in closed form, and their least by dynamic programming.

An oracle that shares nothing with the solver: it reads the problem as JSON, draws nothing, and adds expectations up.
Trees only: each node has one caller, so it runs with the product of the probabilities on its way.
"""

import math
from statistics import fmean

from problem_instances import HOME, REGIONS, entry, problem, region


def tree(rng, nodes, regions, *, observed):
    """A random tree-shaped problem; `observed` runs and messages, edges always taken if it is 1."""
    names = [*REGIONS, *(f"region-{i}" for i in range(20))][:regions]
    labels = [f"n{i}" for i in range(nodes)]
    callers = {label: rng.choice(labels[max(0, i - 4) : i]) for i, label in enumerate(labels) if i}
    facts = {name: region(600 * rng.random(), 0.9 + 0.2 * rng.random(), 0.9 + 0.3 * rng.random()) for name in names}
    for one in facts.values():
        one["carbon_intensity_g_per_kwh"]["hourly"] = [600 * rng.random() for _ in range(24)]

    def sizes():
        return [1e-4 * rng.random() for _ in range(observed)]

    def node(label):
        durations = [5 * rng.random() for _ in range(observed)]
        calls = {child: [0.5 * d for d in durations] for child, caller in callers.items() if caller == label}
        runs = {HOME: {"duration_s": durations, "external_data_gb": sizes(), "call_offset_s": calls}}
        return {
            "memory_mb": rng.choice([512, 1024]),
            "vcpu": None,
            "architecture": "x86_64",
            "allowed_regions": [HOME, *(r for r in names[1:] if rng.random() < 0.8)],
            "cpu_utilization": rng.random(),
            "runs": runs,
        }

    def edge(child):
        latency = [0.1 * rng.random() for _ in range(observed)]
        return {
            "from": callers[child],
            "to": child,
            "probability": 1.0 if observed == 1 else rng.choice([0.4, 1.0]),
            "transfers": {f"{HOME}>{HOME}": {"payload_gb": sizes(), "latency_s": latency}},
            "sync": None,
            "on_skip": [],
        }

    return problem(
        "tree",
        regions=facts,
        ping_s={a: {b: [0.05] for b in names} for a in names},
        carbon_model={
            "transmission_kwh_per_gb": 0.01 * rng.random(),
            "unknown_route_g_per_kwh": 410.0,
            "intra_region_transmission_free": rng.random() < 0.3,
            "external_data_home_share": rng.random(),
        },
        entry=entry(labels[0], sizes()),
        nodes={label: node(label) for label in labels},
        edges=[edge(child) for child in callers],
    )


def least(data, metric, hour):
    """The least expected carbon or cost of all placements, leaves first."""
    oracle = _Oracle(data, metric, hour)
    return min(oracle.best(data["entry"]["node"], r) + oracle.client(r) for r in oracle.allowed(data["entry"]["node"]))


def expected(data, regions, metric, hour):
    """The expected carbon or cost of a placement (node -> region)."""
    oracle = _Oracle(data, metric, hour)
    total = oracle.client(regions[data["entry"]["node"]])
    total += sum(oracle.run(name, regions[name]) for name in data["nodes"])
    return total + sum(oracle.message(edge, regions[edge["from"]], regions[edge["to"]]) for edge in data["edges"])


def _requests(gb):
    return max(1, math.ceil(math.ceil(gb * 1024**2 - 1e-9) / 64))


class _Oracle:
    def __init__(self, data, metric, hour):
        self.data, self.metric, self.hour = data, metric, hour
        self.model, self.known = data["carbon_model"], {}
        self.reached = {data["entry"]["node"]: 1.0}
        for edge in data["edges"]:
            self.reached[edge["to"]] = self.reached[edge["from"]] * edge["probability"]

    def allowed(self, name):
        return self.data["nodes"][name]["allowed_regions"]

    def best(self, name, where):
        if (name, where) not in self.known:
            total = self.run(name, where)
            for edge in self.data["edges"]:
                if edge["from"] == name:
                    child = edge["to"]
                    total += min(self.message(edge, where, r) + self.best(child, r) for r in self.allowed(child))
            self.known[name, where] = total
        return self.known[name, where]

    def run(self, name, where):
        node, facts = self.data["nodes"][name], self.data["regions"][where]
        seen = node["runs"][HOME]
        memory_gb = node["memory_mb"] / 1024
        slowness = facts["relative_run_time"] / self.data["regions"][HOME]["relative_run_time"]
        seconds = fmean(seen["duration_s"]) * slowness
        if self.metric == "cost":
            price = facts["price_usd"]
            usd = price["compute_per_gb_s"]["x86_64"] * memory_gb * seconds + price["invocation"]["x86_64"]
            return self.reached[name] * usd
        cpu = facts["cpu_kw_per_vcpu"]
        kw = (cpu["idle"] + node["cpu_utilization"] * (cpu["full"] - cpu["idle"])) * node["memory_mb"] / 1769
        kw += facts["memory_kw_per_gb"] * memory_gb
        grams = seconds / 3600 * kw * facts["pue"] * self._intensity(where)
        share = self.model["external_data_home_share"]
        per_kwh = (1 - share) * self.model["unknown_route_g_per_kwh"] + share * self._route(HOME, where)
        grams += fmean(seen["external_data_gb"]) * self.model["transmission_kwh_per_gb"] * per_kwh
        return self.reached[name] * grams

    def message(self, edge, source, target):
        sizes = edge["transfers"][f"{HOME}>{HOME}"]["payload_gb"]
        chance = self.reached[edge["to"]]
        if self.metric == "cost":
            egress = (
                self.data["regions"][source]["price_usd"]["egress_other_region_per_gb"] if source != target else 0.0
            )
            request = self.data["regions"][target]["price_usd"]["message_request"]
            return chance * (fmean(sizes) * egress + fmean(map(_requests, sizes)) * request)
        if source == target and self.model["intra_region_transmission_free"]:
            return 0.0
        return chance * fmean(sizes) * self.model["transmission_kwh_per_gb"] * self._route(source, target)

    def client(self, where):
        sizes = self.data["entry"]["payload_gb"]
        if self.metric == "cost":
            return fmean(map(_requests, sizes)) * self.data["regions"][where]["price_usd"]["message_request"]
        return fmean(sizes) * self.model["transmission_kwh_per_gb"] * self.model["unknown_route_g_per_kwh"]

    def _intensity(self, where):
        return self.data["regions"][where]["carbon_intensity_g_per_kwh"]["hourly"][self.hour]

    def _route(self, a, b):
        return (self._intensity(a) + self._intensity(b)) / 2
