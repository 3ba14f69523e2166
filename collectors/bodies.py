"""The bodies of facts: what is known of a region, a typed value for each kind.

A source makes them, the fact table keeps them as JSON, and a problem is made of them. A body that is made is a right
one: numbers are checked where they come in, so that a source's mistake is met when it collects, not when somebody
solves. `provenance` is free text on where the figures come from; what a problem repeats of it has a property.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal, Protocol, Self, get_args

from caribou.model.errors import InvalidInputError

Json = dict[str, Any]
Kind = Literal["carbon", "provider", "performance"]
KINDS: tuple[Kind, ...] = get_args(Kind)
HOURS = 24
ARCHITECTURES = ("x86_64", "arm64")
ESTIMATED, ESTIMATED_SHARE = "estimated", "estimated_share"
"""Keys of a body's provenance: what of it is an estimate, as names with commas between, and which share of it."""
MAY_LACK = ("object_put", "object_get", "log_per_gb", "queue_request", "scheduled_invocation")
"""Prices that facts of earlier versions, or the packaged ones, do not have."""
_SHOWN = 80


class Body(Protocol):
    """What every kind of body has. Making one raises InvalidInputError for a number that can't be."""

    kind: ClassVar[Kind]

    @property
    def provenance(self) -> Mapping[str, object]:
        """Where the figures come from."""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The body that `to_json` wrote. Raises KeyError, TypeError or InvalidInputError for what is none."""

    def to_json(self) -> Json:
        """The body as a JSON object."""

    def with_provenance(self, more: Mapping[str, object]) -> Self:
        """The body, which says more of where it comes from."""


class _SaysWhence:
    """What bodies share."""

    __slots__ = ()

    def with_provenance(self, more: Mapping[str, object]) -> Self:
        """The body, which says more of where it comes from."""
        return replace(self, provenance={**self.provenance, **more})  # type: ignore[type-var, attr-defined]  # of dataclasses


@dataclass(frozen=True, slots=True)
class CarbonBody(_SaysWhence):
    """Average intensity of a region's grid, g CO2eq/kWh: over all, and by hour of day (UTC), from 0.

    `marginal` is a mean of marginal intensity, of a year or, if provenance says so, of weeks; None where nobody
    publishes it. `year_to_year` is the standard deviation of the logarithm of a year's mean to the year before; it and
    the grid's `zone` are None where not known.
    """

    kind: ClassVar[Kind] = "carbon"

    average: float
    hourly: tuple[float, ...]
    marginal: float | None = None
    zone: str | None = None
    year_to_year: float | None = None
    provenance: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.hourly) != HOURS:
            raise _wrong(self.kind, f"has not {HOURS} hourly intensities", len(self.hourly))
        hours = {f"hourly[{hour}]": intensity for hour, intensity in enumerate(self.hourly)}
        known = {key: value for key, value in self._known().items() if key != "zone"}
        _check(self.kind, {"average": self.average, **hours, **known})

    @property
    def has_live_marginal(self) -> bool:
        """Whether marginal intensity is the mean of the last weeks, from a live source."""
        return "marginal_source" in self.provenance

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The body that `to_json` wrote."""
        known = {key: data.get(key) for key in ("marginal", "zone", "year_to_year")}
        return cls(data["average"], tuple(data["hourly"]), **known, provenance=_provenance(data))

    def to_json(self) -> Json:
        """The body as a JSON object; what is not known is absent."""
        return {**self.intensity(), "provenance": dict(self.provenance)}

    def intensity(self) -> Json:
        """The figures alone as a JSON object, as a problem has them too."""
        return {"average": self.average, "hourly": list(self.hourly), **self._known()}

    def _known(self) -> Json:
        may_lack = {"marginal": self.marginal, "zone": self.zone, "year_to_year": self.year_to_year}
        return {key: value for key, value in may_lack.items() if value is not None}


@dataclass(frozen=True, slots=True)
class CpuPower:
    """Power of one vCPU, kW: at no load and at full load."""

    idle: float
    full: float

    def to_json(self) -> Json:
        """The power as a JSON object, as a problem has it too."""
        return {"idle": self.idle, "full": self.full}


