"""The problem, `problem.json`: everything the solver reads, in one self-contained file.

Units are in the names: `_s` seconds, `_gb` 1024³ bytes, `_g_per_kwh` grams of CO2eq per kilowatt hour, `_kw`
kilowatts, `_usd` US dollars. Ranges are wide enough for any real workflow and narrow enough to catch a wrong unit
(milliseconds for seconds, watts for kilowatts). What spans several fields is in `problem_rules`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field

from caribou.model.canonical import ordered_digest_of
from caribou.model.metric import LimitKind, LimitType, Metric
from caribou.model.schema.parsing import StrictModel, Word

LAMBDA_MAX_S = 900.0  # the longest that a Lambda function may run

Fraction = Annotated[float, Field(ge=0, le=1)]
SizeGb = Annotated[float, Field(ge=0, le=1024)]
Price = Annotated[float, Field(ge=0, le=10)]
Intensity = Annotated[float, Field(ge=0, le=2000)]
Kilowatts = Annotated[float, Field(ge=0, le=0.1)]
Durations = Annotated[tuple[Annotated[float, Field(ge=0, le=LAMBDA_MAX_S)], ...], Field(strict=False, min_length=1)]
Latencies = Annotated[tuple[Annotated[float, Field(ge=0, le=3600)], ...], Field(strict=False, min_length=1)]
Pings = Annotated[tuple[Annotated[float, Field(ge=0, le=10)], ...], Field(strict=False, min_length=1)]
Sizes = Annotated[tuple[SizeGb, ...], Field(strict=False, min_length=1)]
ItemBytes = Annotated[int, Field(ge=0, le=1024**2)]
ItemSizes = Annotated[tuple[ItemBytes, ...], Field(strict=False)]
"""Sizes of items in a table, which holds none above 400 KB."""
Counts = Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(strict=False, min_length=1)]
Row = Annotated[int, Field(ge=0)]
Rows = Annotated[tuple[Row, ...], Field(strict=False, min_length=1)]
KwhPerGb = Annotated[float, Field(ge=0, le=1)]
Name = Annotated[str, Field(min_length=1, max_length=128)]
Architecture = Literal["x86_64", "arm64"]


class WorkflowId(StrictModel):
    """Which workflow, and which version of it, the problem is about."""

    name: Name
    version: Name


class CarbonIntensity(StrictModel):
    """Average intensity of a region's grid: overall, and by hour of the day in UTC, from 0.

    `marginal` is a mean of marginal intensity, of whichever power plants answer to one kWh more, over a year or, as
    provenance says, the last weeks; absent where nobody publishes it. No placement is chosen by it: see `sensitivity`
    in docs/model.md. `zone` is the grid's name; `year_to_year` the standard deviation of the logarithm of a year's mean
    to the year before, absent if not known.
    """

    average: Intensity
    hourly: Annotated[tuple[Intensity, ...], Field(strict=False, min_length=24, max_length=24)]
    marginal: Intensity | None = None
    zone: Name | None = None
    year_to_year: Annotated[float, Field(ge=0, le=2)] | None = None


class CpuPower(StrictModel):
    """Power of one vCPU at no load and at full load."""

    idle: Kilowatts
    full: Kilowatts


class Prices(StrictModel):
    """A region's prices: its own, never another region's. `egress_internet_per_gb` is accepted, and not read.

    `egress_to_per_gb` has those of regions to which data goes at another price than to all others.
    """

    compute_per_gb_s: dict[Architecture, Annotated[float, Field(ge=0, le=0.01)]]
    invocation: dict[Architecture, Annotated[float, Field(ge=0, le=0.01)]]
    message_request: Annotated[float, Field(ge=0, le=0.01)]
    table_read_unit: Annotated[float, Field(ge=0, le=0.01)]
    table_write_unit: Annotated[float, Field(ge=0, le=0.01)]
    egress_other_region_per_gb: Price
    egress_internet_per_gb: Price | None = None
    egress_to_per_gb: dict[Name, Price] = Field(default_factory=dict)
    object_put: Annotated[float, Field(ge=0, le=0.01)] | None = None
    object_get: Annotated[float, Field(ge=0, le=0.01)] | None = None
    log_per_gb: Price | None = None
    queue_request: Annotated[float, Field(ge=0, le=0.01)] | None = None
    scheduled_invocation: Annotated[float, Field(ge=0, le=0.01)] | None = None


class ProblemRegion(StrictModel):
    """What is known of a region. `relative_run_time` 1.05 means five per cent slower than one of 1."""

    carbon_intensity_g_per_kwh: CarbonIntensity
    pue: Annotated[float, Field(ge=1, le=5)]
    cpu_kw_per_vcpu: CpuPower
    memory_kw_per_gb: Kilowatts
    relative_run_time: Annotated[float, Field(gt=0, le=100)]
    price_usd: Prices


class CarbonModel(StrictModel):
    """How data in motion emits: see docs/model.md.

    `transmission_kwh_per_gb` is what it takes between regions, `intra_region_kwh_per_gb` inside one. Problems of the
    first schema have in its place whether that is nothing or the same, and what share of external data is at home.
    """

    transmission_kwh_per_gb: KwhPerGb
    intra_region_kwh_per_gb: KwhPerGb | None = None
    unknown_route_g_per_kwh: Intensity
    intra_region_transmission_free: bool | None = None
    external_data_home_share: Fraction | None = None

    @property
    def intra_kwh_per_gb(self) -> float:
        """What data in motion takes inside a region."""
        if self.intra_region_kwh_per_gb is not None:
            return self.intra_region_kwh_per_gb
        return 0.0 if self.intra_region_transmission_free else self.transmission_kwh_per_gb


class ObservedRuns(StrictModel):
    """The runs that were observed, a row each: everything else names them by their place in this list.

    `item_bytes` has the sizes of each run's item at its writes, without its map of regions and its input.
    `input_bytes` come on top of them while the map has no more than `input_room_bytes`.
    """

    id: Annotated[tuple[Name, ...], Field(strict=False, min_length=1)]
    started_at: Annotated[tuple[float, ...], Field(strict=False, min_length=1)]
    item_bytes: Annotated[tuple[ItemSizes, ...], Field(strict=False)] | None = None
    input_bytes: ItemSizes | None = None
    input_room_bytes: ItemSizes | None = None


class Endpoint(StrictModel):
    """Where external data is: a service in a region, null where that is not known, and the hosts that were called."""

    service: Name
    region: Name | None
    hosts: Annotated[tuple[Annotated[str, Field(max_length=300)], ...], Field(strict=False)]


class Exchanges(StrictModel):
    """What executions exchanged with an endpoint: aligned with their `duration_s`, 0 where they did not call it.

    `seconds` are those in which at least one call went on, `puts` the calls that write, `round_trips` what the calls
    took whatever they moved: both where that is known.
    """

    calls: Counts
    gb_out: Sizes
    gb_in: Sizes
    seconds: Durations
    puts: Counts | None = None
    round_trips: Counts | None = None


class Runs(StrictModel):
    """Executions observed in one region; the lists are aligned, one place an execution.

    `run` says of which run each is, `init_s` how long its process took to start, 0 of one that was warm.
    """

    run: Rows | None = None
    duration_s: Durations
    init_s: Durations | None = None
    external_data_gb: Sizes | None = None
    external: dict[Name, Exchanges] | None = None
    call_offset_s: dict[Name, Durations]


class Transfers(StrictModel):
    """Messages observed between two regions; the lists are aligned, one place a message; `run` says of which run.

    `sent_gb` is the message, or the item in a sync node's table: less than the payload if that rests in a bucket.
    """

    run: Rows | None = None
    payload_gb: Sizes
    latency_s: Latencies
    sent_gb: Sizes | None = None


class NoticeTransfers(StrictModel):
    """Skip notices observed between two regions."""

    run: Rows | None = None
    latency_s: Latencies


class Redirector(StrictModel):
    """The hop of the home entry that forwards a run to where the entry node is placed."""

    cpu_utilization: Fraction
    runs: dict[Name, Runs]
    transfers: dict[Name, Transfers]


class Entry(StrictModel):
    """How runs begin. `stays_home_share` is the share of runs that no placement moves.

    `sent_gb` are the clients' messages, `forwarded_gb` those of the home entry where the entry node is elsewhere; both
    are less than the payload where that rests in a bucket.
    """

    node: Name
    payload_gb: Sizes
    sent_gb: Sizes | None = None
    forwarded_gb: Sizes | None = None
    plan_gb: SizeGb
    plan_read_at_function_probability: Fraction
    redirector: Redirector | None = None
    stays_home_share: Annotated[float, Field(ge=0, lt=1)] = 0.0


class ProblemNode(StrictModel):
    """A node. `vcpu` null means memory_mb / 1769, Lambda's share. `runs` by region, where observed.

    `claim_bytes` is the size of the item by which a delivery claims it, 0 if it is not claimed, `report_bytes` those of
    a sync node's state at each report. `log_bytes` is what an execution logs, `collected_units` what its record counts
    in the control plane's table.
    """

    memory_mb: Annotated[int, Field(ge=128, le=10240)]
    vcpu: Annotated[float, Field(gt=0, le=6)] | None
    architecture: Architecture
    allowed_regions: Annotated[tuple[Name, ...], Field(strict=False, min_length=1)]
    cpu_utilization: Fraction
    claim_bytes: ItemBytes | None = None
    report_bytes: ItemSizes | None = None
    log_bytes: Annotated[float, Field(ge=0, le=1024**3)] | None = None
    collected_units: Annotated[float, Field(ge=0, le=400)] | None = None
    runs: dict[Name, Runs]


class Sync(StrictModel):
    """Of an edge into a sync node: what its report gets back, and the message that starts the node."""

    response_gb: SizeGb
    message_gb: SizeGb


class SkipNotice(StrictModel):
    """A sync node that is notified, when an edge is not taken, that `predecessor` will not call it."""

    predecessor: Name
    sync_node: Name
    response_gb: SizeGb
    message_gb: SizeGb
    transfers: dict[Name, NoticeTransfers]


class ProblemEdge(StrictModel):
    """A call. `call` is its key in the caller's `call_offset_s` (default: `to`), for two calls of one node.

    `transfers` and those of notices are keyed by `FROM>TO`, two regions. `taken` are the runs in which it was made.
    """

    source: Annotated[Name, Field(alias="from")]
    target: Annotated[Name, Field(alias="to")]
    call: Name | None = None
    probability: Fraction
    taken: Annotated[tuple[Row, ...], Field(strict=False)] | None = None
    transfers: dict[Name, Transfers]
    sync: Sync | None
    on_skip: Annotated[tuple[SkipNotice, ...], Field(strict=False)]

    @property
    def call_key(self) -> str:
        """Where the caller's `call_offset_s` says when the call comes."""
        return self.call or self.target


