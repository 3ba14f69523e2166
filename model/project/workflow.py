"""A workflow's folder as a value: its graph out of the source, and its manifest."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from caribou.model.errors import InvalidPlacementError, InvalidWorkflowError
from caribou.model.graph import Graph
from caribou.model.manifest import Manifest
from caribou.model.names import DEFAULT_STAGE
from caribou.model.placement import Placement
from caribou.model.regions import KNOWN_REGIONS
from caribou.model.schema.manifest import read_manifest
from caribou.model.source.derive import check_grammar, derive_graph

MANIFEST = Path(".caribou", "config.yml")


def placement_file(stage: str = DEFAULT_STAGE) -> Path:
    """Where in a workflow's folder the committed placement of a stage is: each stage has a file of its own."""
    return Path(".caribou", "placement.json" if stage == DEFAULT_STAGE else f"placement.{stage}.json")


@dataclass(frozen=True, slots=True)
class Workflow:
    """A workflow as its owner wrote it, with the manifest that it has at a stage."""

    folder: Path
    graph: Graph
    manifest: Manifest
    stage: str = DEFAULT_STAGE

    @property
    def name(self) -> str:
        """The workflow's name, which is its folder's too."""
        return self.graph.workflow

    @property
    def committed_placement(self) -> Path:
        """Where its committed placement is, if it has one."""
        return self.folder / placement_file(self.stage)

    @property
    def regions(self) -> tuple[str, ...]:
        """All regions that a function of it may run in, home among them."""
        return self.manifest.allowed_regions(KNOWN_REGIONS)

    def functions_in(self, region: str) -> tuple[str, ...]:
        """Names of the functions that may run in a region, in the order of the graph: its stack has all of them."""
        names = (function.name for function in self.graph.functions)
        return tuple(name for name in names if region in self.manifest.regions_of(name, KNOWN_REGIONS))

    @property
    def home(self) -> Placement:
        """Everything at home."""
        return Placement.at_home(self.graph, self.manifest.home_region)

    def check(self, placement: Placement, where: str) -> None:
        """Raise InvalidPlacementError unless the placement is for this workflow and obeys its manifest."""
        placement.check_against(self.graph, self.manifest.home_region, where)
        for plan in placement.plans:
            for name, region in plan.regions.items():
                allowed = self.manifest.regions_of(self.graph.node(name).function, KNOWN_REGIONS)
                if region not in allowed:
                    raise InvalidPlacementError(
                        f"places {name} in a region that the manifest does not allow",
                        where=where,
                        found=region,
                        fix=f"use one of {', '.join(allowed)}, or allow it in {self.folder / MANIFEST}",
                    )


def read_workflow(folder: Path, stage: str = DEFAULT_STAGE) -> Workflow:
    """The workflow in a folder, as it is at a stage. Raises InvalidWorkflowError or InvalidManifestError."""
    graph = derive_graph(folder)
    if graph.workflow != folder.name:
        raise InvalidWorkflowError(
            "holds a workflow of another name",
            where=str(folder),
            found=graph.workflow,
            fix=f"call the folder {graph.workflow}, or the workflow {folder.name}",
        )
    manifest = read_manifest(folder, graph, stage)
    check_grammar(folder, manifest.python_version)
    return Workflow(folder, graph, manifest, stage)


def workflow_folders(root: Path) -> tuple[Path, ...]:
    """The folders of all workflows of a project: those below `workflows/` that have a manifest, even one of no use."""
    folders = sorted((root / "workflows").glob("*/"))
    return tuple(folder for folder in folders if os.path.lexists(folder / MANIFEST))
