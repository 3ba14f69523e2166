"""What the resources of a workflow stand in: keys and networks of the customer's, where the manifest names any."""

from __future__ import annotations

from dataclasses import dataclass

from aws_cdk import aws_kms as kms

from caribou.model.manifest import Network


@dataclass(frozen=True)
class Surroundings:
    """Of one stack: the key of its region and the network of its functions there, and the keys of all regions, by ARN.

    None and empty where the manifest names none.
    """

    key: kms.IKey | None = None
    network: Network | None = None
    all_keys: tuple[str, ...] = ()


NOTHING = Surroundings()
