"""The SNS topic that alarms go to, as a manifest or the context names it."""

from __future__ import annotations

import re

from caribou.model.errors import InvalidInputError

_ARN = re.compile(r"arn:aws[a-z-]*:sns:([a-z]{2}(?:-[a-z]+)+-[0-9]+):[0-9]{12}:[A-Za-z0-9_-]{1,256}")
WHAT_IT_IS = "use the ARN of a standard SNS topic, as arn:aws:sns:eu-central-1:111122223333:on-call"


def region_of_topic(arn: str) -> str | None:
    """The region of a topic, which is that of the alarms that may go to it; None if it is no topic's ARN."""
    found = _ARN.fullmatch(arn)
    return found[1] if found else None


def topics_by_region(text: str, where: str) -> dict[str, str]:
    """Region to topic, of a list with commas. Raises InvalidInputError for what is no topic, and two of one region."""
    topics: dict[str, str] = {}
    for arn in (part.strip() for part in text.split(",")):
        region = region_of_topic(arn)
        if region is None:
            raise InvalidInputError("is not the ARN of an SNS topic", where=where, found=arn, fix=WHAT_IT_IS)
        if region in topics:
            raise InvalidInputError(
                "names two topics of one region", where=where, found=arn, fix=f"keep one for {region}"
            )
        topics[region] = arn
    return topics
