"""A finite element simulation: a mesh assembled in parts side by side, solved in one place, and verified."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeGuard

import boto3
from layout import Layout
from poisson import Problem

from caribou.runtime import CaribouWorkflow

DEFAULT_CELLS, MIN_CELLS, MAX_CELLS = 400, 8, 800
MAX_PARTS = 4
VIAS = ("payload", "bucket")
REGION_VARIABLE = "FEM_REGION"

workflow = CaribouWorkflow(name="fem_simulation", version="0.0.1")


@workflow.serverless_function(name="generate_mesh", entry_point=True)
def generate_mesh(event: object) -> None:
    """Reads the problem, lays out its mesh, and hands rows of it to each assembly. The mesh itself does not travel."""
    task = Task.of(event)
    problem = task.read_problem()
    parts = part_payloads(task, problem)
    workflow.invoke_serverless_function(assemble, parts[0])
    workflow.invoke_serverless_function(assemble, parts[1], task.parts > 1)
    workflow.invoke_serverless_function(assemble, parts[2], task.parts > 2)
    workflow.invoke_serverless_function(assemble, parts[3], task.parts > 3)


@workflow.serverless_function(name="assemble")
def assemble(event: dict[str, Any]) -> None:
    """Adds up the element matrices and load vectors of some rows of the mesh."""
    from arrays import packed  # noqa: PLC0415 - as above
    from fem import assembled  # noqa: PLC0415 - numpy and scipy are loaded only where they are used

    task, problem = Task.of(event["task"]), Problem.of(event["problem"])
    contribution = packed(assembled(task.layout(problem), problem, range(*event["rows"])))
    sent = {**event, "contribution": task.handed_on(f"part-{event['part']}.npz", contribution)}
    workflow.invoke_serverless_function(solve, sent)


@workflow.serverless_function(name="solve")
def solve(event: object) -> dict[str, Any]:  # noqa: ARG001 - a sync node reads its predecessors' data
    """Puts the parts together, solves for the values at the nodes, and writes them with a summary."""
    from arrays import npy, unpacked  # noqa: PLC0415 - as above
    from fem import solved  # noqa: PLC0415 - numpy and scipy are loaded only where they are used
    from mesh import sampled  # noqa: PLC0415 - as above

    parts = workflow.get_predecessor_data()
    task, problem = Task.of(parts[0]["task"]), Problem.of(parts[0]["problem"])
    layout = task.layout(problem)
    solution = solved(layout, problem, [unpacked(task.taken(part["contribution"])) for part in parts])
    task.write("solution.npy", npy(sampled(layout, solution.values, task.stride)))
    task.write("summary.json", as_json({**task.described(problem), **solution.facts}))
    sent = {"task": asdict(task), "problem": problem.to_json()}
    if task.verify:
        sent["values"] = task.handed_on("values.npy", npy(solution.values))
    workflow.invoke_serverless_function(verify, sent, task.verify)
    return solution.facts


@workflow.serverless_function(name="verify")
def verify(event: dict[str, Any]) -> dict[str, float]:
    """Compares the solution with the one that is known, and writes the errors."""
    from arrays import array_in  # noqa: PLC0415 - as above
    from fem import errors_of  # noqa: PLC0415 - numpy and scipy are loaded only where they are used

    task, problem = Task.of(event["task"]), Problem.of(event["problem"])
    errors = errors_of(task.layout(problem), problem, array_in(task.taken(event["values"])))
    task.write("errors.json", as_json({**task.described(problem), **errors}))
    return errors


@dataclass(frozen=True, slots=True)
class Task:
    """What a run is asked for: a problem in S3, how finely it is cut, and how its data travel.

    `region` is the bucket's: a function that runs in another region must address it there.
    """

    bucket: str
    key: str
    region: str
    cells: int = DEFAULT_CELLS
    parts: int = MAX_PARTS
    via: str = "payload"
    stride: int = 8
    verify: bool = True

    @classmethod
    def of(cls, event: object) -> Task:
        """The task in an event, with its defaults. ValueError says what is wrong with it."""
        if not isinstance(event, Mapping) or not all(_is_text(event.get(name)) for name in ("bucket", "key")):
            raise ValueError(f'the event must be an object such as {{"bucket": "…", "key": "input/…"}}, not {event!r}')
        _check_names(event)
        region = event.get("region") or os.environ.get(REGION_VARIABLE)
        if not _is_text(region):
            raise ValueError(f"region must be the bucket's, in the event or in {REGION_VARIABLE}, not {region!r}")
        via, verify = event.get("via", "payload"), event.get("verify", True)
        if via not in VIAS:
            raise ValueError(f"via must be one of {', '.join(VIAS)}, not {via!r}")
        if not isinstance(verify, bool):
            raise ValueError(f"verify must be true or false, not {verify!r}")  # noqa: TRY004 - a value of the event
        cells = _whole(event, "cells", DEFAULT_CELLS, MIN_CELLS, MAX_CELLS)
        stride = _whole(event, "stride", 8, 1, MAX_CELLS)
        if cells % 2 or cells % stride:
            raise ValueError(f"cells must be even, and a multiple of stride, not {cells} with a stride of {stride}")
        parts = _whole(event, "parts", MAX_PARTS, 1, MAX_PARTS)
        return cls(event["bucket"], _input_key(event["key"]), region, cells, parts, via, stride, verify)

    def layout(self, problem: Problem) -> Layout:
        """The layout of the problem's mesh."""
        return Layout(problem.domain, self.cells)

    def described(self, problem: Problem) -> dict[str, Any]:
        """What the results say of the task: nothing of how they were made, which is of no effect on them."""
        return {"problem": self.key, "domain": problem.domain, "cells": self.cells}

    def read_problem(self) -> Problem:
        """The problem in the bucket. ValueError says what is wrong with it."""
        text = self._read(self.key).decode()
        try:
            return Problem.of(json.loads(text))
        except ValueError as error:
            raise ValueError(f"{self.key} is not a problem: {error}") from error

    def handed_on(self, name: str, data: bytes) -> bytes | str:
        """What to send so that the next function gets the data: themselves, or where they are in the bucket."""
        if self.via == "payload":
            return data
        key = f"work/{workflow.get_run_id()}/{name}"
        self._write(key, data, "application/octet-stream")
        return key

    def taken(self, sent: bytes | str) -> bytes:
        """The data that were handed on."""
        return self._read(sent) if isinstance(sent, str) else sent

    def result_key(self, run_id: str, name: str) -> str:
        """Where a result goes: the same run writes to the same place, so a retry does no harm."""
        return f"output/{run_id}/{name}"

    def write(self, name: str, data: bytes) -> None:
        """Write a result, and say so in the log."""
        key = self.result_key(workflow.get_run_id(), name)
        self._write(key, data, "application/json" if name.endswith(".json") else "application/octet-stream")
        print(json.dumps({"bucket": self.bucket, "key": key, "bytes": len(data)}))  # noqa: T201 - the function's log

    def _read(self, key: str) -> bytes:
        s3 = boto3.client("s3", region_name=self.region)
        return s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()

    def _write(self, key: str, data: bytes, content_type: str) -> None:
        s3 = boto3.client("s3", region_name=self.region)
        s3.put_object(Bucket=self.bucket, Key=key, Body=data, ContentType=content_type)


