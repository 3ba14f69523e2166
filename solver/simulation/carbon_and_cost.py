"""What a run's parts emit and cost, whatever the order in which they happen.

Notation: node v in region r(v), home h, I(r) the grid's intensity in g/kWh, E the transmission energy in kWh/GB.

    carbon = sum over nodes   d/3600 * P(r) * PUE(r) * I(r)  +  external GB * E * ((1-s) * U + s * route(h, r))
           + sum over data    GB * E * route(a, b)
    P(r)   = (idle + utilisation * (full - idle)) * vCPU + memory power * GB of memory
    route  = I(a) if a = b, else (I(a) + I(b)) / 2; U if an end is unknown (the client's)
    cost   = sum over nodes   price per GB-s * GB of memory * d + price per invocation
           + sum over data    GB * egress price of the sender's region, if it leaves the region
           + what the runtime's calls are billed: `billed`

All of it is linear in amounts that were drawn (`Term.amount`), with factors that depend on one region or on two. So
a placement's mean is a sum of looked-up numbers: `MeanTables`, one table a node and one a pair of nodes. What depends
on the order of events at a sync node is in `timing`: who sends the message that starts it, and how large the item is at
each write. Here the least that these can be is counted, and what comes on top of it there. The formulas follow the
reference system's model. Problems of the first schema, which have no rows, are billed as in that system: `first_bill`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from caribou.model.bill import Priced
from caribou.model.schema.problem import CarbonModel, Prices, Problem, ProblemNode
from caribou.solver.simulation import first_bill
from caribou.solver.simulation.billed import Amounts, Billed
from caribou.solver.simulation.latency import kb
from caribou.solver.simulation.random_streams import Bools, Floats, Ints
from caribou.solver.simulation.scenarios import External, Message, NodeRuns, Scenarios

SECONDS_AN_HOUR = 3600.0
MB_PER_VCPU = 1769.0  # AWS Lambda: at 1,769 MB a function has the equivalent of one vCPU
MB_PER_GB = 1024.0
KB_PER_READ_UNIT = 4.0  # DynamoDB: a strongly consistent read of up to 4 KB
AVERAGE = 24
"""The place after the hours 0 to 23 on every hour axis: the overall average intensity."""
DAY = 25
"""The place after that: the mean of the hours 0 to 23, so that carbon there is the mean over the day."""


@dataclass(frozen=True)
class Rates:
    """The prices and powers of R regions as arrays, by hour where they change: `intensity` (H, R).

    `per_gb` (H, R, R) is what a GB on its way from region to region emits, `unknown_per_gb` if an end is not known, and
    `external_per_gb` (H, R) what one emits that goes to an endpoint of which nobody knows where it is, g.
    """

    intensity: Floats
    per_gb: Floats
    unknown_per_gb: float
    external_per_gb: Floats
    usd: Mapping[Priced, Floats]
    egress: Floats

    @classmethod
    def of(cls, problem: Problem, intensity: Floats | None = None) -> Rates:
        """The rates of a problem; with other intensities than those of its hours where they are given (H, R)."""
        regions = list(problem.regions.values())
        intensity = _intensity(problem) if intensity is None else intensity
        route = (intensity[:, :, np.newaxis] + intensity[:, np.newaxis, :]) / 2
        elsewhere = 1.0 - np.eye(len(regions))
        model, prices = problem.carbon_model, [region.price_usd for region in regions]
        return cls(
            intensity=intensity,
            per_gb=route * np.where(np.eye(len(regions)), model.intra_kwh_per_gb, model.transmission_kwh_per_gb),
            unknown_per_gb=model.unknown_route_g_per_kwh * model.transmission_kwh_per_gb,
            external_per_gb=_external_per_gb(model, route[:, :, list(problem.regions).index(problem.home_region)]),
            usd={
                priced: np.array([getattr(price, priced) or 0.0 for price in prices])
                for priced in Priced
                if priced != Priced.INVOCATION  # by architecture: a machine's
            },
            egress=np.array([[_egress(price, to) for to in problem.regions] for price in prices]) * elsewhere,
        )


def _intensity(problem: Problem) -> Floats:
    """The intensities at the hours of the day, their overall average, and the mean of the hours: (26, R)."""
    grids = [region.carbon_intensity_g_per_kwh for region in problem.regions.values()]
    return np.asarray([[*grid.hourly, grid.average, float(np.mean(grid.hourly))] for grid in grids]).T


def _egress(prices: Prices, to: str) -> float:
    return prices.egress_to_per_gb.get(to, prices.egress_other_region_per_gb)


def _external_per_gb(model: CarbonModel, home_route: Floats) -> Floats:
    """What a GB emits that goes to an unknown endpoint, (H, R).

    It is the same from everywhere, but for problems that say what share of it is exchanged with home.
    """
    share = model.external_data_home_share or 0.0
    return model.transmission_kwh_per_gb * ((1 - share) * model.unknown_route_g_per_kwh + share * home_route)


@dataclass(frozen=True, slots=True)
class Machine:
    """What running a node costs and draws, in each region: `usd_per_s`, `usd_per_run` and `kw`, with PUE (all (R,))."""

    usd_per_s: Floats
    usd_per_run: Floats
    kw: Floats

    @classmethod
    def of(cls, problem: Problem, node: ProblemNode, cpu_utilization: float) -> Machine:
        """The machine of a node. Only regions that it is not allowed in may lack a price; it is never placed there."""
        regions, memory_gb = problem.regions.values(), node.memory_mb / MB_PER_GB
        vcpu = node.vcpu or node.memory_mb / MB_PER_VCPU
        kw = [
            (cpu.idle + cpu_utilization * (cpu.full - cpu.idle)) * vcpu + region.memory_kw_per_gb * memory_gb
            for region in regions
            for cpu in [region.cpu_kw_per_vcpu]
        ]
        prices = [region.price_usd for region in regions]
        return cls(
            np.array([price.compute_per_gb_s.get(node.architecture, 0.0) for price in prices]) * memory_gb,
            np.array([price.invocation.get(node.architecture, 0.0) for price in prices]),
            np.array(kw) * np.array([region.pue for region in regions]),
        )


@dataclass(frozen=True, slots=True)
class Term:
    """Something that happens between two nodes: `amount` (S,), USD for one of it (R, R), and how many GB it moves."""

    source: int
    target: int
    amount: Floats
    usd: Floats
    gb: float


@dataclass(frozen=True, slots=True)
class MeanTables:
    """Means over the samples, by region(s). `pairs` (P, 2) are the nodes of the last ones' first axis.

    `node_usd` (N, R), `node_g` (H, N, R), `pair_usd` (P, R, R), `pair_g` (H, P, R, R).
    """

    node_usd: Floats
    node_g: Floats
    pairs: Ints
    pair_usd: Floats
    pair_g: Floats

    def usd(self, places: Ints) -> Floats:
        """Mean cost (B,) of placements (B, N), the least that joins may cost included."""
        return self._nodes(self.node_usd, places) + self._pairs(self.pair_usd, places)

    def grams(self, places: Ints, hour: int) -> Floats:
        """Mean carbon (B,) at an hour, without the messages that start sync nodes."""
        return self._nodes(self.node_g[hour], places) + self._pairs(self.pair_g[hour], places)

    def grams_by_hour(self, places: Ints) -> Floats:
        """Mean carbon (B, H) at all hours."""
        return np.stack([self.grams(places, hour) for hour in range(len(self.node_g))], axis=1)

    def _nodes(self, table: Floats, places: Ints) -> Floats:
        return np.asarray(table[np.arange(places.shape[1]), places].sum(axis=1))

    def _pairs(self, table: Floats, places: Ints) -> Floats:
        sources, targets = places[:, self.pairs[:, 0]], places[:, self.pairs[:, 1]]
        return np.asarray(table[np.arange(len(table)), sources, targets].sum(axis=1))


@dataclass(frozen=True)
class CarbonAndCost:
    """Carbon and cost of a drawn problem. The entry's redirect is accounted to the entry node."""

    scenarios: Scenarios
    rates: Rates

    @cached_property
    def machines(self) -> tuple[Machine, ...]:
        """The machine of each node."""
        problem = self.scenarios.problem
        nodes = [problem.nodes[name] for name in problem.node_order]
        return tuple(Machine.of(problem, node, node.cpu_utilization) for node in nodes)

    @cached_property
    def terms(self) -> tuple[Term, ...]:
        """What happens between nodes, in whatever order."""
        edges = [term for i, edge in enumerate(self.scenarios.edges) for term in self._edge_terms(i, edge)]
        return (*edges, *(self._report(notice) for notice in self.scenarios.notices))

    @cached_property
    def means(self) -> MeanTables:
        """The tables from which a placement's means are added up."""
        nodes = range(len(self.machines))
        pairs = sorted({(term.source, term.target) for term in self.terms})
        shape = (len(pairs), *self.rates.egress.shape)
        pair_usd, pair_gb = np.zeros(shape), np.zeros(len(pairs))
        for term in self.terms:
            place, mean = pairs.index((term.source, term.target)), float(term.amount.mean())
            pair_usd[place] += term.usd * mean
            pair_gb[place] += term.gb * mean
        return MeanTables(
            node_usd=np.array([self.node_usd(v).mean(axis=1) for v in nodes]),
            node_g=np.stack([self._mean_grams(v) for v in nodes], axis=1),
            pairs=np.array(pairs, dtype=np.intp).reshape(len(pairs), 2),
            pair_usd=pair_usd,
            pair_g=pair_gb[:, np.newaxis, np.newaxis] * self.rates.per_gb[:, np.newaxis],
        )

    def node_usd(self, node: int) -> Floats:
        """Cost (R, S) of a node's executions, its join, and of how runs begin if it is the entry."""
        runs, invoked = self.scenarios.runs[node], self.scenarios.invoked[node]
        usd = _run_usd(self.machines[node], runs, invoked)
        usd = usd + self.machines[node].usd_per_s[self.scenarios.geography.home] * runs.busy_at_home_s * invoked
        for data in runs.external:
            usd = usd + self._egress_usd(data) * invoked
        usd = usd + self._calls_usd(node)
        return np.asarray(usd + self._entry_usd() if node == self._entry_node else usd)

    @cached_property
    def billed(self) -> Billed | None:
        """What the runs are billed for; None of problems without rows."""
        return Billed(self.scenarios) if self.scenarios.problem.runs is not None else None

    def _calls_usd(self, node: int) -> Floats:
        """Cost (R, S) of the runtime's calls that are billed in a node's region, and of its requests for objects."""
        if self.billed is not None:
            home = self.scenarios.geography.home
            return self._priced(self.billed.at_node(node)) + self.billed.endpoints_usd(node, self.rates.usd, home)
        if node in self.scenarios.sync_nodes:
            return first_bill.join_usd(self.scenarios, node, self.rates.usd)
        return np.zeros((1, 1))

    def _priced(self, amounts: Amounts) -> Floats:
        """Cost (R, S) of what is counted in each region."""
        total = np.zeros((len(self.rates.egress), self.scenarios.count))
        for priced, amount in amounts.items():
            total += self.rates.usd[priced][:, np.newaxis] * amount
        return total

    def grams(self, places: Ints, hours: Ints) -> Floats:
        """Carbon (H, S) of one placement (N,) at some hours, run by run, without the messages that start sync nodes."""
        total = self._pair_grams(places, hours)
        for node, region in enumerate(places):
            total += self._node_grams(node, int(region), hours)
        return total

    def _node_grams(self, node: int, region: int, hours: Ints) -> Floats:
        """Carbon (H, S) of a node's executions and external data, and of how runs begin if it is the entry."""
        runs, invoked = self.scenarios.runs[node], self.scenarios.invoked[node]
        per_s = self._grams_per_s(self.machines[node])
        grams = per_s[hours, region, np.newaxis] * (runs.busy_s[region] * invoked)
        at_home_s = np.broadcast_to(runs.busy_at_home_s, runs.duration_s.shape)[region]
        grams += per_s[hours, self.scenarios.geography.home, np.newaxis] * (at_home_s * invoked)
        for data in runs.external:
            gb = np.broadcast_to(data.gb, runs.duration_s.shape)[region]
            grams += self._external_per_gb(data)[hours, region, np.newaxis] * (gb * invoked)
        if node != self._entry_node:
            return np.asarray(grams)
        return np.asarray(grams + np.array([self._entry_grams(hour)[region] for hour in hours]).reshape(grams.shape))

    def _grams_per_s(self, machine: Machine) -> Floats:
        """Carbon (H, R) of a second's execution."""
        return np.asarray(machine.kw * self.rates.intensity / SECONDS_AN_HOUR)

    def _external_per_gb(self, data: External) -> Floats:
        """Carbon (H, R) of a GB exchanged with an endpoint, by the region from which it is called."""
        return self.rates.external_per_gb if data.place is None else self.rates.per_gb[:, :, data.place]

    def _mean_grams(self, node: int) -> Floats:
        """The means of a node's carbon at all hours (H, R): linear in mean duration and external data."""
        runs, invoked = self.scenarios.runs[node], self.scenarios.invoked[node]
        per_s, home = self._grams_per_s(self.machines[node]), self.scenarios.geography.home
        grams = per_s * (runs.busy_s * invoked).mean(axis=1)
        grams = grams + per_s[:, home, np.newaxis] * (runs.busy_at_home_s * invoked).mean(axis=1)
        for data in runs.external:
            grams = grams + self._external_per_gb(data) * (data.gb * invoked).mean(axis=1)
        if node != self._entry_node:
            return np.asarray(grams)
        return np.asarray(grams + np.array([self._entry_grams(hour).mean(axis=1) for hour in range(len(grams))]))

    def _egress_usd(self, data: External) -> Floats:
        """What it costs (R, S) that data goes to an endpoint in another region, and comes from there."""
        if data.place is None:
            return np.zeros((1, 1))
        egress = self.rates.egress
        return np.asarray(
            egress[:, data.place, np.newaxis] * data.out_gb + egress[data.place, :, np.newaxis] * data.in_gb
        )

    def pair_usd(self, places: Ints) -> Floats:
        """Cost (B, S) of what happens between nodes."""
        return self._sum([term.usd[places[:, term.source], places[:, term.target]] for term in self.terms], places)

    def _pair_grams(self, places: Ints, hours: Ints) -> Floats:
        """Carbon (H, S) of what happens between nodes, of one placement (N,)."""
        if not self.terms:
            return np.zeros((len(hours), self.scenarios.count))
        per_gb = self.rates.per_gb[hours]
        grams = [term.gb * per_gb[:, places[term.source], places[term.target]] for term in self.terms]
        return np.asarray(np.array(grams).T @ self._amounts)

    @cached_property
    def _amounts(self) -> Floats:
        return np.array([term.amount for term in self.terms])

    def _sum(self, factors: list[Floats], places: Ints) -> Floats:
        if not factors:
            return np.zeros((len(places), self.scenarios.count))
        return np.asarray(np.array(factors).T @ self._amounts)

    def _edge_terms(self, index: int, edge: Message) -> list[Term]:
        """Into a plain node: the data and its message. Into a sync node: the data and what its report costs."""
        data = Term(edge.source, edge.target, edge.payload_gb, self.rates.egress, 1.0)
        if self.scenarios.problem.edges[index].sync is not None:
            return [data, self._report(edge)]
        if self.billed is not None:
            return [data]
        requests = first_bill.message_requests(edge.payload_gb) * edge.happens
        price = np.broadcast_to(self.rates.usd[Priced.MESSAGE], self.rates.egress.shape)
        return [data, Term(edge.source, edge.target, requests, price, 0.0)]

    def _report(self, message: Message) -> Term:
        """A report to a sync node's table, whose response travels back."""
        usd = message.response_gb * self.rates.egress.T
        if self.billed is None:
            usd = usd + first_bill.report_units(message) * self.rates.usd[Priced.WRITE]
        return Term(message.source, message.target, message.happens.astype(np.float64), usd, message.response_gb)

    @property
    def _entry_node(self) -> int:
        return self.scenarios.position[self.scenarios.problem.entry.node]

    @cached_property
    def redirected(self) -> Bools:
        """Which runs are redirected, by the entry node's region: (R, S)."""
        away = np.arange(len(self.scenarios.geography.names)) != self.scenarios.geography.home
        if self.scenarios.entry.redirector is None:
            return np.zeros((len(away), self.scenarios.count), dtype=bool)
        return np.asarray(away[:, np.newaxis] & self.scenarios.entry.at_function)

    @cached_property
    def _redirector(self) -> Machine:
        """The redirector has the entry node's memory and a CPU utilisation of its own."""
        problem = self.scenarios.problem
        redirector = problem.entry.redirector
        utilization = redirector.cpu_utilization if redirector is not None else 0.0
        return Machine.of(problem, problem.nodes[problem.entry.node], utilization)

    def _entry_usd(self) -> Floats:
        """How runs begin, reading the plan, and the redirect: (R, S)."""
        entry, rates, home = self.scenarios.entry, self.rates, self.scenarios.geography.home
        usd = self._begun_usd() + self._plan_usd()
        if entry.redirector is None or entry.forward_gb is None:
            return usd
        hop = self._forwarded_usd(entry.forward_gb) + rates.egress[home][:, np.newaxis] * entry.forward_gb
        hop = hop + _run_usd(self._redirector, entry.redirector, entry.at_function)[home]
        return np.asarray(usd + np.where(self.redirected, hop, 0.0))

    def _begun_usd(self) -> Floats:
        """The client's message (R, S), and what else is billed whatever the placement: run items, log collection."""
        home, usd = self.scenarios.geography.home, self.rates.usd
        if self.billed is None:
            client = np.where(self.redirected, usd[Priced.MESSAGE][home], usd[Priced.MESSAGE][:, np.newaxis])
            return np.asarray(client * first_bill.message_requests(self.scenarios.entry.payload_gb))
        collected = self.billed.collected() * usd[Priced.WRITE][self._control]
        constant = self._priced(self.billed.at_home())[home] + collected
        return np.broadcast_to(constant, (len(self.rates.egress), self.scenarios.count))

    def _forwarded_usd(self, forward_gb: Floats) -> Floats:
        """The redirect's message, by where the entry node is: (R, S)."""
        if self.billed is None:
            return np.asarray(self.rates.usd[Priced.MESSAGE][:, np.newaxis] * first_bill.message_requests(forward_gb))
        there, at_home = self.billed.forwarded()
        collected = self.billed.collected_of_hop * self.rates.usd[Priced.WRITE][self._control]
        return np.asarray(self._priced(there) + self._priced(at_home)[self.scenarios.geography.home] + collected)

    @property
    def _control(self) -> int:
        """Where the control plane's prices are: in the control region, or home if the problem has no facts of it."""
        names, control = self.scenarios.geography.names, self.scenarios.problem.control_region
        return names.index(control) if control in names else self.scenarios.geography.home

    def _plan_usd(self) -> Floats:
        """Reading the plan (S,): by the client from the control region, by a function from its own region."""
        problem = self.scenarios.problem
        if problem.entry.plan_gb == 0:
            return np.zeros(self.scenarios.count)
        control = self.scenarios.geography.names.index(problem.control_region)
        units = float(np.ceil(kb(problem.entry.plan_gb) / KB_PER_READ_UNIT))
        read = self.rates.usd[Priced.READ]
        price = np.where(self.scenarios.entry.at_function, read[self.scenarios.geography.home], read[control])
        return np.asarray(price * units)

    def _entry_grams(self, hour: int) -> Floats:
        """Carbon of the same: (R, S)."""
        entry, rates, home = self.scenarios.entry, self.rates, self.scenarios.geography.home
        grams = (entry.payload_gb * rates.unknown_per_gb + self._plan_grams(hour))[np.newaxis]
        if entry.redirector is None or entry.forward_gb is None:
            return np.broadcast_to(grams, (len(rates.egress), self.scenarios.count))
        hop = rates.per_gb[hour, home][:, np.newaxis] * entry.forward_gb
        per_run = self._grams_per_s(self._redirector)[hour, home] * entry.redirector.duration_s[home]
        for data in entry.redirector.external:
            per_run = per_run + self._external_per_gb(data)[hour, home] * data.gb[home]
        hop = hop + per_run * entry.at_function
        return np.asarray(grams + np.where(self.redirected, hop, 0.0))

    def _plan_grams(self, hour: int) -> Floats:
        problem, rates = self.scenarios.problem, self.rates
        if problem.entry.plan_gb == 0:
            return np.zeros(self.scenarios.count)
        control = self.scenarios.geography.names.index(problem.control_region)
        route = rates.per_gb[hour, control, self.scenarios.geography.home]
        per_gb = np.where(self.scenarios.entry.at_function, route, rates.unknown_per_gb)
        return np.asarray(per_gb * problem.entry.plan_gb)


def _run_usd(machine: Machine, runs: NodeRuns, runs_at: Bools) -> Floats:
    per_run = machine.usd_per_run[:, np.newaxis]
    return np.where(runs_at, machine.usd_per_s[:, np.newaxis] * runs.busy_s + per_run, 0.0)
