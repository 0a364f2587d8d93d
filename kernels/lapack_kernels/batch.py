"""The memory of one call: every buffer that native code reads or writes, laid out as in batch.hpp."""

from __future__ import annotations

import ctypes
import sys
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

MAX_SIZE = 2**30
"""The largest order n of a matrix: LAPACK indexes its workspace of 2 n - 2 with a 32-bit int."""

MAX_THREADS = 1024
"""The largest team: an OpenMP runtime that cannot start a thread ends the process."""

CACHE_LINE_DOUBLES = 8


class Layout(ctypes.Structure):
    """`struct Batch` of batch.hpp, field by field."""

    _fields_ = (
        ("count", ctypes.c_ssize_t),
        ("size", ctypes.c_int),
        ("threads", ctypes.c_int),
        ("eigenvalues", ctypes.c_void_p),
        ("off_diagonals", ctypes.c_void_p),
        ("vectors", ctypes.c_void_p),
        ("workspaces", ctypes.c_void_p),
        ("workspace_stride", ctypes.c_ssize_t),
        ("infos", ctypes.c_void_p),
    )


class Batch:
    """The problems of one call, copied from checked input, and room for their solutions.

    Attributes
    ----------
    count, size, threads : int
        Number of problems m, order n of each, threads to solve them in (at most one a problem).
    eigenvalues : (m, n) float64
        The diagonals until a binding has solved the batch, the ascending eigenvalues from then on.
    off_diagonals : (m, n - 1) float64
        Destroyed by LAPACK.
    vectors : (m, n, n) float64
        Row k of problem i is its k-th eigenvector.
    infos : (m,) int32
        What LAPACK reported for each problem; 0 is success.

    """

    def __init__(self, d: npt.NDArray[np.float64], e: npt.NDArray[np.float64], *, threads: int) -> None:
        """Copy `d` (m, n) and `e` (m, n - 1), of any strides.

        Raises
        ------
        ValueError
            If n, or the size of the eigenvectors in bytes, is more than native code can index.
        MemoryError
            If the buffers do not fit into memory.

        """
        self.count, self.size = d.shape
        self.threads = max(1, min(threads, self.count))
        if self.size > MAX_SIZE:
            raise ValueError(f"problems of size {self.size} are too large: LAPACK takes at most {MAX_SIZE}")
        if self.count * self.size**2 * d.itemsize > sys.maxsize:
            raise ValueError(
                f"eigenvectors of {self.count} problems of size {self.size} exceed the address space"
            )
        # Whole cache lines, so that no two threads write to the same one.
        stride = -(-max(1, 2 * self.size - 2) // CACHE_LINE_DOUBLES) * CACHE_LINE_DOUBLES
        self.vectors = np.empty((self.count, self.size, self.size))
        self.workspaces = np.empty((self.threads, stride))
        self.infos = np.zeros(self.count, dtype=np.int32)
        self.eigenvalues = np.array(d, order="C")
        self.off_diagonals = np.array(e, order="C")
        self._layout = Layout(
            count=self.count,
            size=self.size,
            threads=self.threads,
            eigenvalues=self.eigenvalues.ctypes.data,
            off_diagonals=self.off_diagonals.ctypes.data,
            vectors=self.vectors.ctypes.data,
            workspaces=self.workspaces.ctypes.data,
            workspace_stride=stride,
            infos=self.infos.ctypes.data,
        )

    @property
    def address(self) -> int:
        """The address of this batch's `struct Batch`, good as long as the batch lives."""
        return ctypes.addressof(self._layout)
