"""What a workflow's owner decides about its runs. A leaf: functions import it at their cold start."""

from __future__ import annotations

from dataclasses import dataclass

GOES_HOME_WITHIN_S = 15
"""How long a function may need to give a silent region up and to go home instead: two attempts of five seconds, a
pause, and the send home. One whose time limit is shorter can't: its run waits for the region, until the deadline."""


@dataclass(frozen=True, slots=True)
class RunSettings:
    """How a workflow's runs go, as its owner sets it: part of the manifest, which deployed functions carry.

    `home_share` is the share of runs that always stays home. `message_limit_bytes` is how large a message may be before
    its payload travels through S3. `deduplicate` False lets plain nodes run as often as their message is delivered, for
    functions that are idempotent themselves; sync nodes run once all the same.
    """

    home_share: float = 0.1
    message_limit_bytes: int = 256 * 1024
    run_deadline_s: int = 24 * 3600
    deduplicate: bool = True
