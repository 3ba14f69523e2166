"""What goes into an evaluation is checked: that a placement is one of the problem, that samples are enough."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from caribou.model.errors import InvalidInputError, InvalidPlacementError
from caribou.model.placement import Placement
from caribou.model.schema.problem import Problem
from caribou.solver.simulation.random_streams import Ints

MIN_SAMPLES = 20  # for a 95th percentile to say anything

Regions = Mapping[str, str]
"""Node to region."""


def place_positions(problem: Problem, regions: Regions) -> Ints:
    """Node -> region as a row of region positions, nodes in topological order. Raises InvalidPlacementError."""
    where = f"placement of {problem.workflow.name}"
    if unknown := sorted(set(regions) - set(problem.nodes)):
        known = ", ".join(problem.nodes)
        raise InvalidPlacementError("names an unknown node", where=where, found=unknown[0], fix=f"use {known}")
    for name, node in problem.nodes.items():
        allowed = ", ".join(node.allowed_regions)
        if name not in regions:
            raise InvalidPlacementError("lacks a node", where=where, found=name, fix=f"give it one of {allowed}")
        if regions[name] not in node.allowed_regions:
            raise InvalidPlacementError(
                f"puts {name} where it is not allowed", where=where, found=regions[name], fix=f"use one of {allowed}"
            )
    names = list(problem.regions)
    return np.array([names.index(regions[name]) for name in problem.node_order], dtype=np.intp)


def check_sampling(seed: int, samples: int) -> None:
    """Raise InvalidInputError unless the seed is not negative and the samples are enough."""
    if seed < 0:
        raise InvalidInputError("is negative", where="seed", found=seed, fix="use 0 or more")
    if samples < MIN_SAMPLES:
        raise InvalidInputError("is too small for a tail", where="samples", found=samples, fix=f"use {MIN_SAMPLES}")


def check_origin(problem: Problem, placement: Placement) -> None:
    """Raise InvalidPlacementError unless the placement is for the problem's workflow, version and home."""
    for what, mine, theirs in (
        ("is for another workflow", placement.workflow, problem.workflow.name),
        ("is for another version of the workflow", placement.workflow_version, problem.workflow.version),
        ("has another home region", placement.home_region, problem.home_region),
    ):
        if mine != theirs:
            found = f"{mine}, expected {theirs}"
            raise InvalidPlacementError(what, where="placement", found=found, fix="use it with its own problem")
