"""What of the manifest's file is about the account around a workflow: its networks, keys, boundary and tags."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field

from caribou.model.manifest import Network
from caribou.model.regions import KNOWN_REGIONS, why_unknown
from caribou.model.schema.findings import finding
from caribou.model.schema.nearest import near
from caribou.model.schema.parsing import StrictModel

MOST_TAGS = 40
"""CloudFormation takes 50 tags a stack: four are Caribou's, and the app around may have some too."""
_MOST_SUBNETS, _MOST_GROUPS = 16, 5
"""Lambda's quotas of a function's subnets and security groups (AWS Lambda API reference, VpcConfig)."""
_SUBNET = re.compile(r"subnet-[0-9a-f]{8,17}")
_GROUP = re.compile(r"sg-[0-9a-f]{8,17}")
_KEY_ID = r"(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|mrk-[0-9a-f]{32})"
_KEY = re.compile(rf"arn:aws[a-z-]*:kms:(?P<region>[a-z0-9-]+):[0-9]{{12}}:key/{_KEY_ID}")
_POLICY_NAME = re.compile(r"(?:[\w+=,.@-]+/)*[\w+=,.@-]{1,128}", re.ASCII)
_POLICY_ARN = re.compile(r"arn:aws[a-z-]*:iam::(?:[0-9]{12}|aws):policy/(?:[\w+=,.@-]+/)*[\w+=,.@-]{1,128}", re.ASCII)
_TAG_TEXT = re.compile(r"[\w\s.:/=+\-@]*")
_LONGEST_KEY, _LONGEST_VALUE = 128, 256
_TAKEN = ("aws:", "caribou:")


def known_region(region: str) -> str:
    """The region, if it is one that we know."""
    if region not in KNOWN_REGIONS:
        if why := why_unknown(region):
            raise finding(why, f"use any of {', '.join(KNOWN_REGIONS)}")
        raise finding("is not a known AWS region", near(region, KNOWN_REGIONS))
    return region


def _subnet(text: str) -> str:
    if not _SUBNET.fullmatch(text):
        raise finding("is not the id of a subnet", "write it as EC2 does: subnet-0123456789abcdef0")
    return text


def _group(text: str) -> str:
    if not _GROUP.fullmatch(text):
        raise finding("is not the id of a security group", "write it as EC2 does: sg-0123456789abcdef0")
    return text


def _keys(keys: dict[str, str]) -> dict[str, str]:
    for region, arn in keys.items():
        found = _KEY.fullmatch(arn)
        if found is None:
            raise finding(
                f"has no ARN of a KMS key at {region}",
                f"write arn:aws:kms:{region}:ACCOUNT:key/ID; an alias can't be given rights on",
            )
        if found["region"] != region:
            raise finding(
                f"has a key of {found['region']} at {region}",
                f"name a key of {region}: a key serves its own region, and a multi-Region key has an ARN in each",
            )
    return keys


def _boundary(text: str) -> str:
    if not _POLICY_NAME.fullmatch(text) and not _POLICY_ARN.fullmatch(text):
        raise finding(
            "is neither the name nor the ARN of an IAM policy",
            "write its name, with its path if it has one (team/limits), or arn:aws:iam::ACCOUNT:policy/NAME",
        )
    return text


def _tags(tags: dict[str, str]) -> dict[str, str]:
    for key, value in tags.items():
        if key.lower().startswith(_TAKEN):
            raise finding(f"has the key {key}, which is not yours", f"use another one, without {' or '.join(_TAKEN)}")
        if not (_TAG_TEXT.fullmatch(key) and _TAG_TEXT.fullmatch(value) and 0 < len(key) <= _LONGEST_KEY):
            raise finding(
                f"has a tag that AWS does not take: {key}",
                f"use letters, digits, spaces and _ . : / = + - @; 1 to {_LONGEST_KEY} of them in a key",
            )
        if len(value) > _LONGEST_VALUE:
            raise finding(f"has too long a value at {key}", f"use at most {_LONGEST_VALUE} characters")
    if len(tags) > MOST_TAGS:
        raise finding(f"has {len(tags)} tags", f"use at most {MOST_TAGS}: a stack can have 50, some of them not yours")
    return tags


Region = Annotated[str, AfterValidator(known_region)]
Boundary = Annotated[str, AfterValidator(_boundary)]
Keys = Annotated[dict[Region, str], AfterValidator(_keys)]
Tags = Annotated[dict[str, str], AfterValidator(_tags)]


class NetworkFile(StrictModel):
    """Where the functions of a region are attached to a VPC."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    subnet_ids: Annotated[list[Annotated[str, AfterValidator(_subnet)]], Field(min_length=1, max_length=_MOST_SUBNETS)]
    """Private subnets of one VPC, by their ids; two or more, in different zones, outlive a zone."""
    security_group_ids: Annotated[
        list[Annotated[str, AfterValidator(_group)]], Field(min_length=1, max_length=_MOST_GROUPS)
    ]
    """Security groups of that VPC, by their ids: what they let out is where the functions can go."""

    def network(self) -> Network:
        """As a value."""
        return Network(tuple(self.subnet_ids), tuple(self.security_group_ids))
