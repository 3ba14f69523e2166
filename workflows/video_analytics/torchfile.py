"""Tensors out of a file that torch.save wrote, without torch.

The format is that of PyTorch before 1.6: five pickles (a magic number, the format's version, the byte order of the
machine, the object, the keys of its storages), and behind them each storage: the number of its elements, then these.
A pickle may name any function, to be called while it is read. Here it may name those that such a file needs, and the
names stand for functions of this module; whatever else it names is an error.
"""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

Tensors = Mapping[str, np.ndarray]

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
FORMAT_VERSION = 1001
ELEMENT_TYPES: Mapping[str, str] = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "IntStorage": "<i4",
    "LongStorage": "<i8",
}
"""The storages' classes, by their names in module torch, and what numpy calls their elements."""
_NUMPY_TYPES = frozenset(ELEMENT_TYPES.values())


class _Storage(NamedTuple):
    """A run of elements that tensors look into. All that a pickle can make here are tuples, texts and numbers."""

    key: str
    element_type: str
    elements: int


class _View(NamedTuple):
    """A tensor: where in a storage it begins, and how many elements further each axis' next entry is."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_tensors(data: bytes) -> dict[str, np.ndarray]:
    """The tensors of a saved state_dict by name, as views of the data that can't be written to.

    ValueError says what is wrong with the data, or what it names that it must not.
    """
    file = io.BytesIO(data)
    if _loaded(file) != MAGIC_NUMBER or _loaded(file) != FORMAT_VERSION:
        raise ValueError("the data must begin as torch.save's did before PyTorch 1.6")
    machine, views, keys = _loaded(file), _loaded(file), _loaded(file)
    if not isinstance(machine, dict) or machine.get("little_endian") is not True:
        raise ValueError(f"the data must be of a little-endian machine, not of {machine!r}")
    if not isinstance(views, dict) or not all(isinstance(view, _View) for view in views.values()):
        raise ValueError("the object must be a state_dict: tensors by name")
    elements = _elements_by_key(data, file.tell(), {view.storage for view in views.values()}, keys)
    return {name: _tensor(name, view, elements[view.storage.key]) for name, view in views.items()}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> object:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuilt
        if module == "torch" and name in ELEMENT_TYPES:
            return ELEMENT_TYPES[name]
        raise ValueError(f"the data must name nothing but tensors and their storages, not {module}.{name}")

    def persistent_load(self, pid: Any) -> _Storage:  # noqa: ANN401 - whatever the data says
        match pid:
            case ("storage", str(element_type), str(key), _, int(elements), None) if element_type in _NUMPY_TYPES:
                return _Storage(key, element_type, elements)
        raise ValueError(f"the data must refer to whole storages, not to {pid!r}")


def _loaded(file: io.BytesIO) -> Any:  # noqa: ANN401 - whatever the data says
    try:
        return _Unpickler(file).load()
    except (pickle.UnpicklingError, EOFError, AttributeError, IndexError, KeyError, TypeError) as error:
        raise ValueError(f"the data is no file of torch.save: {error}") from error


def _rebuilt(
    storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_autograd: object
) -> _View:
    if not isinstance(storage, _Storage):
        raise TypeError(f"a tensor must look into a storage, not into {storage!r}")
    return _View(storage, offset, shape, strides)


def _elements_by_key(data: bytes, position: int, storages: set[_Storage], keys: list[str]) -> dict[str, np.ndarray]:
    """Each storage's elements. They stand in the order of the keys, and end where the data ends."""
    known = {storage.key: storage for storage in storages}
    if len(known) != len(storages) or not isinstance(keys, list) or sorted(known) != sorted(map(str, keys)):
        raise ValueError("the data must have each storage of its tensors once, and no other")
    elements: dict[str, np.ndarray] = {}
    for key in keys:
        size = int.from_bytes(data[position : position + 8], "little", signed=True)
        if size < 0 or size != known[key].elements:
            raise ValueError(f"storage {key} must have {known[key].elements} elements, not {size}")
        elements[key] = np.frombuffer(data, known[key].element_type, size, position + 8)
        position += 8 + elements[key].nbytes
    if position != len(data):
        raise ValueError(f"the data must end behind its storages, but has {len(data) - position} bytes more")
    return elements


def _tensor(name: str, view: _View, elements: np.ndarray) -> np.ndarray:
    """The tensor, where numpy checks that it does not reach beyond its storage."""
    size = elements.itemsize
    try:
        strides = [stride * size for stride in view.strides]
        return np.ndarray(view.shape, elements.dtype, elements, view.offset * size, strides)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must lie within its storage: {error}") from error
