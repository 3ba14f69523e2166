"""How long a message takes between any two regions, from what was observed between some.

A message of size x between regions a and b takes:

* observed pair: one of the latencies of observed messages of about its size (10 KB bins); if none was of that
  size, a number from the line of best fit, kept within 30 per cent of the average;
* another pair: what it takes within home (else between the pair seen most often), plus the pings that lie further
  apart: k * max(0, ping(a, b) - ping(home, home)), k = 5 into a sync node (its report is several round trips), else 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from caribou.model.schema.problem import Transfers
from caribou.solver.simulation.random_streams import Floats, Ints

KB_PER_GB = 1024.0**2
BIN_KB = 10.0
PINGS_INTO_SYNC = 5.0
PINGS_INTO_PLAIN = 1.0
LINE_RANGE = (0.7, 1.3)  # of the average latency
_ROUNDING = 1e-9  # so that 6 KB stay 6 KB after a division and a multiplication


@dataclass(frozen=True, slots=True)
class Geography:
    """Regions by position: their names, home's position, and mean pings `ping_s` (R, R) in seconds."""

    names: tuple[str, ...]
    home: int
    ping_s: Floats

    def pair(self, key: str) -> tuple[int, int]:
        """The positions in a key `FROM>TO`."""
        source, target = key.split(">")
        return self.names.index(source), self.names.index(target)


@dataclass(frozen=True, slots=True)
class Latency:
    """Latency in seconds of S drawn messages between R regions: `seen[row[a, b]] + shift[a, b]`.

    `seen` (K, S) has one row an observed pair, `row` (R, R) says which one serves a pair, `shift` (R, R) what is added.
    """

    seen: Floats
    row: Ints
    shift: Floats


def kb(size_gb: Floats | float) -> Floats:
    """Size in KB, as a whole number, rounded up."""
    return np.asarray(np.ceil(np.asarray(size_gb) * KB_PER_GB - _ROUNDING), dtype=np.float64)


def size_bin(size_gb: Floats) -> Floats:
    """The number of the 10 KB bin that a size falls in."""
    return np.asarray(np.ceil(size_gb * KB_PER_GB / BIN_KB - _ROUNDING), dtype=np.float64)


def message_latency(
    transfers: Mapping[str, Transfers], size_gb: Floats, uniform: Floats, geography: Geography, pings: float
) -> Latency:
    """Latency of messages of `size_gb` (S,), drawn with `uniform` (S,); `pings` is k. `transfers` is not empty."""
    seen = [latency_of_sizes(transfers[key], size_gb, uniform) for key in transfers]
    counts = [len(transfers[key].latency_s) for key in transfers]
    return _spread(seen, [geography.pair(key) for key in transfers], counts, geography, pings)


def notice_latency(
    samples: Mapping[str, Sequence[float]], edge: Latency | None, uniform: Floats, geography: Geography
) -> Latency:
    """Latency of skip notices: their own where seen; elsewhere that of `edge`, for which they stand in.

    `edge` None means that no message of the edge was seen: then the notices' own samples serve every pair.
    """
    pairs = [geography.pair(key) for key in samples]
    seen = [_drawn(np.asarray(values), uniform) for values in samples.values()]
    if edge is None:
        counts = [len(values) for values in samples.values()]
        return _spread(seen, pairs, counts, geography, PINGS_INTO_SYNC)
    row, shift = edge.row + len(seen), edge.shift.copy()
    for position, pair in enumerate(pairs):
        row[pair], shift[pair] = position, 0.0
    return Latency(np.vstack([*seen, edge.seen]), row, shift)


def latency_of_sizes(observed: Transfers, size_gb: Floats, uniform: Floats) -> Floats:
    """One observed latency of each size's bin (S,), or the line of best fit where no message was of that size."""
    bins, latency_s = size_bin(np.asarray(observed.payload_gb)), np.asarray(observed.latency_s)
    order = np.argsort(bins, kind="stable")
    wanted, ordered = size_bin(size_gb), bins[order]
    first, end = np.searchsorted(ordered, wanted, "left"), np.searchsorted(ordered, wanted, "right")
    position = np.minimum(first + (uniform * (end - first)).astype(np.intp), len(order) - 1)
    return np.where(end > first, latency_s[order][position], best_fit(bins, latency_s, observed, size_gb))


def best_fit(bins: Floats, latency_s: Floats, observed: Transfers, size_gb: Floats) -> Floats:
    """Latency by the least-squares line over all observed messages, kept within a range of their average."""
    average = float(np.mean([latency_s[bins == one].mean() for one in np.unique(bins)]))
    slope, intercept = _line(np.asarray(observed.payload_gb), latency_s)
    if intercept <= 0 or slope < 0:
        slope, intercept = 0.0, average
    return np.clip(slope * size_gb + intercept, LINE_RANGE[0] * average, LINE_RANGE[1] * average)


def _line(x: Floats, y: Floats) -> tuple[float, float]:
    spread = float(((x - x.mean()) ** 2).sum())
    slope = float(((x - x.mean()) * (y - y.mean())).sum()) / spread if spread > 0 else 0.0
    return slope, float(y.mean() - slope * x.mean())


def _drawn(values: Floats, uniform: Floats) -> Floats:
    return np.asarray(values[(uniform * len(values)).astype(np.intp)], dtype=np.float64)


def _spread(
    seen: list[Floats], pairs: list[tuple[int, int]], counts: list[int], geography: Geography, pings: float
) -> Latency:
    """The latencies of all pairs of regions from those of the pairs that were seen."""
    home = (geography.home, geography.home)
    base = pairs.index(home) if home in pairs else int(np.argmax(counts))
    row = np.full(geography.ping_s.shape, base, dtype=np.intp)
    shift = pings * np.maximum(0.0, geography.ping_s - geography.ping_s[pairs[base]])
    for position, pair in enumerate(pairs):
        row[pair], shift[pair] = position, 0.0
    return Latency(np.vstack(seen), row, shift)
