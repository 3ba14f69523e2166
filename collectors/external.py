"""The endpoints of a problem: where the data is that functions exchange with services outside, and how much it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from caribou.collectors.observed import gigabytes, seconds
from caribou.model.run.record import EndpointRecord, RunRecord

Json = dict[str, Any]


def endpoints(records: Iterable[RunRecord]) -> Json:
    """Name to service, region and hosts, of every endpoint that was called."""
    hosts: dict[tuple[str, str | None], set[str]] = {}
    for record in records:
        for endpoint in record.external:
            hosts.setdefault((endpoint.service, endpoint.region), set()).update({endpoint.host} - {""})
    named = {(service, region): sorted(found) for (service, region), found in hosts.items()}
    return {
        _name(service, region): {"service": service, "region": region, "hosts": found}
        for (service, region), found in sorted(named.items(), key=lambda item: _name(*item[0]))
    }


def exchanges(records: Sequence[RunRecord]) -> Json:
    """Endpoint to what each execution exchanged with it, aligned with the records; 0 where it did not call it."""
    called = [_by_name(record.external) for record in records]
    names = sorted({name for endpoints_of in called for name in endpoints_of})
    return {name: _columns([endpoints_of.get(name, []) for endpoints_of in called]) for name in names}


def unknown_share(records: Sequence[RunRecord]) -> dict[str, str]:
    """What the provenance says where data was exchanged with endpoints that nobody knows the region of."""
    total = sum(record.external_bytes for record in records)
    unknown = sum(e.bytes_in + e.bytes_out for record in records for e in record.external if e.region is None)
    if not unknown:
        return {}
    return {"external_data_unknown": f"{unknown / total:.0%} of external data is with endpoints of no known region"}


def _by_name(external: Iterable[EndpointRecord]) -> dict[str, list[EndpointRecord]]:
    """One endpoint may have several hosts."""
    found: dict[str, list[EndpointRecord]] = {}
    for endpoint in external:
        found.setdefault(_name(endpoint.service, endpoint.region), []).append(endpoint)
    return found


def _columns(executions: Sequence[Sequence[EndpointRecord]]) -> Json:
    return {
        "calls": [sum(endpoint.calls for endpoint in called) for called in executions],
        "gb_out": [gigabytes(sum(endpoint.bytes_out for endpoint in called)) for called in executions],
        "gb_in": [gigabytes(sum(endpoint.bytes_in for endpoint in called)) for called in executions],
        "seconds": [seconds(sum(endpoint.busy_s for endpoint in called)) for called in executions],
        **_round_trips(executions),
    }


def _round_trips(executions: Sequence[Sequence[EndpointRecord]]) -> Json:
    """The round trips of each execution; nothing at all where one of them was not counted."""
    counted = [[endpoint.round_trips for endpoint in called] for called in executions]
    if any(trips is None for called in counted for trips in called):
        return {}
    return {"round_trips": [sum(trips or 0 for trips in called) for called in counted]}


def _name(service: str, region: str | None) -> str:
    return f"{service}.{region or 'unknown'}"
