"""The model in plain Python, one run after the other, written from docs/model.md: slow, simple, to compare with.

It reads the problem as JSON and shares nothing with the solver but the uniform numbers.
"""

import math
from collections import defaultdict
from itertools import product
from statistics import fmean

import numpy as np

from caribou.solver.simulation.random_streams import Purpose, RandomStreams


def runs_of(data, regions, *, hour, seed, samples):
    """Carbon in g, cost in USD and run time in s of each run of a placement (node -> region)."""
    numbers = _Numbers(RandomStreams(seed, 0, samples))
    home = dict.fromkeys(regions, data["home_region"])
    moved = _moved(data, samples)
    return [
        _Run(data, regions if run < moved else home, hour, lambda *what, s=run: float(numbers.of(what)[s])).result()
        for run in range(samples)
    ]


def best_placement(data, *, hour, seed, samples):
    """The best placement by trying them all: node -> region, None if none is feasible."""
    names = list(data["nodes"])
    everything = product(*(data["nodes"][name]["allowed_regions"] for name in names))
    home = _summary(data, dict.fromkeys(names, data["home_region"]), hour, seed, samples)
    ranked = []
    for regions in (dict(zip(names, chosen, strict=True)) for chosen in everything):
        means, tails = _summary(data, regions, hour, seed, samples)
        goal = data["objective"]
        if any(tails[m] > _limit(limit, home[1][m]) for m, limit in goal["hard"].items()):
            continue
        violated = sum(means[m] > _limit(limit, home[0][m]) for m, limit in goal["soft"].items())
        ranked.append(((violated, *(means[m] for m in goal["priority"])), regions))
    return min(ranked, key=lambda entry: entry[0]) if ranked else None


def _limit(limit, at_home):
    return limit["value"] if limit["type"] == "absolute" else limit["value"] / 100 * at_home


def _summary(data, regions, hour, seed, samples):
    runs = runs_of(data, regions, hour=hour, seed=seed, samples=samples)
    metrics = dict(zip(("carbon", "cost", "runtime"), zip(*runs, strict=True), strict=True))
    percentile = data["objective"]["tail_percentile"]
    moved = _moved(data, samples)
    bounded = {"carbon": moved, "cost": moved, "runtime": samples}  # what limits on tails are on
    return {m: fmean(v) for m, v in metrics.items()}, {
        m: float(np.percentile(v[: bounded[m]], percentile)) for m, v in metrics.items()
    }


def _moved(data, samples):
    return samples - min(round(data["entry"].get("stays_home_share", 0.0) * samples), samples - 1)


class _Numbers:
    def __init__(self, streams):
        self.streams, self.known = streams, {}

    def of(self, what):
        if what not in self.known:
            self.known[what] = self.streams.uniform(*what)
        return self.known[what]


def _kb(gb):
    return math.ceil(gb * 1024**2 - 1e-9)


def _requests(gb):
    return max(1, math.ceil(_kb(gb) / 64))


def _pick(values, u):
    return values[int(u * len(values))]


