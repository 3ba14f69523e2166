"""How the house is built: boxes, levels and arrows of each folder, counted from the imports.

A box is a file or a folder that stands directly in a folder; an arrow goes from a box to another of the same folder
that it imports, however many imports that are; the levels are the length of the longest chain of arrows. `__init__.py`
is the folder itself, no box. What many newcomers ask ("how do these 25 files hang together?") is answered well by few
boxes, few levels and few arrows. A circle is an error, and named.

    uv run benchmarks/structure.py            # the rooms, and the folders inside them
    uv run benchmarks/structure.py model      # one room, with its arrows
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROOMS = sorted(path.name for path in (ROOT / "src" / "caribou").iterdir() if path.is_symlink())


@dataclass(frozen=True, slots=True)
class Picture:
    """A folder: each box with the boxes that it imports."""

    folder: Path
    arrows: Mapping[str, frozenset[str]]

    @property
    def count(self) -> int:
        """How many arrows there are."""
        return sum(len(targets) for targets in self.arrows.values())

    @property
    def levels(self) -> int:
        """The boxes on the longest chain. Raises CycleError where there is a circle."""
        depth: dict[str, int] = {}
        for box in TopologicalSorter(self.arrows).static_order():
            depth[box] = 1 + max((depth[target] for target in self.arrows[box]), default=0)
        return max(depth.values(), default=0)


def picture(folder: Path) -> Picture:
    """The picture of a folder of the house."""
    boxes = {path.stem: path for path in sorted(folder.iterdir()) if _is_box(path)}
    return Picture(folder, {name: frozenset(_targets(path, folder, boxes) - {name}) for name, path in boxes.items()})


def pictures(room: Path) -> Iterator[Picture]:
    """The pictures of a room and of the folders in it that have more than one box."""
    for folder in [room, *sorted(path for path in room.rglob("*") if path.is_dir())]:
        found = picture(folder)
        if len(found.arrows) > 1:
            yield found


def _is_box(path: Path) -> bool:
    if path.is_dir():
        return any(path.rglob("*.py"))
    return path.suffix == ".py" and path.stem != "__init__"


def _targets(box: Path, folder: Path, boxes: Mapping[str, Path]) -> set[str]:
    """The boxes beside it that a box imports."""
    inside = ("caribou", *folder.relative_to(ROOT).parts)
    found: set[str] = set()
    for path in [box] if box.is_file() else box.rglob("*.py"):
        for module in _imported(path):
            parts = tuple(module.split("."))
            if parts[: len(inside)] == inside and len(parts) > len(inside) and parts[len(inside)] in boxes:
                found.add(parts[len(inside)])
    return found


def _imported(path: Path) -> Iterator[str]:
    """Modules that a file imports; of `from a import b` both `a` and `a.b`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def main(names: list[str]) -> None:
    """Print a line a folder; with names, those rooms and their arrows too."""
    print(f"{'folder':<24}{'boxes':>6}{'levels':>8}{'arrows':>8}")
    for room in names or ROOMS:
        for found in pictures(ROOT / room):
            try:
                levels = str(found.levels)
            except CycleError as error:
                levels = f"circle: {' > '.join(error.args[1])}"
            name = str(found.folder.relative_to(ROOT))
            print(f"{name:<24}{len(found.arrows):>6}{levels:>8}{found.count:>8}")
            if names:
                for box, targets in found.arrows.items():
                    print(f"    {box:<22}{' '.join(sorted(targets))}")


if __name__ == "__main__":
    main(sys.argv[1:])
