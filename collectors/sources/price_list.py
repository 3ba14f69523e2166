"""Prices as AWS's Price List publishes them, in its bulk files: a file a service and region, no key, no account.

The bulk files and not the Price List Query API, since they need no credentials and no right, are found on the local
cloud too, whose endpoint would answer in place of AWS's, and come as they were published, with a date each. What a
file has is dropped while it is read, but for the few products that are wanted: `price_files.py`.

A price that is missing, that stands there twice with different values, in another unit or currency, refuses the whole
region: never a guess. What has no price of arm64 at all has no arm64.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Event

from caribou.collectors.bodies import Prices, ProviderBody
from caribou.collectors.facts import Given
from caribou.collectors.sources.http import WHOLE_SOURCE, HttpClient, SourceError
from caribou.collectors.sources.price_files import Offer, PriceFiles, Wanted
from caribou.collectors.sources.snapshot import ProviderSnapshot
from caribou.model.errors import OperationFailedError
from caribou.model.regions import KNOWN_REGIONS

NAME = "AWS Price List"
X86, ARM64 = "x86_64", "arm64"
_THREADS = 4
"""Regions that are read at a time. A file is parsed alone, so that its size counts once."""
_REQUEST_USD = 0.001
"""Above every price of a single request or unit: one of a million or a thousand of them would pass for one else."""
_GB_USD = 10.0

_REQUESTS = frozenset({"request", "requests"})
_DURATIONS = frozenset({"lambda-gb-second", "lambda-gb-seconds", "gb-second", "gb-seconds", "second", "seconds"})
"""AWSLambda's files call a GB-second so and so; that it is one of a duration, the product's group says."""

LAMBDA, SNS, TABLES, S3 = "AWSLambda", "AmazonSNS", "AmazonDynamoDB", "AmazonS3"
LOGS, SQS, EVENTS, TRANSFER = "AmazonCloudWatch", "AWSQueueService", "AWSEvents", "AWSDataTransfer"
"""Service codes, as the service index names them."""

_COMPUTE = {
    X86: Wanted(LAMBDA, {"group": "AWS-Lambda-Duration"}, "Lambda-GB-Second", _DURATIONS, _REQUEST_USD),
    ARM64: Wanted(LAMBDA, {"group": "AWS-Lambda-Duration-ARM"}, "Lambda-GB-Second-ARM", _DURATIONS, _REQUEST_USD),
}
_INVOCATION = {
    X86: Wanted(LAMBDA, {"group": "AWS-Lambda-Requests"}, "Request", _REQUESTS, _REQUEST_USD),
    ARM64: Wanted(LAMBDA, {"group": "AWS-Lambda-Requests-ARM"}, "Request-ARM", _REQUESTS, _REQUEST_USD),
}
_ON_DEMAND = {"operation": "PayPerRequestThroughput"}
_SINGLE: Mapping[str, Wanted] = {
    "message_request": Wanted(SNS, {"group": "SNS-Requests-Tier1"}, "Requests-Tier1", _REQUESTS, _REQUEST_USD),
    "table_read_unit": Wanted(
        TABLES,
        {"group": "DDB-ReadUnits", **_ON_DEMAND},
        "ReadRequestUnits",
        frozenset({"readrequestunits"}),
        _REQUEST_USD,
    ),
    "table_write_unit": Wanted(
        TABLES,
        {"group": "DDB-WriteUnits", **_ON_DEMAND},
        "WriteRequestUnits",
        frozenset({"writerequestunits"}),
        _REQUEST_USD,
    ),
    "object_put": Wanted(S3, {"group": "S3-API-Tier1"}, "Requests-Tier1", _REQUESTS, _REQUEST_USD),
    "object_get": Wanted(S3, {"group": "S3-API-Tier2"}, "Requests-Tier2", _REQUESTS, _REQUEST_USD),
    "log_per_gb": Wanted(
        LOGS,
        {"group": "Ingested Logs", "operation": "PutLogEvents"},
        "DataProcessing-Bytes",
        frozenset({"gb"}),
        _GB_USD,
    ),
    "queue_request": Wanted(
        SQS, {"group": "SQS-APIRequest-Tier1", "queueType": "Standard"}, "", _REQUESTS, _REQUEST_USD
    ),
    "scheduled_invocation": Wanted(
        EVENTS, {}, "ScheduledInvocation", frozenset({"invocation", "invocations"}), _REQUEST_USD
    ),
}
"""Which product each price is of. Groups and usage types as in the files of September 2026; a usage type has the
region's short name in front in most regions. SQS's are called otherwise in us-east-1 (`Requests-RBP`) than elsewhere
(`EU-Requests-Tier1`), so its queue type says which."""

_PAIR = Wanted(
    TRANSFER, {"transferType": "InterRegion Outbound"}, "AWS-Out-Bytes", frozenset({"gb"}), _GB_USD, of="fromRegionCode"
)
"""What goes from a region to another one; accelerated traffic has a usage type of its own, `AWS-Out-ABytes`."""

_ALL: Sequence[Wanted] = (*_COMPUTE.values(), *_INVOCATION.values(), *_SINGLE.values(), _PAIR)


@dataclass(frozen=True)
class PriceList:
    """Asks for the files of each region. When the service itself is at fault, it is not asked on.

    PUE and power are the packaged ones: nobody serves them.
    """

    files: PriceFiles
    packaged: ProviderSnapshot = field(default_factory=ProviderSnapshot)
    origin = f"{NAME}, and snapshot of PUE"
    method = "list prices, published PUE, modelled power"
    valid_for = timedelta(days=90)

    @classmethod
    def at(cls, url: str) -> PriceList:
        """The price list that is served there."""
        return cls(PriceFiles(HttpClient(NAME, url), _ALL))

    def collect(self, now: datetime, regions: Collection[str]) -> Given[ProviderBody]:
        """PUE, power and prices of each region, all of whose prices are found."""
        packaged = self.packaged.collect(now, regions).bodies
        known, over = list(packaged), Event()
        found = {first: self._try(packaged[first], first, over) for first in known[:1]}
        with ThreadPoolExecutor(max_workers=_THREADS) as threads:
            rest = threads.map(lambda region: self._try(packaged[region], region, over), known[1:])
            found |= dict(zip(known[1:], rest, strict=True))
        bodies = {region: one for region, one in found.items() if isinstance(one, ProviderBody)}
        return Given(bodies, {region: one for region, one in found.items() if isinstance(one, str)})

    def _try(self, packaged: ProviderBody, region: str, over: Event) -> ProviderBody | str:
        """The region's fact, or why there is none."""
        if over.is_set():
            return f"{NAME} was not asked any more"
        try:
            prices, published = self.prices(region)
        except OperationFailedError as error:
            if isinstance(error, SourceError) and error.reason in WHOLE_SOURCE:
                over.set()
            return str(error)
        provenance = {key: packaged.provenance[key] for key in ("pue", "pue_year", "power")}
        return ProviderBody(
            pue=packaged.pue,
            cpu_kw_per_vcpu=packaged.cpu_kw_per_vcpu,
            memory_kw_per_gb=packaged.memory_kw_per_gb,
            price_usd=prices,
            provenance={**provenance, "pue_source": "packaged table", "egress": "listed", "prices": published},
        )

    def prices(self, region: str) -> tuple[Prices, str]:
        """The prices of a region, and when they were published. Raises OperationFailedError."""
        offers = {service: self.files.offer(service, region) for service in dict.fromkeys(w.service for w in _ALL)}
        dates = sorted(offer.published for offer in offers.values())
        architectures = [X86, *([ARM64] if _has_arm64(offers[LAMBDA]) else [])]
        pairs = self._pairs(region, offers[TRANSFER])
        prices = Prices(
            compute_per_gb_s={one: offers[LAMBDA].price(_COMPUTE[one]) for one in architectures},
            invocation={one: offers[LAMBDA].price(_INVOCATION[one]) for one in architectures},
            egress_other_region_per_gb=(highest := max(pairs.values())),
            egress_to_per_gb={to: usd for to, usd in pairs.items() if usd < highest},
            **{name: offers[wanted.service].price(wanted) for name, wanted in _SINGLE.items()},
        )
        return prices, f"{dates[0]:%Y-%m-%d} to {dates[-1]:%Y-%m-%d}"

    def _pairs(self, region: str, offer: Offer) -> dict[str, float]:
        """To what region for how much."""
        others = (other for other in KNOWN_REGIONS if other != region)
        return {other: offer.price(_PAIR.also({"toRegionCode": other})) for other in others}


def _has_arm64(offer: Offer) -> bool:
    """Whether there is anything of arm64: if there is one of its two prices, both have to be there."""
    return any(offer.has(wanted) for wanted in (_COMPUTE[ARM64], _INVOCATION[ARM64]))