class _Run:
    """One run of a placement."""

    def __init__(self, data, regions, hour, number):
        self.data, self.at, self.number = data, regions, number
        self.home, self.regions = data["home_region"], data["regions"]
        self.hour = hour
        self.carbon = self.cost = self.end = 0.0
        self.start, self.invoked, self.inbox = {}, {}, defaultdict(list)

    def result(self):
        self._begin()
        for node in self._order():
            if node != self.data["entry"]["node"]:
                self._receive(node)
            if self.invoked[node]:
                self._execute(node)
            elif self._is_sync(node):
                self._pass_on(node)
        return self.carbon, self.cost, self.end

    # --- prices, grids and distances

    def _intensity(self, region):
        grid = self.regions[region]["carbon_intensity_g_per_kwh"]
        return grid["average"] if self.hour is None else grid["hourly"][self.hour]

    def _price(self, region):
        return self.regions[region]["price_usd"]

    def _route(self, a, b, *, tracked=True):
        if tracked and a == b and self.data["carbon_model"]["intra_region_transmission_free"]:
            return 0.0
        return (self._intensity(a) + self._intensity(b)) / 2

    def _move(self, gb, sender, receiver):
        """Data between regions: its carbon, and the sender's egress."""
        self.carbon += gb * self.data["carbon_model"]["transmission_kwh_per_gb"] * self._route(sender, receiver)
        if sender != receiver:
            prices = self._price(sender)
            other = prices["egress_other_region_per_gb"]
            self.cost += gb * prices.get("egress_to_per_gb", {}).get(receiver, other)

    def _from_client(self, gb):
        model = self.data["carbon_model"]
        self.carbon += gb * model["transmission_kwh_per_gb"] * model["unknown_route_g_per_kwh"]

    def _ping(self, a, b):
        return fmean(self.data["ping_s"][a][b])

    def _latency(self, transfers, size, pair, u, pings):
        key = ">".join(pair)
        if key in transfers:
            return self._seen_latency(transfers[key], size, u)
        base = self._base(transfers)
        farther = max(0.0, self._ping(*pair) - self._ping(*base.split(">")))
        seen = transfers[base]
        return self._seen_latency(seen, size, u) + pings * farther

    def _base(self, transfers):
        at_home = f"{self.home}>{self.home}"
        return at_home if at_home in transfers else max(transfers, key=lambda key: len(transfers[key]["latency_s"]))

    @staticmethod
    def _seen_latency(seen, size, u):
        if "payload_gb" not in seen:
            return _pick(seen["latency_s"], u)

        def bin_of(gb):
            return math.ceil(gb * 1024**2 / 10 - 1e-9)

        bins = defaultdict(list)
        for gb, seconds in zip(seen["payload_gb"], seen["latency_s"], strict=True):
            bins[bin_of(gb)].append(seconds)
        if bin_of(size) in bins:
            return _pick(bins[bin_of(size)], u)
        average = fmean(fmean(values) for values in bins.values())
        slope, intercept = np.polyfit(seen["payload_gb"], seen["latency_s"], 1)
        if intercept <= 0 or slope < 0:
            slope, intercept = 0.0, average
        return min(max(slope * size + intercept, 0.7 * average), 1.3 * average)

    def _notice_latency(self, notice, size, pair, u):
        own = notice["transfers"]
        if ">".join(pair) in own:
            return self._latency(own, size, pair, u, 5)
        edge = next(
            e for e in self.data["edges"] if (e["from"], e["to"]) == (notice["predecessor"], notice["sync_node"])
        )
        return self._latency(edge["transfers"], size, pair, u, 5)

    # --- the graph

    def _order(self):
        left, order = list(self.data["nodes"]), []
        while left:
            node = next(n for n in left if not any(e["to"] == n and e["from"] in left for e in self.data["edges"]))
            left.remove(node)
            order.append(node)
        return order

    def _is_sync(self, node):
        return any(e["to"] == node and e["sync"] for e in self.data["edges"])

    def _ended(self, edge):
        if edge["sync"]:
            return [edge]
        return [end for e in self.data["edges"] if e["from"] == edge["to"] for end in self._ended(e)]

    # --- what happens

    def _begin(self):
        entry = self.data["entry"]
        node, where = entry["node"], self.at[entry["node"]]
        payload = _pick(entry["payload_gb"], self.number(Purpose.ENTRY_PAYLOAD))
        at_function = self.number(Purpose.PLAN_READ_AT_FUNCTION) < entry["plan_read_at_function_probability"]
        redirected = at_function and where != self.home
        self._from_client(payload)
        self.cost += _requests(payload) * self._price(self.home if redirected else where)["message_request"]
        units = math.ceil(_kb(entry["plan_gb"]) / 4)
        if at_function:
            self.cost += units * self._price(self.home)["table_read_unit"]
            kwh = entry["plan_gb"] * self.data["carbon_model"]["transmission_kwh_per_gb"]
            self.carbon += kwh * self._route(self.data["control_region"], self.home)
        else:
            self.cost += units * self._price(self.data["control_region"])["table_read_unit"]
            self._from_client(entry["plan_gb"])
        self.invoked[node] = True
        self.start[node] = self._redirect(where) if redirected else 0.0

    def _redirect(self, where):
        entry = self.data["entry"]
        redirector = entry["redirector"]
        u = self.number(Purpose.REDIRECTOR_RUN)
        runs = redirector["runs"][self.home]
        self._account_run(
            self.data["nodes"][entry["node"]],
            redirector["cpu_utilization"],
            self.home,
            _pick(runs["duration_s"], u),
            _pick(runs["external_data_gb"], u),
        )
        self.end = max(self.end, _pick(runs["duration_s"], u))
        sizes = [gb for seen in redirector["transfers"].values() for gb in seen["payload_gb"]]
        size = _pick(sizes, self.number(Purpose.REDIRECTOR_PAYLOAD))
        self._move(size, self.home, where)
        self.cost += _requests(size) * self._price(where)["message_request"]
        u_latency = self.number(Purpose.REDIRECTOR_LATENCY)
        latency = self._latency(redirector["transfers"], size, (self.home, where), u_latency, 1)
        return _pick(runs["call_offset_s"][entry["node"]], u) + latency

    def _account_run(self, node, utilization, where, duration, external):
        region, price = self.regions[where], self._price(where)
        cpu = region["cpu_kw_per_vcpu"]
        vcpu = node["vcpu"] or node["memory_mb"] / 1769
        kw = (cpu["idle"] + utilization * (cpu["full"] - cpu["idle"])) * vcpu
        kw += region["memory_kw_per_gb"] * node["memory_mb"] / 1024
        self.carbon += duration / 3600 * kw * region["pue"] * self._intensity(where)
        model = self.data["carbon_model"]
        share = model["external_data_home_share"]
        route = (1 - share) * model["unknown_route_g_per_kwh"]
        route += share * self._route(self.home, where, tracked=False)
        self.carbon += external * model["transmission_kwh_per_gb"] * route
        architecture = node["architecture"]
        self.cost += price["compute_per_gb_s"][architecture] * node["memory_mb"] / 1024 * duration
        self.cost += price["invocation"][architecture]

    def _execute(self, name):
        node, where = self.data["nodes"][name], self.at[name]
        observed = node["runs"]
        base = self.home if self.home in observed else max(observed, key=lambda r: len(observed[r]["duration_s"]))
        source = where if where in observed else base
        factor = self.regions[where]["relative_run_time"] / self.regions[source]["relative_run_time"]
        u = self.number(Purpose.NODE_RUN, list(self.data["nodes"]).index(name))
        runs = observed[source]
        duration = _pick(runs["duration_s"], u) * factor
        self._account_run(node, node["cpu_utilization"], where, duration, _pick(runs["external_data_gb"], u))
        self.end = max(self.end, self.start[name] + duration)
        for index, edge in enumerate(self.data["edges"]):
            if edge["from"] == name:
                offset = _pick(runs["call_offset_s"][edge.get("call", edge["to"])], u) * factor
                self._call(index, edge, self.start[name] + offset)

    def _call(self, index, edge, time):
        if self.number(Purpose.EDGE_TAKEN, index) < edge["probability"]:
            sizes = [gb for seen in edge["transfers"].values() for gb in seen["payload_gb"]]
            size = _pick(sizes, self.number(Purpose.EDGE_PAYLOAD, index))
            pair = (self.at[edge["from"]], self.at[edge["to"]])
            u = self.number(Purpose.EDGE_LATENCY, index)
            arrival = time + self._latency(edge["transfers"], size, pair, u, 5 if edge["sync"] else 1)
            sync = edge["sync"] or {"response_gb": 0.0, "message_gb": size}
            self.inbox[edge["to"]].append(((0, index, 0), arrival, edge["from"], time, size, sync))
        else:
            for place, notice in enumerate(edge["on_skip"]):
                self._notify((index, place), notice, edge["from"], time)

    def _notify(self, place, notice, sender, time):
        pair = (self.at[sender], self.at[notice["sync_node"]])
        message = _kb(notice["message_gb"]) / 1024**2
        u = self.number(Purpose.NOTICE_LATENCY, *place)
        arrival = time + self._notice_latency(notice, message, pair, u)
        sync = {"response_gb": notice["response_gb"], "message_gb": message}
        self.inbox[notice["sync_node"]].append(((1, *place), arrival, sender, None, None, sync))

    def _pass_on(self, name):
        for index, edge in enumerate(self.data["edges"]):
            if edge["from"] != name:
                continue
            derived = [
                {"predecessor": end["from"], "sync_node": end["to"], "transfers": {}, **end["sync"]}
                for end in self._ended(edge)
            ]
            for place, notice in enumerate(edge["on_skip"] or derived):
                self._notify((index, place), notice, name, self.start[name])

    def _receive(self, name):
        inbox = sorted(self.inbox[name])
        taken = [message for message in inbox if message[4] is not None]
        self.invoked[name] = bool(taken)
        if not inbox:
            return
        last = max(inbox, key=lambda message: message[1])
        self.start[name] = last[1]
        if self._is_sync(name):
            self._join(name, inbox, taken)
        if self.invoked[name]:
            self._move(last[5]["message_gb"], self.at[last[2]], self.at[name])
            self.cost += _requests(last[5]["message_gb"]) * self._price(self.at[name])["message_request"]

    def _join(self, name, inbox, taken):
        where = self.at[name]
        price = self._price(where)
        for _, _, sender, _, _, sync in inbox:
            self._move(sync["response_gb"], where, self.at[sender])
            self.cost += 2 * _kb(sync["response_gb"]) * price["table_write_unit"]
        total = 0.0
        for _, _, sender, _, size, _ in sorted(taken, key=lambda message: (message[3], message[0])):
            self._move(size, self.at[sender], where)
            total += size
            self.cost += _kb(total) * price["table_write_unit"]
        self.cost += math.ceil(_kb(total) / 4) * price["table_read_unit"]
