"""The placement of a deployment, as package data in a small layer of the home entry."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from caribou.model.placement import Placement
from caribou.model.template_contract import PLACEMENT_FILE, PLACEMENT_PACKAGE


class PlacementLayer(Construct):
    """A layer version whose content is the placement: hours and regions, not what the solver says of them."""

    def __init__(self, scope: Construct, construct_id: str, placement: Placement) -> None:
        super().__init__(scope, construct_id)
        with tempfile.TemporaryDirectory(prefix="caribou-placement-") as folder:
            package = Path(folder) / "python" / PLACEMENT_PACKAGE
            package.mkdir(parents=True)
            (package / "__init__.py").touch()
            (package / PLACEMENT_FILE).write_text(placement_text(placement), encoding="utf-8")
            self.layer = lambda_.LayerVersion(self, "Layer", code=lambda_.Code.from_asset(folder))


def placement_text(placement: Placement) -> str:
    """The placement as the runtime reads it."""
    data = placement.to_json()
    for key in placement.origin:
        del data[key]
    data["plans"] = [{"hours": list(plan.hours), "regions": dict(plan.regions)} for plan in placement.plans]
    return json.dumps(data, sort_keys=True, indent=1)
