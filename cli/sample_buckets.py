"""Which buckets samples may name: of this account and home region, made for samples, and none of Caribou's own.

A folder may be somebody else's: what it names must lead into no bucket with other data in it. Its policy is no
evidence, as the same hand has written it.
"""

from __future__ import annotations

import re

from caribou.model.errors import InvalidInputError
from caribou.model.names import WorkflowNames
from caribou.model.project.workflow import Workflow
from caribou.model.registration import ControlNames

_SHAPE = re.compile(r"caribou-(?P<stage>[a-z0-9]+)-[a-z0-9.-]+")


def refuse_others_bucket(bucket: str, where: str, workflow: Workflow, account: str) -> None:
    """Raise InvalidInputError for a bucket that is not for the workflow's samples. `where` names the entry."""
    home = workflow.manifest.home_region
    shape = _SHAPE.fullmatch(bucket.removesuffix(f"-{account}-{home}"))
    if shape is None or not bucket.endswith(f"-{account}-{home}") or bucket in _of_caribou(workflow, account, shape[1]):
        raise InvalidInputError(
            "is no bucket for samples",
            where=where,
            found=bucket,
            fix="call it caribou-<stage>-<what>-${account}-${home_region}, with another <what> than a workflow's name "
            "and `placements`, in lower-case letters and digits",
        )


def _of_caribou(workflow: Workflow, account: str, stage: str) -> set[str]:
    """The buckets of placements and of the project's workflows' payloads, at a stage."""
    home, siblings = workflow.manifest.home_region, [folder.name for folder in workflow.folder.parent.iterdir()]
    payloads = {WorkflowNames(name, stage).payload_bucket(account, home) for name in siblings}
    return {ControlNames(stage).placement_bucket(account, home), *payloads}
