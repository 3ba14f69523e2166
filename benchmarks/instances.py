"""Random problems of realistic size: up to 20 regions and as many nodes as asked for, observed at home only.

The figures are made up but of the right order (grids, prices, distances); the same arguments give the same problem.
"""

from __future__ import annotations

import math
import random
import sys
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1] / "tests"))  # what the solver's tests build problems with

from problem_instances import HOME, ended_by_skip, entry, is_sync, problem, region

OBSERVED = 200  # runs and messages
_EARTH_KM = 6371.0
_KM_A_SECOND = 120_000.0  # of a round trip, there and back, over real routes
_REGIONS: dict[str, tuple[float, float, float, float, float, float]] = {
    # latitude, longitude, g/kWh, relative run time, price factor, egress USD/GB
    "us-east-1": (38.9, -77.4, 390, 1.00, 1.00, 0.02),
    "us-west-1": (37.8, -122.4, 240, 1.02, 1.00, 0.02),
    "us-west-2": (45.8, -119.7, 175, 0.99, 1.00, 0.02),
    "ca-central-1": (45.5, -73.6, 34, 1.03, 1.00, 0.02),
    "us-east-2": (40.1, -83.1, 415, 1.00, 1.00, 0.02),
    "eu-west-1": (53.3, -6.3, 290, 1.01, 1.00, 0.02),
    "eu-north-1": (59.3, 18.1, 24, 1.04, 1.00, 0.02),
    "eu-west-3": (48.9, 2.4, 52, 1.02, 1.00, 0.02),
    "eu-central-1": (50.1, 8.7, 370, 1.00, 1.00, 0.02),
    "eu-west-2": (51.5, -0.1, 185, 1.01, 1.00, 0.02),
    "sa-east-1": (-23.5, -46.6, 98, 1.05, 1.00, 0.138),
    "ap-northeast-1": (35.7, 139.7, 480, 1.00, 1.00, 0.09),
    "ap-southeast-1": (1.4, 103.8, 470, 1.02, 1.00, 0.09),
    "ap-southeast-2": (-33.9, 151.2, 560, 1.02, 1.00, 0.098),
    "ap-south-1": (19.1, 72.9, 690, 1.03, 1.00, 0.086),
    "ap-northeast-2": (37.6, 127.0, 430, 1.01, 1.00, 0.08),
    "ca-west-1": (51.0, -114.1, 470, 1.01, 1.10, 0.02),
    "eu-south-1": (45.5, 9.2, 310, 1.03, 1.17, 0.02),
    "me-south-1": (26.1, 50.6, 500, 1.04, 1.24, 0.11),
    "af-south-1": (-33.9, 18.4, 710, 1.05, 1.33, 0.147),
}


def generated(seed: int, nodes: int, regions: int, **limits: float) -> dict[str, Any]:
    """A problem as JSON: `limits` are hard ones on the tail, in per cent of home's (`runtime=110, cost=110`)."""
    rng, names = random.Random(f"{seed} {nodes} {regions}"), list(_REGIONS)[:regions]
    labels = [f"n{i:02}" for i in range(nodes)]
    edges = _graph(rng, labels)
    return problem(
        f"generated_{nodes}x{regions}_{seed}",
        regions={name: _facts(rng, name) for name in names},
        ping_s={a: {b: [_ping_s(a, b) * (0.97 + 0.06 * rng.random()) for _ in range(5)] for b in names} for a in names},
        entry=entry(labels[0], [1e-4]),
        nodes={label: _node(rng, label, edges, names) for label in labels},
        edges=[_edge(rng, edge, edges) for edge in edges],
        objective={"hard": {metric: {"type": "relative", "value": value} for metric, value in limits.items()}},
    )


Link = tuple[str, str, float]
"""Caller, called node, probability."""


def _graph(rng: random.Random, labels: list[str]) -> list[Link]:
    """Each node but the first has one to three callers among the six before it."""
    edges: list[Link] = []
    for i, label in enumerate(labels[1:], start=1):
        callers = rng.sample(labels[max(0, i - 6) : i], min(i, rng.choice([1, 1, 1, 2, 3])))
        edges += [(caller, label, rng.choice([1.0, 1.0, 1.0, 0.5 + 0.45 * rng.random()])) for caller in callers]
    return edges


def _facts(rng: random.Random, name: str) -> dict[str, Any]:
    _, longitude, intensity, slowness, price, egress = _REGIONS[name]
    swing = 0.05 + 0.2 * rng.random()
    prices = {"message_request": 5e-07, "egress_other_region_per_gb": egress, "egress_internet_per_gb": 0.09}
    facts: dict[str, Any] = region(intensity, slowness, price, **prices)
    facts["carbon_intensity_g_per_kwh"]["hourly"] = [
        intensity * (1 - swing * math.sin((h + longitude / 15 - 6) / 12 * math.pi)) for h in range(24)
    ]
    return facts


def _ping_s(a: str, b: str) -> float:
    (lat_a, lon_a), (lat_b, lon_b) = (tuple(math.radians(x) for x in _REGIONS[r][:2]) for r in (a, b))
    cosine = math.sin(lat_a) * math.sin(lat_b) + math.cos(lat_a) * math.cos(lat_b) * math.cos(lon_a - lon_b)
    return 0.0025 + 2 * _EARTH_KM * math.acos(min(1.0, cosine)) / _KM_A_SECOND


def _node(rng: random.Random, label: str, edges: list[Link], names: list[str]) -> dict[str, Any]:
    mean = rng.uniform(0.6, 7.0)
    durations = [rng.lognormvariate(math.log(mean), 0.2) for _ in range(OBSERVED)]
    calls = sorted({target for source, target, _ in edges if source == label})
    held = rng.random() < 0.15  # some may not leave their part of the world
    return {
        "memory_mb": rng.choice([512, 1024, 1769, 2048, 3008]),
        "vcpu": None,
        "architecture": "x86_64",
        "allowed_regions": names[: max(1, len(names) // 3)] if held else names,
        "cpu_utilization": rng.uniform(0.3, 0.9),
        "runs": {
            HOME: {
                "duration_s": durations,
                "external_data_gb": [1e-4 * rng.random() for _ in range(OBSERVED)]
                if rng.random() < 0.3
                else [0.0] * OBSERVED,
                "call_offset_s": {call: [0.98 * d for d in durations] for call in calls},
            }
        },
    }


def _edge(rng: random.Random, edge: Link, edges: list[Link]) -> dict[str, Any]:
    source, target, probability = edge
    join = is_sync(target, edges)
    mean_kb, base_s = rng.uniform(5, 130), 0.2 if join else 0.1
    sync = {"response_gb": 1e-6, "message_gb": 1e-6}
    return {
        "from": source,
        "to": target,
        "probability": probability,
        "transfers": {
            f"{HOME}>{HOME}": {
                "payload_gb": [mean_kb * rng.lognormvariate(0, 0.1) / 1024**2 for _ in range(OBSERVED)],
                "latency_s": [base_s * rng.lognormvariate(0, 0.15) for _ in range(OBSERVED)],
            }
        },
        "sync": sync if join else None,
        "on_skip": [{"predecessor": a, "sync_node": b, **sync, "transfers": {}} for a, b in ended_by_skip(edge, edges)]
        if probability < 1
        else [],
    }
