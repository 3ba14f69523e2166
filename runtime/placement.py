"""The placement that a deployment carries, and what a new run makes of it."""

from __future__ import annotations

import hashlib
import importlib.resources
import json
import logging
from datetime import UTC, datetime

from caribou.model.errors import InvalidPlacementError
from caribou.model.placement import Placement
from caribou.model.run.envelope import Run
from caribou.model.template_contract import PLACEMENT_FILE, PLACEMENT_PACKAGE
from caribou.runtime.settings import Settings

_log = logging.getLogger(__name__)


def load_placement(settings: Settings) -> Placement:
    """The deployment's placement; home if it is missing, damaged, or for another workflow or version."""
    home = Placement.at_home(settings.graph, settings.home_region)
    try:
        text = importlib.resources.files(PLACEMENT_PACKAGE).joinpath(PLACEMENT_FILE).read_text(encoding="utf-8")
        placement = Placement.from_json(json.loads(text))
        placement.check_against(settings.graph, settings.home_region)
    except (ModuleNotFoundError, FileNotFoundError):
        return home
    except (OSError, ValueError, TypeError, InvalidPlacementError) as error:
        _log.warning("The placement of this deployment is of no use, runs stay home: %s", error)
        return home
    return placement


def new_run(run_id: str, now: float, placement: Placement, settings: Settings) -> Run:
    """The run that starts now: it keeps the plan of this hour, or home if it is of the share that stays there."""
    start = datetime.fromtimestamp(now, UTC)
    stays_home = share_of(run_id) < settings.runs.home_share
    if stays_home or placement.is_expired(start):
        placement = Placement.at_home(settings.graph, settings.home_region)
    regions = placement.regions_at(start.hour)
    return Run(
        run_id=run_id,
        workflow_version=settings.graph.version,
        graph=settings.graph.digest,
        placement=placement.digest,
        regions={node: region for node, region in regions.items() if region != settings.home_region},
        started_at=now,
        deadline=now + settings.runs.run_deadline_s,
        stays_home=stays_home,
    )


def share_of(run_id: str) -> float:
    """A number from 0 to 1 that the run id alone decides, evenly spread: every retry of a start gets the same."""
    return int.from_bytes(hashlib.sha256(run_id.encode()).digest()[:8]) / 2**64
