"""What synth writes into templates and bundles, and what deployed functions and the tools read there: one spelling.

A name changed here leaves what is deployed unread until it is deployed again.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from enum import StrEnum
from typing import Any


class StackRole(StrEnum):
    """What a stack of ours is for: the value of its tag `caribou:role`."""

    HOME = "home"
    REGION = "region"
    REGISTRATION = "registration"
    CONTROL = "control"


class Tag(StrEnum):
    """The tags by which our stacks are found among an account's; control's has no workflow.

    Workflow and stage are on the workflow's roles too, by which its internal topics know them.
    """

    PROJECT = "caribou:project"
    WORKFLOW = "caribou:workflow"
    STAGE = "caribou:stage"
    ROLE = "caribou:role"


PROJECT = "caribou"
"""The value of the tag `caribou:project`."""


class Output(StrEnum):
    """The outputs of stacks: of each one, of home's, of a region's (`HOME_REGION`), of control's (`PLACEMENT_BUCKET`).

    What a stack is (`STACK`, see `stack_mark`) and of which project (`PROJECT_ID`) stands in its outputs, since users'
    tags can replace all of a stack's own (`tags` in `cdk.json`, `cdk deploy --tags`).
    """

    STACK = "CaribouStack"
    PROJECT_ID = "CaribouProject"
    START_TOPIC = "StartTopic"
    PLACEMENT_DIGEST = "PlacementDigest"
    PLACEMENT_REGIONS = "PlacementRegions"
    PLACEMENT_EXPIRES_AT = "PlacementExpiresAt"
    GRAPH_DIGEST = "GraphDigest"
    WORKFLOW_VERSION = "WorkflowVersion"
    SWEEPER = "SweeperFunction"
    HOME_REGION = "HomeRegion"
    PLACEMENT_BUCKET = "PlacementBucket"


def stack_mark(stage: str, role: StackRole, workflow: str = "") -> str:
    """What a stack's output `STACK` says: `dev/city_tour/home`; `dev/control` of the control plane."""
    return "/".join(part for part in (stage, workflow, role) if part)


METADATA_KEY = "CaribouPlacement"
"""Where the Metadata of home's template carries the whole placement."""

_LARGEST_PLACEMENT_BYTES = 8_000_000
"""What a placement unpacks to at most: a template of somebody else's may carry anything."""


def metadata_of(placement: Mapping[str, Any]) -> dict[str, str]:
    """The Metadata of home's template: a placement's JSON object, packed, so that a move is a short line of a diff."""
    text = json.dumps(placement, separators=(",", ":"))
    return {METADATA_KEY: base64.b64encode(zlib.compress(text.encode(), 9)).decode()}


def placement_data(template: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON, to be checked
    """The placement in a template's Metadata as a JSON value; None if there is none that can be unpacked.

    Templates that were deployed before it was packed carry the object itself.
    """
    metadata = template.get("Metadata")
    data = metadata.get(METADATA_KEY) if isinstance(metadata, Mapping) else None
    return _unpacked(data) if isinstance(data, str) else data


def _unpacked(text: str) -> Any:  # noqa: ANN401 - JSON, to be checked
    try:
        packed = base64.b64decode(text, validate=True)
        return json.loads(zlib.decompressobj().decompress(packed, _LARGEST_PLACEMENT_BYTES))
    except (ValueError, RecursionError, zlib.error):
        return None


REGISTRATION_PART = "registration"
"""What stands in the name of a registration's stack where a region's name stands in others'."""

BUNDLE_PACKAGE, BUNDLE_FILE = "caribou_bundle", "workflow.json"
"""Where a bundle carries its workflow's graph and settings."""

PLACEMENT_PACKAGE, PLACEMENT_FILE = "caribou_placement", "placement.json"
"""Where the layer of the home entry carries the placement."""

NODE_HANDLER = "caribou.runtime.handler.handle"
SWEEPER_HANDLER = "caribou.runtime.sweeper.handle"

FUNCTION_VARIABLE, STAGE_VARIABLE = "CARIBOU_FUNCTION", "CARIBOU_STAGE"
"""Environment variables of the functions; the sweeper is none of the workflow's and lacks the first."""

EXPIRY_VARIABLE = "CARIBOU_PLACEMENT_EXPIRES_AT"
"""Environment variable of the sweeper: until when the deployed placement counts, in ISO 8601; none if for ever."""

FACT_TABLE_VARIABLE, RECORD_TABLE_VARIABLE = "CARIBOU_FACT_TABLE", "CARIBOU_RECORD_TABLE"
SOURCE_VARIABLE, SOURCE_SETTINGS_VARIABLE = "CARIBOU_SOURCE", "CARIBOU_SOURCE_SETTINGS"
MARGINAL_SOURCE_VARIABLE, LOG_READER_VARIABLE = "CARIBOU_MARGINAL_SOURCE", "CARIBOU_LOG_READER"
EVERY_H_VARIABLE = "CARIBOU_EVERY_H"
"""Environment variables of the collectors, beside the stage; one of facts has its sources' names, and settings, that of
run records the name of its log reader."""

OPEN_INDEX = "open"
"""The run table's sparse index, by the attribute of the same name: only items on the sweeper's list have its key, so
that an idle workflow's list costs nothing."""

RESULT_ATTRIBUTE = "result:"
"""What the names of a run item's attributes with results begin with; the leaf follows."""

NODES_WRITE = ("run_id", "ended", "state", "ended_at", OPEN_INDEX, "failed_node", "error")
"""The attributes of a run item that any function names to end a leaf or the run, its key among them: roles allow no
others. Results come to that, each under the name of a leaf of its own."""

STARTS_PREFIX = "!start/"
"""What keys of clients' payloads begin with, in home's bucket: no run's do, as no run has a `!` in its name."""

MAX_EVENT_AGE_S = 6 * 3600
"""How long Lambda keeps trying to start an asynchronous invocation: its maximum, which every function here gets."""