class ProblemLimit(StrictModel):
    """A limit on a run: absolute in the metric's unit (g, USD, s), or relative in per cent of all-home."""

    type: Word[LimitType]
    value: Annotated[float, Field(gt=0)]


class Objective(StrictModel):
    """What is minimised, in order; `hard` limits bound the tail (a percentile), `soft` ones the mean.

    The tails of carbon and cost are those of the runs that move, that of run time is that of all: see docs/model.md.
    `robust`: carbon is what it is in the worst corner of what is assumed, not by the problem's own assumptions.
    """

    priority: Annotated[tuple[Word[Metric], ...], Field(strict=False, min_length=1, max_length=len(Metric))]
    hard: dict[Word[Metric], ProblemLimit]
    soft: dict[Word[Metric], ProblemLimit]
    tail_percentile: Annotated[float, Field(gt=0, lt=100)]
    robust: bool = False

    def limits(self, kind: LimitKind) -> Mapping[Metric, ProblemLimit]:
        """The limits of a kind."""
        return self.hard if kind == LimitKind.HARD else self.soft


class Problem(StrictModel):
    """The whole problem. `ping_s` by region and region; `provenance` is free text on where the data comes from."""

    schema_version: Annotated[Literal["caribou.problem/1", "caribou.problem/2"], Field(alias="schema")]
    workflow: WorkflowId
    home_region: Name
    control_region: Name
    regions: Annotated[dict[Name, ProblemRegion], Field(min_length=1)]
    ping_s: dict[Name, dict[Name, Pings]]
    carbon_model: CarbonModel
    runs: ObservedRuns | None = None
    endpoints: dict[Name, Endpoint] = Field(default_factory=dict)
    entry: Entry
    nodes: Annotated[dict[Name, ProblemNode], Field(min_length=1)]
    edges: Annotated[tuple[ProblemEdge, ...], Field(strict=False)]
    objective: Objective
    provenance: dict[str, str] = Field(default_factory=dict)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the problem's JSON: no white space, fields in the schema's order, defaults filled in.

        Names (of nodes, regions, pairs of regions) stand as in the file: ties and random numbers go by their order.
        """
        return ordered_digest_of(self.model_dump(mode="json", by_alias=True))

    @cached_property
    def node_order(self) -> tuple[str, ...]:
        """The nodes in topological order, ties by order of declaration; those on a cycle are left out."""
        waiting = {name: len(self.in_edges[name]) for name in self.nodes}
        order: list[str] = []
        while ready := [name for name, count in waiting.items() if count == 0]:
            for name in ready:
                del waiting[name]
                order.append(name)
                for index in self.out_edges[name]:
                    waiting[self.edges[index].target] -= 1
        return tuple(order)

    @cached_property
    def in_edges(self) -> Mapping[str, tuple[int, ...]]:
        """Indices into `edges` of the edges into each node, in their order."""
        return {name: tuple(i for i, edge in enumerate(self.edges) if edge.target == name) for name in self.nodes}

    @cached_property
    def out_edges(self) -> Mapping[str, tuple[int, ...]]:
        """Indices into `edges` of the edges out of each node, in their order."""
        return {name: tuple(i for i, edge in enumerate(self.edges) if edge.source == name) for name in self.nodes}

    def edges_ended_by_skip(self, index: int) -> tuple[int, ...]:
        """The edges into sync nodes that a skip of edge `index` ends: itself, or those behind its plain target.

        A plain node behind a skipped edge is skipped with everything behind it, up to the next sync nodes; these wait
        for their other edges, so they have to be notified.
        """
        edge = self.edges[index]
        if edge.sync is not None:
            return (index,)
        return tuple(end for i in self.out_edges[edge.target] for end in self.edges_ended_by_skip(i))

    @cached_property
    def can_be_invoked(self) -> frozenset[str]:
        """The nodes that some run invokes: those reached from the entry by edges of a probability above 0."""
        reached = {self.entry.node}
        for name in self.node_order:
            if name in reached:
                reached.update(self.edges[i].target for i in self.out_edges[name] if self.edges[i].probability > 0)
        return frozenset(reached)
