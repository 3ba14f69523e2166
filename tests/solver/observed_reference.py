"""The model of observed runs in plain Python, written from docs/model.md: each run as a problem of one run.

What a placement changes of a run is worked out here, number by number; what a run with those numbers emits, costs and
takes is the other reference's matter (`reference.py`), which knows external data by a share only, no starts of
processes, and the bill of another runtime: all three are added here.
"""

import math
from functools import partial
from statistics import fmean


def run_of(reference, data, row, regions, *, hour):
    """Carbon in g, cost in USD and run time in s of one observed run, placed (node -> region)."""
    (carbon, cost, runtime), *_ = reference.runs_of(_alone(data, row), regions, hour=hour, seed=0, samples=20)
    more_g, more_usd = zip(*(_beside(data, row, node, regions, hour) for node in data["nodes"]), strict=True)
    return carbon + sum(more_g), cost + sum(more_usd) + _bill(data, row, regions), runtime


def _units(size_bytes, a_unit):
    return max(1, math.ceil(size_bytes / a_unit))


def _bytes(gb):
    return round(gb * 1024**3)


def _bill(data, row, regions):
    """What the runtime's calls of a run cost, messages and items, logs and their collection: docs/model.md, "Cost"."""
    home, runs, entry = data["home_region"], data["runs"], data["entry"]
    control = data["control_region"] if data["control_region"] in data["regions"] else home

    def price(region, name):
        return data["regions"][region]["price_usd"].get(name) or 0.0

    def stored(region, sent, payload):
        return price(region, "object_put") + price(region, "object_get") if sent < payload else 0.0

    def message(region, sent, payload):
        return _units(sent, 65536) * price(region, "message_request") + stored(region, sent, payload)

    usd = message(home, _bytes(entry["sent_gb"][row]), _bytes(entry["payload_gb"][row]))
    names = max(2, sum(len(node) + len(region) + 8 for node, region in regions.items() if region != home))
    kept = runs["input_bytes"][row] if names <= runs["input_room_bytes"][row] else 0
    usd += sum(2 * _units(size + names + kept, 1024) for size in runs["item_bytes"][row]) * price(
        home, "table_write_unit"
    )
    for name, node in data["nodes"].items():
        where, ran = regions[name], _execution(data, row, name) is not None
        write = price(where, "table_write_unit")
        sent = {
            i: next((_bytes(s["sent_gb"][s["run"].index(row)]) for s in e["transfers"].values() if row in s["run"]), 0)
            for i, e in enumerate(data["edges"])
            if e["to"] == name and row in e["taken"]
        }
        payload = {
            i: next(_bytes(s["payload_gb"][s["run"].index(row)]) for s in e["transfers"].values() if row in s["run"])
            for i, e in enumerate(data["edges"])
            if i in sent
        }
        joins = any(e["to"] == name and e["sync"] for e in data["edges"])
        if joins:
            usd += sum(_units(size, 1024) for size in node["report_bytes"]) * write
            usd += sum(_units(sent[i], 1024) * write + stored(where, sent[i], payload[i]) for i in sent)
        else:
            usd += sum(message(where, sent[i], payload[i]) for i in sent)
        if ran:
            usd += (_units(node["claim_bytes"], 1024) if node["claim_bytes"] else 0) * write
            usd += node["log_bytes"] / 1024**3 * price(where, "log_per_gb")
            usd += node["collected_units"] * price(control, "table_write_unit")
            usd += _object_requests(data, row, name, price)
        if ran and joins:
            usd += price(where, "message_request")
            read = node["report_bytes"][-1] + sum(sent.values())
            usd += _units(read, 4096) * price(where, "table_read_unit")
    return usd


def _object_requests(data, row, node, price):
    _, runs, at = _execution(data, row, node)
    usd = 0.0
    for name, exchanged in runs["external"].items():
        endpoint = data["endpoints"][name]
        if endpoint["service"] == "s3":
            where = endpoint["region"] if endpoint["region"] in data["regions"] else data["home_region"]
            out, back = exchanged["gb_out"][at] > 0, exchanged["gb_in"][at] > 0
            calls = exchanged["calls"][at]
            puts = exchanged["puts"][at] if exchanged.get("puts") else calls * (0.5 if out and back else float(out))
            usd += puts * price(where, "object_put") + (calls - puts) * price(where, "object_get")
    return usd


def _ping(data, a, b):
    return fmean(data["ping_s"][a][b])


def _execution(data, row, node):
    """Where a node ran in a run, and the place of it in the lists there; None if it did not run."""
    for region, runs in data["nodes"][node]["runs"].items():
        if row in runs["run"]:
            return region, runs, runs["run"].index(row)
    return None


def _rounds(exchanged, at, ping_s):
    calls, size_kb = exchanged["calls"][at], (exchanged["gb_out"][at] + exchanged["gb_in"][at]) * 1024**2
    if calls == 0:
        return 0.0
    rounds = exchanged["round_trips"][at] if "round_trips" in exchanged else 3 * calls
    rounds += calls * max(math.ceil(math.log2(size_kb / calls / 14.6 + 1)) - 1, 0)
    return min(rounds, exchanged["seconds"][at] / ping_s)


