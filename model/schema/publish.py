"""Writes the JSON Schemas of the files: `uv run python -m caribou.model.schema.publish docs/schemas`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from caribou.model.schema.manifest import manifest_json_schema
from caribou.model.schema.placement import placement_json_schema
from caribou.model.schema.problem_file import problem_json_schema


def schema_text(schema: dict[str, Any]) -> str:
    """A schema as the text of its file."""
    return json.dumps(schema, indent=2) + "\n"


def publish(folder: Path) -> None:
    """Write the schemas into a folder."""
    schemas = {
        "manifest": manifest_json_schema(),
        "problem": problem_json_schema(),
        "placement": placement_json_schema(),
    }
    for name, schema in schemas.items():
        (folder / f"{name}.schema.json").write_text(schema_text(schema), encoding="utf-8")


if __name__ == "__main__":
    publish(Path(sys.argv[1]))
