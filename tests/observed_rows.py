"""Problems whose rows are runs, out of problems without: their drawn runs, written down as if they had been observed.

So every instance of the first schema, shipped, generated or made up, has a twin of the second, of any number of runs.
"""

import random
from typing import Any

import numpy as np

from caribou.model.schema.problem_file import parse_problem
from caribou.solver.simulation.random_streams import RandomStreams
from caribou.solver.simulation.scenarios import Scenarios

SLOW = 0.15
"""Standard deviation of the logarithm of what slows all nodes of a run: slow runs are slow everywhere."""


def as_observed(
    data: dict[str, Any],
    runs: int,
    seed: int = 0,
    *,
    away_share: float = 0.0,
    lost_share: float = 0.0,
    bucket: str | None = None,
) -> dict[str, Any]:
    """The problem with `runs` rows.

    A node runs away from home in `away_share` of them, where it may; of `lost_share` of the messages nobody knows the
    latency. With a `bucket`, a region, some nodes read and write there.
    """
    problem = parse_problem(data)
    return _Writer(Scenarios(problem, RandomStreams(seed, 0, runs)), seed, away_share, lost_share, bucket).written(data)


class _Writer:
    def __init__(self, drawn, seed, away_share, lost_share, bucket):
        self.drawn, self.lost_share, self.bucket = drawn, lost_share, bucket
        self.chance = random.Random(f"{seed} {drawn.count}")
        self.names = list(drawn.geography.names)
        self.slow = np.array([self.chance.lognormvariate(0, SLOW) for _ in range(drawn.count)])
        self.where = np.array([self._where(name, away_share) for name in drawn.problem.node_order])

    def _where(self, name, away_share):
        allowed = [self.names.index(r) for r in self.drawn.problem.nodes[name].allowed_regions]
        home = self.drawn.geography.home
        return [self.chance.choice(allowed) if self.chance.random() < away_share else home for _ in self.slow]

    def written(self, data):
        rows, model = range(self.drawn.count), dict(data["carbon_model"])
        free = model.pop("intra_region_transmission_free")
        model.pop("external_data_home_share")
        model["intra_region_kwh_per_gb"] = 0.0 if free else model["transmission_kwh_per_gb"]
        return {
            **data,
            "schema": "caribou.problem/2",
            "carbon_model": model,
            "runs": {"id": [f"run-{i}" for i in rows], "started_at": [1_782_000_000.0 + i for i in rows]},
            "endpoints": {"bucket": {"service": "s3", "region": self.bucket, "hosts": []}} if self.bucket else {},
            "entry": self._entry(data["entry"]),
            "nodes": {name: {**node, "runs": self._runs(name)} for name, node in data["nodes"].items()},
            "edges": [self._edge(i, edge) for i, edge in enumerate(data["edges"])],
        }

    def _entry(self, entry):
        redirector = entry["redirector"]
        if redirector is not None:
            hop = {region: dict(seen) for region, seen in redirector["runs"].items()}
            for seen in hop.values():
                del seen["external_data_gb"]
            redirector = {**redirector, "runs": hop}
        return {**entry, "payload_gb": self.drawn.entry.payload_gb.tolist(), "redirector": redirector}

    def _runs(self, name):
        node = self.drawn.position[name]
        runs, exchanges = self.drawn.runs[node], self.bucket is not None and self.chance.random() < 0.4
        found = {}
        for region, rows in self._rows(self.drawn.invoked[node], self.where[node]):
            duration = runs.duration_s[region, rows] * self.slow[rows]
            found[self.names[region]] = {
                "run": rows.tolist(),
                "duration_s": duration.tolist(),
                "init_s": [self.chance.choice((0.0, 0.0, 0.4)) for _ in rows],
                "external": {"bucket": self._exchange(duration)} if exchanges else {},
                "call_offset_s": {k: (o[region, rows] * self.slow[rows]).tolist() for k, o in runs.offset_s.items()},
            }
        return found

    def _exchange(self, duration):
        return {
            "calls": [self.chance.randrange(4) for _ in duration],
            "gb_out": [1e-4 * self.chance.random() for _ in duration],
            "gb_in": [1e-3 * self.chance.random() for _ in duration],
            "seconds": [d * self.chance.random() / 2 for d in duration],
        }

    def _edge(self, index, edge):
        message = self.drawn.edges[index]
        skipped = self.drawn.invoked[message.source] & ~message.happens
        return {
            **edge,
            "probability": edge["probability"] if message.happens.any() else 0.0,
            "taken": np.flatnonzero(message.happens).tolist(),
            "transfers": self._transfers(message, message.happens, with_size=True),
            "on_skip": [
                self._notice(index, j, notice, skipped, message.happens) for j, notice in enumerate(edge["on_skip"])
            ],
        }

    def _notice(self, index, place, notice, skipped, taken):
        """With latencies of its own where it has some, or its edge has none to go by."""
        parsed = self.drawn.problem.edges[index].on_skip[place]
        message = self.drawn._notice(index, place, parsed, skipped, None)
        own = notice["transfers"] or not taken.any()
        seen = self._transfers(message, skipped, with_size=False) if own else {}
        if own and not seen:
            home = self.drawn.problem.home_region
            seen = {f"{home}>{home}": {"latency_s": [0.1]}}
        return {**notice, "transfers": seen}

    def _transfers(self, message, happens, *, with_size):
        """The messages by pair of regions; of an edge that was taken at least one is known."""
        kept = happens & np.array([self.chance.random() >= self.lost_share for _ in happens])
        kept[np.flatnonzero(happens)[:1]] = True
        pairs = self.where[message.source] * len(self.names) + self.where[message.target]
        found = {}
        for pair, rows in self._rows(kept, pairs):
            a, b = divmod(pair, len(self.names))
            latency = message.latency.seen[message.latency.row[a, b], rows] + message.latency.shift[a, b]
            found[f"{self.names[a]}>{self.names[b]}"] = {
                "run": rows.tolist(),
                **({"payload_gb": message.payload_gb[rows].tolist()} if with_size else {}),
                "latency_s": latency.tolist(),
            }
        return found

    @staticmethod
    def _rows(happens, where):
        """The rows in which something happened, by where it did."""
        return [(int(one), np.flatnonzero(happens & (where == one))) for one in np.unique(where[happens])]