def part_payloads(task: Task, problem: Problem) -> list[dict[str, Any] | None]:
    """What each call of `assemble` is sent: its rows of cells, from the first to before the last; None for no call."""
    common = {"task": asdict(task), "problem": problem.to_json()}
    rows = task.layout(problem).cut(task.parts)
    payloads = [{**common, "part": i, "rows": [part.start, part.stop]} for i, part in enumerate(rows)]
    return [*payloads, *[None] * (MAX_PARTS - task.parts)]


def as_json(value: Mapping[str, Any]) -> bytes:
    """The object as a JSON file; floats as the shortest text that is read back as the same number."""
    return json.dumps(value, indent=1).encode() + b"\n"


def _is_text(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and bool(value)


def _check_names(event: Mapping[str, Any]) -> None:
    """ValueError if a name is none of a task's: misspelt, it would be left out without a word."""
    names = [field.name for field in fields(Task)]
    if unknown := [name for name in event if name not in names]:
        raise ValueError(f"the event must have no keys but {', '.join(names)}, not {', '.join(map(repr, unknown))}")


def _input_key(value: str) -> str:
    if not value.startswith("input/"):
        raise ValueError(f"key must begin with input/, where problems may be read, not {value!r}")
    return value


def _whole(event: Mapping[str, Any], name: str, default: int, least: int, largest: int) -> int:
    value = event.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= largest:
        raise ValueError(f"{name} must be a whole number from {least} to {largest}, not {value!r}")
    return value
