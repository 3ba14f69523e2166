"""The AWS regions that Caribou knows, with what is fixed about them."""

from __future__ import annotations

from types import MappingProxyType

KNOWN_REGIONS: tuple[str, ...] = (
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
    "ca-central-1",
    "ca-west-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "sa-east-1",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ap-east-1",
    "ap-east-2",
    "af-south-1",
    "il-central-1",
    "mx-central-1",
)
"""Regions of AWS's commercial partition for which carbon, latency and price data are at hand (see docs/data.md)."""

_DISRUPTED = "is disrupted since March 2026, and Caribou has no hourly carbon intensity of it"
_REASONS = MappingProxyType(
    {
        "me-central-1": _DISRUPTED,
        "me-south-1": _DISRUPTED,
    }
)
_PARTITIONS = MappingProxyType({"eusc-": "aws-eusc", "cn-": "aws-cn", "us-gov-": "aws-us-gov"})


def why_unknown(region: str) -> str | None:
    """Why a region of AWS is not among the known ones, as what is said of it; None if it is known, or none of AWS's."""
    for prefix, partition in _PARTITIONS.items():
        if region.startswith(prefix):
            return f"is in AWS's partition {partition}, which shares no account, role or message with the regions here"
    return _REASONS.get(region)
