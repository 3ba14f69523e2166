"""The index: parts with the vectors of some chunks in, two files out. No cloud in here; loads numpy, not the model."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

import numpy as np
import numpy.typing as npt

VECTOR_TYPE = np.dtype("<f2")
"""float16, as the model hands vectors out; said here again so that this module starts without the model."""


def joined(parts: Sequence[Mapping[str, Any]], chunks: int) -> npt.NDArray[np.float16]:
    """The vectors of all chunks, a row each, in the chunks' order. ValueError if some are missing or there twice.

    A part has `first`, the number of its first chunk, `count`, how many it has, and `vectors`, the rows as bytes.
    """
    ordered = sorted(parts, key=itemgetter("first"))
    found = [number for part in ordered for number in range(part["first"], part["first"] + part["count"])]
    if found != list(range(chunks)):
        raise ValueError(f"the parts must have the vectors of chunks 0 to {chunks - 1}, each once, not of {found}")
    return np.concatenate([_rows(part) for part in ordered])


def vectors_file(vectors: npt.NDArray[np.float16]) -> bytes:
    """The vectors as a .npy file, which `numpy.load` reads."""
    file = io.BytesIO()
    np.save(file, np.ascontiguousarray(vectors, dtype=VECTOR_TYPE), allow_pickle=False)
    return file.getvalue()


def index_file(about: Mapping[str, Any], chunks: Sequence[Mapping[str, Any]]) -> bytes:
    """The chunks as JSON, row by row of the vectors' file, and above them what is to be known about all of them."""
    numbered = [{"row": row, **chunk} for row, chunk in enumerate(chunks)]
    return json.dumps({**about, "chunks": numbered}, ensure_ascii=False).encode()


def _rows(part: Mapping[str, Any]) -> npt.NDArray[np.float16]:
    return np.frombuffer(part["vectors"], dtype=VECTOR_TYPE).reshape(part["count"], -1)