@dataclass(frozen=True, slots=True)
class Prices:
    """A region's list prices, USD. What depends on the processor is by architecture, `x86_64` and `arm64`.

    `egress_to_per_gb` has the regions to which data goes at another price than to all others. Facts of earlier versions
    have none, and no prices of objects. The packaged list has no prices of logs, queues and schedules: None.
    A region without `arm64` in `compute_per_gb_s` has no functions of that architecture.
    """

    compute_per_gb_s: Mapping[str, float]
    invocation: Mapping[str, float]
    message_request: float
    table_read_unit: float
    table_write_unit: float
    egress_other_region_per_gb: float
    egress_to_per_gb: Mapping[str, float] = field(default_factory=dict)
    object_put: float | None = None
    object_get: float | None = None
    log_per_gb: float | None = None
    queue_request: float | None = None
    scheduled_invocation: float | None = None

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The prices in a JSON object; what else stands there, as in facts of earlier versions, is passed over."""
        return cls(
            compute_per_gb_s=dict(data["compute_per_gb_s"]),
            invocation=dict(data["invocation"]),
            message_request=data["message_request"],
            table_read_unit=data["table_read_unit"],
            table_write_unit=data["table_write_unit"],
            egress_other_region_per_gb=data["egress_other_region_per_gb"],
            egress_to_per_gb=dict(data.get("egress_to_per_gb", {})),
            **{name: data.get(name) for name in MAY_LACK},
        )

    def to_json(self) -> Json:
        """The prices as a JSON object, as a problem has them too."""
        return {
            "compute_per_gb_s": dict(self.compute_per_gb_s),
            "invocation": dict(self.invocation),
            "message_request": self.message_request,
            "table_read_unit": self.table_read_unit,
            "table_write_unit": self.table_write_unit,
            "egress_other_region_per_gb": self.egress_other_region_per_gb,
            **({"egress_to_per_gb": dict(self.egress_to_per_gb)} if self.egress_to_per_gb else {}),
            **{name: price for name in MAY_LACK if (price := getattr(self, name)) is not None},
        }

    def amounts(self) -> Mapping[str, float]:
        """Every price by its name."""
        flat: dict[str, float] = {}
        for name, price in self.to_json().items():
            flat |= {f"{name}.{key}": one for key, one in price.items()} if isinstance(price, dict) else {name: price}
        return flat


@dataclass(frozen=True, slots=True)
class ProviderBody(_SaysWhence):
    """What AWS's data centres and price list say of a region: PUE, power (kW), prices (USD).

    `cpu_kw_per_vcpu` is by architecture, `x86_64` and `arm64`; `memory_kw_per_gb` comes on top of it.
    """

    kind: ClassVar[Kind] = "provider"

    pue: float
    cpu_kw_per_vcpu: Mapping[str, CpuPower]
    memory_kw_per_gb: float
    price_usd: Prices
    provenance: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        power = {
            f"cpu_kw_per_vcpu.{architecture}.{load}": kw
            for architecture, cpu in self.cpu_kw_per_vcpu.items()
            for load, kw in cpu.to_json().items()
        }
        memory = {"memory_kw_per_gb": self.memory_kw_per_gb}
        _check(self.kind, {"pue": self.pue, **power, **memory, **self.price_usd.amounts()})
        if self.pue < 1:
            raise _wrong(self.kind, "has a PUE below 1", self.pue)

    @property
    def has_pue_of_fleet(self) -> bool:
        """Whether the PUE is AWS's global one, for lack of the region's own."""
        return self.provenance.get("pue") == "fleet"

    @property
    def has_assumed_egress(self) -> bool:
        """Whether the egress price is a stand-in's."""
        return self.provenance.get("egress") == "assumed"

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The body that `to_json` wrote."""
        return cls(
            pue=data["pue"],
            cpu_kw_per_vcpu=_powers(data["cpu_kw_per_vcpu"]),
            memory_kw_per_gb=data["memory_kw_per_gb"],
            price_usd=Prices.from_json(data["price_usd"]),
            provenance=_provenance(data),
        )

    def to_json(self) -> Json:
        """The body as a JSON object."""
        return {
            "pue": self.pue,
            "cpu_kw_per_vcpu": {key: cpu.to_json() for key, cpu in self.cpu_kw_per_vcpu.items()},
            "memory_kw_per_gb": self.memory_kw_per_gb,
            "price_usd": self.price_usd.to_json(),
            "provenance": dict(self.provenance),
        }


@dataclass(frozen=True, slots=True)
class PerformanceBody(_SaysWhence):
    """How fast functions run in a region, relative to 1, and round trips to other regions: region to samples, s."""

    kind: ClassVar[Kind] = "performance"

    relative_run_time: float
    ping_s: Mapping[str, tuple[float, ...]]
    provenance: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        pings = {f"ping_s.{to}[{i}]": ping for to, samples in self.ping_s.items() for i, ping in enumerate(samples)}
        _check(self.kind, {"relative_run_time": self.relative_run_time, **pings})
        if self.relative_run_time == 0:
            raise _wrong(self.kind, "has a relative run time of nothing", self.relative_run_time)

    @property
    def estimated_to(self) -> tuple[str, ...]:
        """The regions to which the round trip was not measured, but estimated by distance."""
        return tuple(filter(None, str(self.provenance.get(ESTIMATED, "")).split(", ")))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The body that `to_json` wrote."""
        pings = {to: tuple(samples) for to, samples in data["ping_s"].items()}
        return cls(data["relative_run_time"], pings, _provenance(data))

    def to_json(self) -> Json:
        """The body as a JSON object."""
        return {
            "relative_run_time": self.relative_run_time,
            "ping_s": {to: list(samples) for to, samples in self.ping_s.items()},
            "provenance": dict(self.provenance),
        }


def _powers(data: Mapping[str, Any]) -> dict[str, CpuPower]:
    """Power by architecture. Facts of earlier versions have one for both."""
    if "idle" in data:
        return dict.fromkeys(ARCHITECTURES, CpuPower(data["idle"], data["full"]))
    return {
        architecture: CpuPower(data[architecture]["idle"], data[architecture]["full"]) for architecture in ARCHITECTURES
    }


def _provenance(data: Mapping[str, Any]) -> dict[str, object]:
    """Where the figures come from: an object of single values."""
    provenance = dict(data.get("provenance", {}))
    if any(isinstance(value, dict | list) for value in provenance.values()):
        raise TypeError("a provenance that is no object of single values")
    return provenance


def _check(kind: Kind, numbers: Mapping[str, float]) -> None:
    """Raise InvalidInputError for the first that is no number of 0 or more."""
    for name, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
            raise _wrong(kind, "has a wrong number", f"{name} = {value!r}"[:_SHOWN])


def _wrong(kind: Kind, what: str, found: object) -> InvalidInputError:
    fix = f"look at its source, then run `caribou data_collect {kind}` again"
    return InvalidInputError(what, where=f"a {kind} fact", found=found, fix=fix)