def _duration(data, row, node, region):
    _, runs, at = _execution(data, row, node)
    return _moved(data, row, node, region, runs["duration_s"][at])


def _moved(data, row, node, region, seconds):
    """What seconds of an execution, with all that it exchanges, take in a region."""
    seen_in, runs, at = _execution(data, row, node)
    moved = seconds * _factor(data, node, region) / _factor(data, node, seen_in)
    for where, rounds in _trips(data, node, runs, at, seen_in):
        moved += rounds * (_ping(data, region, where) - _ping(data, seen_in, where))
    return max(moved, 0.0)


def _trips(data, node, runs, at, seen_in):
    """Regions to which an execution makes round trips that it waits for, and how many."""
    trips = []
    for name, exchanged in runs["external"].items():
        where = data["endpoints"][name]["region"]
        if where in data["regions"]:
            trips.append((where, _rounds(exchanged, at, _ping(data, seen_in, where))))
    if not any(edge["from"] == node for edge in data["edges"]):
        trips.append((data["home_region"], 2))
    return trips


def _factor(data, node, region):
    """How slow a node is in a region, against where it is compared with: assumed, or learned where it ran."""
    observed = data["nodes"][node]["runs"]
    base = data["home_region"]
    if base not in observed:
        base = max(data["regions"], key=lambda name: len(observed[name]["run"]) if name in observed else 0)
    speed = {name: facts["relative_run_time"] for name, facts in data["regions"].items()}
    assumed = math.log(speed[region] / speed[base])
    if region == base or any(len(observed[name]["run"]) < 2 if name in observed else True for name in (region, base)):
        return math.exp(assumed)
    there, here = (_as_near_as(data, node, name, base) for name in (region, base))
    apart = sum((one / fmean(took) - 1) ** 2 for took in (there, here) for one in took) / (len(there) + len(here) - 2)
    unsure = apart * (1 / len(there) + 1 / len(here))
    weight = 0.05**2 / (0.05**2 + unsure)
    return math.exp(assumed + (math.log(fmean(there) / fmean(here)) - assumed) * weight)


def _as_near_as(data, node, region, base):
    """What a node's executions in a region would have taken, as far from their endpoints as another region is."""
    runs = data["nodes"][node]["runs"][region]
    took = list(runs["duration_s"])
    for at in range(len(took)):
        for where, rounds in _trips(data, node, runs, at, region):
            took[at] += rounds * (_ping(data, base, where) - _ping(data, region, where))
    return took


def _latency(data, row, transfers, pings, ends):
    """The latency of the run's message between two regions, None if it has none."""
    home, (a, b) = data["home_region"], ends
    for pair, seen in transfers.items():
        if row in seen["run"]:
            source, target = pair.split(">")
            latency = seen["latency_s"][seen["run"].index(row)]
            between = _ping(data, a, b)
            return max(
                latency + pings * (between - _ping(data, source, target)), pings * (between - _ping(data, home, home))
            )
    return None


def _transfers(data, row, edge):
    if row not in edge["taken"]:
        return {}
    pings = 2.5 if edge["sync"] else 0.5
    size = next(s["payload_gb"][s["run"].index(row)] for s in edge["transfers"].values() if row in s["run"])
    return {
        f"{a}>{b}": {"payload_gb": [size], "latency_s": [_latency(data, row, edge["transfers"], pings, (a, b))]}
        for a in data["regions"]
        for b in data["regions"]
    }


def _notice(data, row, notice):
    pairs = {
        f"{a}>{b}": _latency(data, row, notice["transfers"], 1.5, (a, b))
        for a in data["regions"]
        for b in data["regions"]
    }
    return {**notice, "transfers": {pair: {"latency_s": [latency]} for pair, latency in pairs.items()}}


def _alone(data, row):
    """The problem of the first schema whose only run is this one."""
    edges = [
        {
            **{key: value for key, value in edge.items() if key != "taken"},
            "probability": float(row in edge["taken"]),
            "transfers": _transfers(data, row, edge),
            "on_skip": [] if row in edge["taken"] else [_notice(data, row, notice) for notice in edge["on_skip"]],
        }
        for edge in data["edges"]
    ]
    return {
        **{key: value for key, value in data.items() if key not in {"runs", "endpoints"}},
        "schema": "caribou.problem/1",
        "regions": {name: _without_calls(region) for name, region in data["regions"].items()},
        "carbon_model": {
            "transmission_kwh_per_gb": data["carbon_model"]["transmission_kwh_per_gb"],
            "unknown_route_g_per_kwh": data["carbon_model"]["unknown_route_g_per_kwh"],
            "intra_region_transmission_free": True,
            "external_data_home_share": 0.0,
        },
        "entry": {
            **data["entry"],
            "payload_gb": [data["entry"]["payload_gb"][row]],
            "plan_read_at_function_probability": 0.0,
            "stays_home_share": 0.0,
        },
        "nodes": {name: {**node, "runs": _runs(data, row, name)} for name, node in data["nodes"].items()},
        "edges": edges,
    }


