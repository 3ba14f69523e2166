"""Reading a problem out of its file, and the rules that it has to keep."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from caribou.model.errors import InvalidProblemError
from caribou.model.schema.parsing import json_schema, read_json, validated
from caribou.model.schema.problem import Problem
from caribou.model.schema.problem_rules import flaws


def parse_problem(data: object, where: str = "problem") -> Problem:
    """The problem in a JSON value. Raises InvalidProblemError with the path of the first flaw inside the file."""
    problem = validated(Problem, data, where, InvalidProblemError)
    flaw = next(flaws(problem), None)
    if flaw is not None:
        raise InvalidProblemError(flaw.what, where=f"{where}: {flaw.path}", found=flaw.found, fix=flaw.fix)
    return problem


def read_problem(path: Path) -> Problem:
    """The problem in a file. Raises InvalidProblemError, also when the file can't be read."""
    return parse_problem(read_json(path, InvalidProblemError), str(path))


def problem_json_schema() -> dict[str, Any]:
    """The JSON Schema of the file, as published in docs/schemas/problem.schema.json."""
    return json_schema(Problem)
