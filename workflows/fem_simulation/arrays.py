"""Arrays as the bytes of files, always the same bytes for the same arrays."""

from __future__ import annotations

import io

import numpy as np
from fem import Contribution
from mesh import Floats
from scipy.sparse import csr_array


def packed(contribution: Contribution) -> bytes:
    """A contribution as numpy's archive, whose members bear the date of 1980 whenever they are written."""
    matrix, file = contribution.matrix, io.BytesIO()
    np.savez(
        file,
        first_node=np.int64(contribution.first_node),
        data=matrix.data,
        indices=matrix.indices.astype(np.int32),
        indptr=matrix.indptr.astype(np.int32),
        load=contribution.load,
    )
    return file.getvalue()


def unpacked(data: bytes) -> Contribution:
    """The contribution in an archive."""
    with np.load(io.BytesIO(data)) as found:
        load = found["load"]
        matrix = csr_array((found["data"], found["indices"], found["indptr"]), shape=(len(load), len(load)))
        return Contribution(int(found["first_node"]), matrix, load)


def npy(array: Floats) -> bytes:
    """An array as numpy's file."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def array_in(data: bytes) -> Floats:
    """The array in such a file."""
    return np.load(io.BytesIO(data))
