"""The workflow's part of a problem, out of its run records: nodes, edges, entry, and where each figure comes from.

Pure: records, graph and manifest in, JSON values out. Which records count is `observed.py`'s matter, edges are
`edges.py`'s. GB are 1024³ bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from caribou.collectors.billed import entry_columns, node_sizes, run_columns
from caribou.collectors.edges import ASSUMED_DELIVERY_S, OUTAGE_S, Hop, edge_key, edges, hops, probability, transfers
from caribou.collectors.external import (
    declared_endpoints,
    declared_exchanges,
    declared_notes,
    endpoints,
    exchanges,
    unknown_share,
)
from caribou.collectors.kept_runs import Stored
from caribou.collectors.observed import (
    NEWEST_RUNS,
    Observed,
    RecordFilter,
    Run,
    cpu_utilization,
    gigabytes,
    observe,
    seconds,
)
from caribou.collectors.sample_notes import sample_notes
from caribou.model.errors import InvalidRecordError
from caribou.model.graph import Graph
from caribou.model.manifest import Manifest
from caribou.model.regions import KNOWN_REGIONS
from caribou.model.run.record import RunRecord

Json = dict[str, Any]

ASSUMED_SEND_S = 0.05
"""A regional API call of the forwarding entry, where no call was ever observed."""


@dataclass(frozen=True, slots=True)
class Summary:
    """A workflow's part of a problem, as JSON values, and its `provenance` as texts."""

    runs: Json
    endpoints: Json
    nodes: Json
    edges: list[Json]
    entry: Json
    provenance: dict[str, str]


def problem_regions(manifest: Manifest) -> tuple[str, ...]:
    """All regions of which a problem has facts, in the order of the known ones: where runs may be, where data is."""
    return _in_order({*run_regions(manifest), *(data.region for data in manifest.external_data.values())})


def run_regions(manifest: Manifest) -> tuple[str, ...]:
    """Home and all regions that any function may run in, in the order of the known ones."""
    return _in_order({manifest.home_region, *manifest.allowed_regions(KNOWN_REGIONS)})


def _in_order(regions: AbstractSet[str]) -> tuple[str, ...]:
    return (*(r for r in KNOWN_REGIONS if r in regions), *sorted(regions - set(KNOWN_REGIONS)))


def summarise(
    stored: Stored | Iterable[RunRecord], graph: Graph, manifest: Manifest, newest_runs: int = NEWEST_RUNS
) -> Summary:
    """What the newest runs say. Raises InvalidRecordError naming the node when one was called but never observed."""
    found = stored if isinstance(stored, Stored) else Stored(list(stored))
    counted = RecordFilter(
        graph=graph,
        home_region=manifest.home_region,
        memory_mb={name: settings.memory_mb for name, settings in manifest.functions.items()},
        regions=frozenset(run_regions(manifest)),
    )
    observed = observe(found.records, counted, newest_runs, older=found.older, left_out=found.left_out)
    _check_reached(observed, graph)
    redirector, basis = _redirector(observed, graph, manifest.home_region)
    return Summary(
        runs={
            "id": [run.run_id for run in observed.runs],
            "started_at": [round(run.started_at, 3) for run in observed.runs],
            **run_columns(observed, graph, manifest),
        },
        endpoints={
            **endpoints(record for records in observed.executions.values() for record in records),
            **declared_endpoints(manifest),
        },
        nodes={node.name: _node(node.name, observed, graph, manifest) for node in graph.nodes},
        edges=edges(observed, graph, manifest.home_region),
        entry=_entry(observed, graph, manifest, redirector),
        provenance={
            **_counts(observed),
            **_derived(observed, graph),
            **declared_notes(manifest),
            **sample_notes(observed, graph),
            "redirector": basis,
        },
    )


def _node(name: str, observed: Observed, graph: Graph, manifest: Manifest) -> Json:
    function = graph.node(name).function
    executions = observed.of(name)
    home = manifest.home_region
    allowed = {home, *manifest.regions_of(function, KNOWN_REGIONS)} if executions else {home}
    return {
        "memory_mb": manifest.functions[function].memory_mb,
        "vcpu": None,
        "architecture": manifest.architecture,
        "allowed_regions": [region for region in run_regions(manifest) if region in allowed],
        "cpu_utilization": cpu_utilization(executions),
        **node_sizes(name, executions, observed, graph, manifest),
        "runs": _runs(name, executions, graph, observed, manifest),
    }


