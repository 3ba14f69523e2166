"""Assembles `problem.json`: facts about regions, what the workflow's runs say, and what its owner wants.

Pure: everything comes in as values. Where the facts come from (the control plane's tables, or the packaged snapshots)
is the caller's matter; `caribou problem` has both.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any

from caribou.collectors.bodies import KINDS, Kind
from caribou.collectors.dated import sources_text
from caribou.collectors.facts import Facts
from caribou.collectors.kept_runs import Stored
from caribou.collectors.summary import Summary, problem_regions, summarise
from caribou.control.plan.fact_notes import check_age, fact_notes
from caribou.control.plan.left_out import LeftOut, left_out
from caribou.control.stacks.readiness import Readiness
from caribou.model.bill import LOG_USD_PER_GB, Priced
from caribou.model.errors import InvalidProblemError
from caribou.model.graph import Graph
from caribou.model.manifest import Limit, Manifest
from caribou.model.metric import Metric
from caribou.model.regions import KNOWN_REGIONS
from caribou.model.run.record import RunRecord

PROBLEM_SCHEMA = "caribou.problem/2"
TAIL_PERCENTILE = 95

CARBON_MODEL = {
    "transmission_kwh_per_gb": 0.001,
    "intra_region_kwh_per_gb": 0.0,
    "unknown_route_g_per_kwh": 410.0,
}
"""Data in motion: 0.001 kWh/GB between regions (Cloud Carbon Footprint), nothing inside one, and a world mean for
unknown routes. What a plan saves under other figures is said with it: docs/model.md."""

Json = dict[str, Any]


def build_problem(
    *,
    graph: Graph,
    manifest: Manifest,
    facts: Facts,
    records: Stored | Iterable[RunRecord],
    control_region: str,
    now: datetime,
    readiness: Readiness | None = None,
) -> Json:
    """The problem as the JSON object of `problem.json`, as of `now` (aware).

    `readiness` says to which regions the account can deploy: no node may be placed in others. None: nobody was asked.

    Raises InvalidProblemError naming the region that lacks a fact, or has one that is too old, and the collector to
    run, or that can't be deployed to and has to be, and InvalidRecordError naming the node that lacks observations.
    """
    without = left_out(manifest, facts, readiness)
    summary = summarise(records, graph, manifest)
    regions = _regions(manifest, summary, without.regions)
    _check_facts(regions, facts)
    check_age(regions, facts, now)
    return {
        "schema": PROBLEM_SCHEMA,
        "workflow": {"name": graph.workflow, "version": graph.version},
        "home_region": manifest.home_region,
        "control_region": control_region,
        "regions": {region: _region(region, regions, facts, manifest.architecture) for region in regions},
        "ping_s": {a: {b: list(facts.performance[a].body.ping_s[b]) for b in regions} for a in regions},
        "carbon_model": dict(CARBON_MODEL),
        "runs": summary.runs,
        "endpoints": summary.endpoints,
        "entry": summary.entry,
        "nodes": {name: _placed(node, without.regions) for name, node in summary.nodes.items()},
        "edges": summary.edges,
        "objective": _objective(manifest),
        "provenance": _provenance(regions, facts, summary, without, now),
    }


def _regions(manifest: Manifest, summary: Summary, without: AbstractSet[str]) -> tuple[str, ...]:
    """The regions of a problem: of those that are left out, the ones where nodes ran and where data is."""
    data = {data.region for data in manifest.external_data.values()}
    data |= {endpoint["region"] for endpoint in summary.endpoints.values()}
    ran = {region for node in summary.nodes.values() for region in node["runs"]}
    return tuple(region for region in problem_regions(manifest) if region not in without or region in {*data, *ran})


def _placed(node: Json, without: AbstractSet[str]) -> Json:
    """The node, which may be placed where nothing is left out."""
    return {**node, "allowed_regions": [region for region in node["allowed_regions"] if region not in without]}


def _region(region: str, regions: Collection[str], facts: Facts, architecture: str) -> Json:
    provider = facts.provider[region].body
    prices = provider.price_usd
    to = {other: price for other, price in prices.egress_to_per_gb.items() if other in regions}
    return {
        "carbon_intensity_g_per_kwh": facts.carbon[region].body.intensity(),
        "pue": provider.pue,
        "cpu_kw_per_vcpu": provider.cpu_kw_per_vcpu[architecture].to_json(),
        "memory_kw_per_gb": provider.memory_kw_per_gb,
        "relative_run_time": facts.performance[region].body.relative_run_time,
        "price_usd": {Priced.LOG: LOG_USD_PER_GB, **prices.to_json(), "egress_to_per_gb": to},
    }


def _check_facts(regions: Iterable[str], facts: Facts) -> None:
    """Raise unless every region has a fact of each kind, and a ping to every other."""
    regions = tuple(regions)
    for kind in KINDS:
        for region in regions:
            if region not in facts.of(kind):
                raise _missing(f"there is no {kind} fact", region, kind)
    for region in regions:
        for to in regions:
            if not facts.performance[region].body.ping_s.get(to):
                raise _missing(f"there is no ping to {to}", region, "performance")


def _missing(what: str, region: str, kind: Kind) -> InvalidProblemError:
    known = region in KNOWN_REGIONS
    return InvalidProblemError(
        what,
        where=f"region {region}",
        fix=f"run `caribou data_collect {kind}`; if the chosen source lacks the region, choose another or leave it out"
        if known
        else "leave the region out: Caribou has no data on it",
    )


def _objective(manifest: Manifest) -> Json:
    return {
        "priority": list(manifest.priority),
        "hard": _limits(manifest.hard),
        "soft": _limits(manifest.soft),
        "tail_percentile": TAIL_PERCENTILE,
        **({"robust": True} if manifest.robust else {}),
    }


def _limits(limits: Mapping[Metric, Limit]) -> Json:
    return {metric: {"type": limit.type, "value": limit.value} for metric, limit in limits.items()}


def _provenance(
    regions: Iterable[str], facts: Facts, summary: Summary, without: LeftOut, now: datetime
) -> dict[str, str]:
    """Where each kind of figure comes from, as texts: sources, dates, and what was assumed for which region."""
    regions = tuple(regions)
    provider = facts.provider
    return {
        **{kind: _origin(kind, regions, facts) for kind in KINDS},
        **fact_notes(regions, facts, now),
        **without.provenance,
        **_named("pue_of_aws_fleet", [region for region in regions if provider[region].body.has_pue_of_fleet]),
        **_named("marginal_intensity_unknown", [r for r in regions if facts.carbon[r].body.marginal is None]),
        **_named("marginal_intensity_of_last_weeks", [r for r in regions if facts.carbon[r].body.has_live_marginal]),
        **_named("carbon_zone_contested", _contested(regions, facts)),
        **_named("object_prices_unknown", [r for r in regions if provider[r].body.price_usd.object_put is None]),
        **_log_price([r for r in regions if provider[r].body.price_usd.log_per_gb is None], regions),
        **_named("egress_price_assumed", [region for region in regions if provider[region].body.has_assumed_egress]),
        **_named("ping_estimated", _estimated_pings(regions, facts)),
        **{key: "; ".join(said) for key in ("ping", "relative_run_time") if (said := _said(key, regions, facts))},
        **{f"workflow.{key}": text for key, text in summary.provenance.items()},
    }


def _estimated_pings(regions: Sequence[str], facts: Facts) -> list[str]:
    """What was not measured, but estimated by distance: regions all of whose round trips were, else pairs."""
    pairs = [(a, b) for a in regions for b in regions if b in facts.performance[a].body.estimated_to]
    whole = [a for a in regions if all((a, b) in pairs for b in regions)]
    return [*whole, *(f"{a}>{b}" for a, b in pairs if a not in whole and b not in whole)]


def _said(key: str, regions: Sequence[str], facts: Facts) -> list[str]:
    """What the performance facts say of where something comes from, each text once."""
    said = (facts.performance[region].body.provenance.get(key) for region in regions)
    return list(dict.fromkeys(str(text) for text in said if text))


def _log_price(lacking: Collection[str], regions: Collection[str]) -> dict[str, str]:
    """What is taken for the regions whose own price of logs is not known."""
    what = "all regions" if len(lacking) == len(regions) else ", ".join(lacking)
    return {"log_price": f"{LOG_USD_PER_GB:g} USD/GB, us-east-1's, for {what}"} if lacking else {}


def _origin(kind: Kind, regions: Iterable[str], facts: Facts) -> str:
    used = [facts.of(kind)[region] for region in regions]
    oldest = min(fact.retrieved_at for fact in used)
    methods = sorted({fact.method for fact in used if fact.method})
    bases = sorted({str(basis) for fact in used if (basis := fact.body.provenance.get("basis"))})
    return "; ".join([sources_text(used), f"collected on {oldest.date().isoformat()}", *methods, *bases])


def _contested(regions: Iterable[str], facts: Facts) -> list[str]:
    """What else is said of the grids of regions for which more than one zone is named."""
    said = {region: facts.carbon[region].body.provenance.get("contested") for region in regions}
    return [f"{region} {text}" for region, text in said.items() if text]


def _named(key: str, regions: list[str]) -> dict[str, str]:
    return {key: ", ".join(regions)} if regions else {}
