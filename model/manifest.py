"""The manifest, `.caribou/config.yml`, as a value: what a workflow's owner wants and allows.

Reading the file is `caribou.model.schema.manifest`'s job; this module is what the rest of the toolkit works with.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from caribou.model.metric import LimitType, Metric
from caribou.model.run_settings import RunSettings


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit on a metric of a run.

    Absolute: in the metric's unit (carbon in g CO2eq, cost in USD, runtime in s), per run. Relative: per cent of the
    same metric with every node at home, so 110 allows ten per cent more.
    """

    type: LimitType
    value: float


@dataclass(frozen=True, slots=True)
class RegionRules:
    """Which regions are allowed: `allowed` None means all that are known; `disallowed` are taken from them.

    `kept_in` is the region that its owner wants it in: that, and home, are then the allowed ones.
    """

    allowed: tuple[str, ...] | None = None
    disallowed: tuple[str, ...] = ()
    kept_in: str | None = None

    def of(self, known: Iterable[str]) -> tuple[str, ...]:
        """The allowed ones among the known regions, in their order."""
        return tuple(r for r in known if (self.allowed is None or r in self.allowed) and r not in self.disallowed)


@dataclass(frozen=True, slots=True)
class FunctionSettings:
    """What a function gets in Lambda: seconds, MB, and where it may run.

    `docker_commands` are those of the reference system's images, which nobody runs here; synth warns of them.
    """

    timeout_s: int
    memory_mb: int
    regions: RegionRules
    environment_variables: Mapping[str, str] = field(default_factory=dict)
    docker_commands: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExternalData:
    """Data that the owner says functions exchange with a service, as the meter does not see it.

    Each execution makes so many calls, and sends and receives so many MB (1024² bytes) with each; None: not known.
    """

    service: str
    region: str
    functions: tuple[str, ...]
    calls: int = 1
    mb_out: float | None = None
    mb_in: float | None = None

    @property
    def has_sizes(self) -> bool:
        """Whether anything is known of how much it is."""
        return self.mb_out is not None or self.mb_in is not None


@dataclass(frozen=True, slots=True)
class Network:
    """Where functions are attached to a VPC of a region: ids of its subnets and security groups."""

    subnet_ids: tuple[str, ...]
    security_group_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Manifest:
    """A workflow's manifest. `functions` has the settings of each registered function, overrides applied.

    `hard` limits bound the tail, `soft` ones the mean, by metric. `placement_days` is how long a solved placement is
    valid. `robust`: carbon counts as in the worst corner of what is assumed. `alarm_topic` is the ARN of the topic, at
    home, that alarms go to. `vpc` and `kms_key` are by region: they are empty, or name every region that is allowed.
    The defaults here are those of the file.
    """

    workflow_name: str
    workflow_version: str
    home_region: str
    functions: Mapping[str, FunctionSettings]
    hard: Mapping[Metric, Limit] = field(default_factory=dict)
    soft: Mapping[Metric, Limit] = field(default_factory=dict)
    priority: tuple[Metric, ...] = tuple(Metric)
    robust: bool = False
    external_data: Mapping[str, ExternalData] = field(default_factory=dict)
    iam_policy_file: str | None = None
    estimated_invocations_per_month: int | None = None
    architecture: Literal["x86_64", "arm64"] = "x86_64"
    python_version: Literal["3.11", "3.12", "3.13", "3.14"] = "3.13"
    runs: RunSettings = field(default_factory=RunSettings)
    placement_days: int = 7
    log_retention_days: int = 30
    alarm_topic: str | None = None
    vpc: Mapping[str, Network] = field(default_factory=dict)
    kms_key: Mapping[str, str] = field(default_factory=dict)
    permissions_boundary: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    def regions_of(self, function: str, known: Iterable[str]) -> tuple[str, ...]:
        """The regions that a function may run in, among the known ones; home is always one of them."""
        return self.functions[function].regions.of(known)

    def allowed_regions(self, known: Iterable[str]) -> tuple[str, ...]:
        """The regions that any function may run in, among the known ones, in their order."""
        known = tuple(known)
        return tuple(r for r in known if any(r in self.regions_of(function, known) for function in self.functions))
