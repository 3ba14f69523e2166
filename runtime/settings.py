"""What a deployed function knows of its workflow: the bundle's `caribou_bundle/workflow.json`, and its environment."""

from __future__ import annotations

import importlib.resources
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from caribou.model.graph import Graph
from caribou.model.names import WorkflowNames
from caribou.model.run_settings import RunSettings
from caribou.model.template_contract import BUNDLE_FILE, BUNDLE_PACKAGE, FUNCTION_VARIABLE, STAGE_VARIABLE


@dataclass(frozen=True, slots=True)
class Settings:
    """One function's view of its workflow. `region` is where this process runs."""

    graph: Graph
    function: str
    home_region: str
    region: str
    stage: str
    runs: RunSettings

    @property
    def names(self) -> WorkflowNames:
        """The fixed names of the workflow's resources."""
        return WorkflowNames(self.graph.workflow, self.stage)

    @property
    def hop_limit(self) -> int:
        """More messages than nodes can follow each other in no run: one for the entry's hop, and a spare."""
        return len(self.graph.nodes) + 2


def bundle_text(graph: Graph, home_region: str, runs: RunSettings) -> str:
    """The content of the bundle's `workflow.json`: what synth hands on to the runtime."""
    content = {"graph": graph.to_json(), "home_region": home_region, **asdict(runs)}
    return json.dumps(content, sort_keys=True, indent=1)


def load_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings of this process, out of its bundle and its environment variables."""
    text = importlib.resources.files(BUNDLE_PACKAGE).joinpath(BUNDLE_FILE).read_text(encoding="utf-8")
    content: dict[str, Any] = json.loads(text)
    return Settings(
        graph=Graph.from_json(content.pop("graph")),
        home_region=content.pop("home_region"),
        function=environment.get(FUNCTION_VARIABLE, ""),  # the sweeper is none of the workflow's functions
        region=environment["AWS_REGION"],
        stage=environment[STAGE_VARIABLE],
        runs=RunSettings(**content),
    )
