"""A manifest out of its files: a stage's own, `config.<stage>.yml`, laid over `config.yml`; and where each key stands.

Mappings are merged key by key, at any depth. Anything else, lists and null among them, replaces what is below it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from caribou.model.errors import InvalidManifestError
from caribou.model.schema.findings import Keys, key_path
from caribou.model.schema.text_files import read_text_file
from caribou.model.schema.yaml_text import LARGEST_BYTES, line_of, load_yaml


@dataclass(frozen=True, slots=True)
class Layer:
    """One file, and what it says."""

    path: Path
    text: str
    data: object

    def place(self, keys: Keys) -> str:
        """The file, with the line of a key, or of what is nearest above it; without one for the file as a whole."""
        line = line_of(self.text, keys)
        return str(self.path) if line is None else f"{self.path}:{line}"


@dataclass(frozen=True, slots=True)
class Layers:
    """The files of one manifest, each laid over those before it; the first is always there."""

    files: tuple[Layer, ...]

    @property
    def data(self) -> object:
        """What they say together."""
        data = self.files[0].data
        for layer in self.files[1:]:
            data = _laid_over(data, layer.data)
        return data

    def where(self, keys: Keys) -> str:
        """Where a key stands, in the file that counts, for messages: `config.prod.yml:3: caribou.home_share`."""
        place = self._saying(keys).place(keys)
        return f"{place}: {key_path(keys)}" if keys else place

    def _saying(self, keys: Keys) -> Layer:
        """The layer that decides what is at a key: the highest that has it, or that has replaced what was above it."""
        if not keys:
            return self.files[0]
        depths = [(_depth(layer.data, keys), layer) for layer in self.files]
        deciding = [layer for (_, decides), layer in depths if decides]
        return deciding[-1] if deciding else max(depths, key=lambda found: found[0][0])[1]


def read_layers(paths: Iterable[Path]) -> Layers:
    """The manifest in a file, with those laid over it that are there. Raises InvalidManifestError."""
    first, *others = paths
    layers = [_read(first), *(_read(path) for path in others if os.path.lexists(path))]
    for layer in layers[1:]:
        if not isinstance(layer.data, dict | None):
            fix = f"write the keys that differ from those of {first.name}"
            raise InvalidManifestError("is not a mapping", where=str(layer.path), found=layer.data, fix=fix)
    return Layers(tuple(layers))


def _read(path: Path) -> Layer:
    text = read_text_file(path, InvalidManifestError, largest_bytes=LARGEST_BYTES, regular=True)
    return Layer(path, text, load_yaml(text, str(path), InvalidManifestError))


def _laid_over(below: Any, above: Any) -> Any:  # noqa: ANN401 - they come out of files
    if not isinstance(below, dict) or above is None:
        return below
    return {**below, **{key: _over(below, key, value) for key, value in above.items()}}


def _over(below: dict[Any, Any], key: Any, value: Any) -> Any:  # noqa: ANN401 - as above
    both = isinstance(below.get(key), dict) and isinstance(value, dict)
    return _laid_over(below[key], value) if both else value


def _depth(data: object, keys: Keys) -> tuple[int, bool]:
    """How many of the keys a file has, and whether it decides what is at them all: it has them, or no mapping there."""
    decides = False
    for depth, key in enumerate(keys):
        below = _entries(data)
        decides = decides or not isinstance(data, dict)
        if key not in below:
            return depth, decides
        data = below[key]
    return len(keys), True


def _entries(data: object) -> dict[Any, Any]:
    if isinstance(data, list):
        return dict(enumerate(data))
    return data if isinstance(data, dict) else {}