def _without_calls(region):
    """A region in which only execution and egress cost something."""
    free = dict.fromkeys(("message_request", "table_read_unit", "table_write_unit"), 0.0)
    return {**region, "price_usd": {**region["price_usd"], **free}}


def _runs(data, row, node):
    found = _execution(data, row, node)
    if found is None:
        return {}
    _, runs, at = found
    result = {}
    for region in data["regions"]:
        duration = _duration(data, row, node, region)
        last = max((offsets[at] for offsets in runs["call_offset_s"].values()), default=0.0)
        stretch = _moved(data, row, node, region, last) / last if last else 0.0
        result[region] = {
            "duration_s": [duration],
            "external_data_gb": [0.0],
            "call_offset_s": {key: [offsets[at] * stretch] for key, offsets in runs["call_offset_s"].items()},
        }
    return result


def _beside(data, row, node, regions, hour):
    """Carbon and cost of a node's external data, of starting its process, and of waiting for answers."""
    found = _execution(data, row, node)
    if found is None:
        return 0.0, 0.0
    seen_in, runs, at = found
    region = regions[node]
    facts, model, machine = data["regions"][region], data["carbon_model"], data["nodes"][node]
    grids = {name: _intensity(one, hour) for name, one in data["regions"].items()}
    kw = _kw(machine, facts)
    starts_s, at_home_s = _starts(data, row, node, region)
    starts_s += _wait(data, row, node, region, regions.get) - _wait(data, row, node, seen_in, partial(_seen, data, row))
    home = data["regions"][data["home_region"]]
    grams = starts_s / 3600 * kw * facts["pue"] * grids[region]
    grams += at_home_s / 3600 * _kw(machine, home) * home["pue"] * grids[data["home_region"]]
    gb = machine["memory_mb"] / 1024
    usd = facts["price_usd"]["compute_per_gb_s"][machine["architecture"]] * gb * starts_s
    usd += home["price_usd"]["compute_per_gb_s"][machine["architecture"]] * gb * at_home_s
    for name, exchanged in runs["external"].items():
        where, out, back = data["endpoints"][name]["region"], exchanged["gb_out"][at], exchanged["gb_in"][at]
        if where not in data["regions"]:
            grams += (out + back) * model["transmission_kwh_per_gb"] * model["unknown_route_g_per_kwh"]
        elif where == region:
            grams += (out + back) * model["intra_region_kwh_per_gb"] * grids[region]
        else:
            grams += (out + back) * model["transmission_kwh_per_gb"] * (grids[region] + grids[where]) / 2
            usd += out * _egress(facts["price_usd"], where)
            usd += back * _egress(data["regions"][where]["price_usd"], region)
    return grams, usd


def _seen(data, row, node):
    """Where a node ran in a run; home if it did not."""
    found = _execution(data, row, node)
    return data["home_region"] if found is None else found[0]


def _wait(data, row, node, region, region_of):
    """How long a node waits until what it sends is answered."""
    waits = [0.0]
    for edge in (edge for edge in data["edges"] if edge["from"] == node):
        if row in edge["taken"]:
            waits.append((2 if edge["sync"] else 1) * _ping(data, region, region_of(edge["to"])))
        else:
            waits += [_ping(data, region, region_of(notice["sync_node"])) for notice in edge["on_skip"]]
    return max(waits)


def _kw(machine, facts):
    vcpu = machine["vcpu"] or machine["memory_mb"] / 1769
    cpu = facts["cpu_kw_per_vcpu"]
    kw = (cpu["idle"] + machine["cpu_utilization"] * (cpu["full"] - cpu["idle"])) * vcpu
    return kw + facts["memory_kw_per_gb"] * machine["memory_mb"] / 1024


def _starts(data, row, node, region):
    """Seconds of starts of a run's process, and of those at home that the node's leaving takes, a moved run."""
    seen_in, runs, at = _execution(data, row, node)
    everywhere = data["nodes"][node]["runs"]
    cold = [init_s for one in everywhere.values() for init_s in one["init_s"] if init_s > 0]
    mean_s, share = (fmean(cold) if cold else 0.0), data["entry"]["stays_home_share"]
    rate = _rate(data, [one for runs in everywhere.values() for one in runs["run"]])
    more = 0.0
    if region != seen_in and runs["init_s"][at] == 0:
        more = max(_chance(rate * (1 - share)) - _chance(_rate(data, runs["run"])), 0.0)
    left = max(_chance(rate * share) - _chance(rate), 0.0) if region != data["home_region"] and share else 0.0
    return runs["init_s"][at] + more * mean_s, left * mean_s * share / (1 - share)


def _rate(data, rows):
    at = [data["runs"]["started_at"][row] for row in rows]
    return (len(at) - 1) / (max(at) - min(at)) if len(at) > 1 and max(at) > min(at) else math.inf


def _chance(rate):
    return math.exp(-600 * rate)


def _egress(prices, to):
    return prices.get("egress_to_per_gb", {}).get(to, prices["egress_other_region_per_gb"])


def _intensity(facts, hour):
    grid = facts["carbon_intensity_g_per_kwh"]
    return grid["average"] if hour is None else grid["hourly"][hour]