def _runs(name: str, executions: tuple[RunRecord, ...], graph: Graph, observed: Observed, manifest: Manifest) -> Json:
    """Region to aligned arrays; none at all for a node that no run led to, which stays home."""
    by_region: dict[str, list[RunRecord]] = {}
    for record in executions:
        by_region.setdefault(record.region, []).append(record)
    function = graph.node(name).function
    return {
        region: {
            **_aligned(name, records, graph, observed),
            "external": {**exchanges(records), **declared_exchanges(function, records, manifest)},
        }
        for region, records in sorted(by_region.items())
    }


def _aligned(name: str, records: list[RunRecord], graph: Graph, observed: Observed) -> Json:
    offsets = [{successor.edge: successor.offset_s for successor in record.successors} for record in records]
    return {
        "run": [observed.rows[record.run_id] for record in records],
        "duration_s": [seconds(record.duration_s) for record in records],
        "init_s": [seconds(record.init_s or 0.0) for record in records],
        "call_offset_s": {
            edge_key(edge, graph): [seconds(run[edge.id]) for run in offsets] for edge in graph.out_edges(name)
        },
    }


def _check_reached(observed: Observed, graph: Graph) -> None:
    """Raise unless there is a whole run, and every taken edge delivered at least once.

    A node that no run led to is no error: its edges have the probability 0 that was observed, it costs nothing, and
    it stays home. The provenance names it.
    """
    if not observed.runs:
        raise _lacking("no run is whole", "every node", observed, graph)
    for node in graph.nodes:
        taken = [edge for edge in graph.in_edges(node.name) if probability(edge, observed) > 0]
        for edge in taken:
            if not hops(edge, observed, graph):
                raise _lacking(f"edge {edge.id} has no observed delivery to {edge.target}", node.name, observed, graph)


def _lacking(what: str, node: str, observed: Observed, graph: Graph) -> InvalidRecordError:
    return InvalidRecordError(
        f"{what} among the records of version {graph.version}",
        where=graph.workflow,
        found=f"{len(observed.runs)} runs; left out: {_dropped_text(observed.dropped)}",
        fix=f"run the workflow with inputs that reach {node}, wait until the runs have ended, then "
        f"`caribou log_sync {graph.workflow}`",
    )


def _dropped_text(dropped: Mapping[str, int]) -> str:
    return ", ".join(f"{count} records {reason}" for reason, count in dropped.items()) or "no records"


def _entry(observed: Observed, graph: Graph, manifest: Manifest, redirector: Json) -> Json:
    return {
        "node": graph.entry.name,
        "payload_gb": [gigabytes(record.bytes_in) for record in observed.of(graph.entry.name)],
        **entry_columns(observed, graph, manifest),
        "plan_gb": 0.0,
        "plan_read_at_function_probability": 1.0,
        "stays_home_share": manifest.runs.home_share,
        "redirector": redirector,
    }


@dataclass(frozen=True, slots=True)
class _Forward:
    """One forwarding of a start by the home entry: how long it took, when in it the message left, CPU not counted."""

    duration_s: float
    offset_s: float


def _redirector(observed: Observed, graph: Graph, home: str) -> tuple[Json, str]:
    """What the hop of the home entry costs, and whether that was observed, derived or assumed.

    Observed: the records of forwarding entries. Else derived: it makes two regional calls, one that writes the run
    item and one that publishes; each is taken to last as long as the entry's send to a plain successor. The
    delivery at home is that of plain edges; the model adds the ping for other regions.
    """
    plain = _plain_home_hops(observed, graph, home)
    redirects = [record for run in observed.runs for record in run.redirects]
    if redirects:
        forwards = [_forward(run, graph) for run in observed.runs if run.redirects]
        basis, cpu = "observed", cpu_utilization(redirects)
    else:
        forwards = [_Forward(2 * hop.send_s, hop.send_s) for hop in plain]
        basis, cpu = "derived from messages at home", cpu_utilization(observed.of(graph.entry.name))
    if not forwards:
        forwards, basis = [_Forward(2 * ASSUMED_SEND_S, ASSUMED_SEND_S)], "assumed"
    deliveries = [*_deliveries_at_home(plain, observed, graph, home), *_forwarded(observed, graph)]
    return _redirector_json(forwards, cpu, deliveries, graph, home), basis


