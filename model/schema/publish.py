"""Writes the JSON Schemas of problem and placement: `uv run python -m caribou.model.schema.publish docs/schemas`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from caribou.model.schema.placement import placement_json_schema
from caribou.model.schema.problem_file import problem_json_schema


def schema_text(schema: dict[str, Any]) -> str:
    """A schema as the text of its file."""
    return json.dumps(schema, indent=2) + "\n"


def publish(folder: Path) -> None:
    """Write the schemas into a folder."""
    (folder / "problem.schema.json").write_text(schema_text(problem_json_schema()), encoding="utf-8")
    (folder / "placement.schema.json").write_text(schema_text(placement_json_schema()), encoding="utf-8")


if __name__ == "__main__":
    publish(Path(sys.argv[1]))
