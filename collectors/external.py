"""The endpoints of a problem: where the data is that functions exchange with services outside, and how much it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from caribou.collectors.observed import gigabytes, seconds
from caribou.model.manifest import Manifest
from caribou.model.run.record import EndpointRecord, RunRecord

Json = dict[str, Any]

BYTES_A_MB = 1024**2


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


def declared_endpoints(manifest: Manifest) -> Json:
    """The endpoints that the manifest names, by its names: no dot is in them, as in those of what was metered."""
    return {
        name: {"service": data.service, "region": data.region, "hosts": []}
        for name, data in manifest.external_data.items()
    }


def declared_exchanges(function: str, records: Sequence[RunRecord], manifest: Manifest) -> Json:
    """Endpoint of the manifest to what each execution of a function exchanges with it; sizes not known count as 0.

    How long the calls take is not known either, but it is no longer than the execution.
    """
    return {
        name: {
            "calls": [data.calls] * len(records),
            "gb_out": [gigabytes(data.calls * (data.mb_out or 0.0) * BYTES_A_MB)] * len(records),
            "gb_in": [gigabytes(data.calls * (data.mb_in or 0.0) * BYTES_A_MB)] * len(records),
            "seconds": [seconds(record.duration_s) for record in records],
        }
        for name, data in manifest.external_data.items()
        if function in data.functions
    }


def declared_notes(manifest: Manifest) -> dict[str, str]:
    """What the provenance says of data that is declared: that nobody measured it, or that its size is not known."""
    sized = [name for name, data in manifest.external_data.items() if data.has_sizes]
    sizeless = [name for name, data in manifest.external_data.items() if not data.has_sizes]
    notes = {}
    if sized:
        notes["external_data_declared"] = f"by the manifest, not measured: {', '.join(sized)}"
    if sizeless:
        notes["external_data_without_sizes"] = (
            f"{', '.join(sizeless)} has no mb_out and mb_in: its data counts as nothing, so what leaving it costs is "
            "not known; give them, or keep_near"
        )
    return notes


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
        **_counted("puts", executions),
        **_counted("round_trips", executions),
    }


def _counted(field: str, executions: Sequence[Sequence[EndpointRecord]]) -> Json:
    """A count that records of earlier versions lack; nothing at all where one of them does."""
    counts = [[getattr(endpoint, field) for endpoint in called] for called in executions]
    known = all(count is not None for called in counts for count in called)
    return {field: [sum(called) for called in counts]} if known else {}


def _name(service: str, region: str | None) -> str:
    return f"{service}.{region or 'unknown'}"