def _redirector_json(forwards: list[_Forward], cpu: float, deliveries: list[Hop], graph: Graph, home: str) -> Json:
    return {
        "cpu_utilization": cpu,
        "runs": {
            home: {
                "duration_s": [seconds(forward.duration_s) for forward in forwards],
                "external_data_gb": [0.0] * len(forwards),
                "call_offset_s": {graph.entry.name: [seconds(forward.offset_s) for forward in forwards]},
            }
        },
        "transfers": transfers(deliveries),
    }


def _plain_home_hops(observed: Observed, graph: Graph, home: str) -> list[Hop]:
    """Messages from home to home over plain edges: the entry's, else those of any node."""
    plain = [edge for edge in graph.edges if not graph.node(edge.target).sync]
    for some in ([edge for edge in plain if edge.source == graph.entry.name], plain):
        found = [hop for edge in some for hop in hops(edge, observed, graph)]
        at_home = [hop for hop in found if hop.source_region == hop.target_region == home]
        if at_home:
            return at_home
    return []


def _deliveries_at_home(plain: list[Hop], observed: Observed, graph: Graph, home: str) -> list[Hop]:
    """What a forwarded start would have taken inside home: the entry's payload, a plain message's latency."""
    sizes = {record.run_id: record.bytes_in for record in observed.of(graph.entry.name)}
    size = round(sum(sizes.values()) / len(sizes))
    if not plain:
        return [Hop("", home, home, size, ASSUMED_DELIVERY_S, ASSUMED_SEND_S)]
    return [Hop(h.run_id, home, home, sizes.get(h.run_id, size), h.latency_s, h.send_s) for h in plain]


def _forward(run: Run, graph: Graph) -> _Forward:
    record = run.redirects[-1]
    arrival = run.arrivals.get(graph.entry.name)
    known = arrival is not None and arrival.sent_at is not None and arrival.sent_at >= record.started_at
    offset_s = arrival.sent_at - record.started_at if known and arrival and arrival.sent_at else record.duration_s
    return _Forward(record.duration_s, min(offset_s, record.duration_s))


def _forwarded(observed: Observed, graph: Graph) -> list[Hop]:
    """The deliveries of starts that were forwarded, as observed."""
    found = []
    for run in observed.runs:
        arrival = run.arrivals.get(graph.entry.name)
        if run.redirects and arrival is not None and arrival.sent_at is not None:
            latency_s = seconds(arrival.started_at - arrival.sent_at)
            source = run.redirects[-1].region
            if latency_s > OUTAGE_S:
                continue
            found.append(Hop(run.run_id, source, arrival.region, arrival.bytes_in, latency_s, 0.0))
    return found


def _counts(observed: Observed) -> dict[str, str]:
    executions = [record for run in observed.runs for record in run.executions.values()]
    first, last = _time(observed.runs[0].started_at), _time(observed.runs[-1].started_at)
    return {
        "runs": f"{len(observed.runs)} runs from {first} to {last}, {len(executions)} node executions, "
        f"{sum(record.cold_start for record in executions)} of them cold",
        "records_left_out": _dropped_text(observed.dropped),
    }


def _derived(observed: Observed, graph: Graph) -> dict[str, str]:
    unreached = [n.name for n in graph.nodes if not observed.of(n.name)]
    return {
        "sync_message_and_response": "assumed: 1 KiB",
        **unknown_share([record for records in observed.executions.values() for record in records]),
        **({"unreached_nodes": f"no run led to them, they stay home: {', '.join(unreached)}"} if unreached else {}),
    }


def _time(seconds_since_1970: float) -> str:
    return datetime.fromtimestamp(seconds_since_1970, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
