"""The memory of one call: every buffer that is read or written, laid out for native code as in batch.h."""

from __future__ import annotations

import ctypes
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lapack_kernels import drivers

if TYPE_CHECKING:
    from typing import Any

    import numpy.typing as npt

    Array = npt.NDArray[Any]

MAX_THREADS = 1024
"""The largest team: an OpenMP runtime that cannot start a thread ends the process."""

NOT_FINITE_D = -1001
NOT_FINITE_E = -1002
"""In place of LAPACK's info: the problem has a value that is not finite, and was not solved."""

CACHE_LINE_BYTES = 64
PROBLEM_BYTES = 256
CHUNK_ELEMENTS = 512
"""How many elements of eigenvectors make a chunk, or one problem if that has more: some 20 µs of work."""


class FailureLayout(ctypes.Structure):
    """`struct Failure` of batch.h."""

    _fields_ = (("index", ctypes.c_ssize_t), ("count", ctypes.c_ssize_t), ("info", ctypes.c_int))


class Layout(ctypes.Structure):
    """`struct Batch` of batch.h, field by field."""

    _fields_ = (
        ("count", ctypes.c_ssize_t),
        ("size", ctypes.c_int),
        ("threads", ctypes.c_int),
        ("chunk", ctypes.c_ssize_t),
        ("driver", ctypes.c_int),
        ("is_single", ctypes.c_int),
        ("wants_vectors", ctypes.c_int),
        ("lwork", ctypes.c_int),
        ("liwork", ctypes.c_int),
        ("diagonals", ctypes.c_void_p),
        ("d_stride_problem", ctypes.c_ssize_t),
        ("d_stride_item", ctypes.c_ssize_t),
        ("off_diagonals", ctypes.c_void_p),
        ("e_stride_problem", ctypes.c_ssize_t),
        ("e_stride_item", ctypes.c_ssize_t),
        ("eigenvalues", ctypes.c_void_p),
        ("vectors", ctypes.c_void_p),
        ("workspaces", ctypes.c_void_p),
        ("workspace_bytes", ctypes.c_ssize_t),
        ("e_offset", ctypes.c_ssize_t),
        ("d_offset", ctypes.c_ssize_t),
        ("work_offset", ctypes.c_ssize_t),
        ("iwork_offset", ctypes.c_ssize_t),
        ("isuppz_offset", ctypes.c_ssize_t),
        ("failures", ctypes.c_void_p),
        ("lapack", ctypes.c_void_p),
    )


@dataclass(frozen=True)
class Failure:
    """The first problem of a batch that failed, what LAPACK reported for it, and how many failed."""

    index: int
    info: int
    count: int


class Batch:
    """The problems of one call, and room for their solutions.

    Attributes
    ----------
    count, size : int
        Number of problems m, order n of each.
    threads : int
        Threads to solve them in, at most one a problem.
    chunk : int
        Problems that a thread takes at a time.
    dtype : numpy.dtype
        float64 or float32, of all arrays here.
    driver : str
        LAPACK's driver; for a binding that is not native, what the caller named.
    wants_vectors : bool
        Or eigenvalues alone.
    diagonals : (m, n) array
        The input as it was given, of any strides, to be read only.
    off_diagonals : (m, n - 1) array
        As `diagonals`.
    eigenvalues : (m, n) array
        Ascending, once a binding has solved the batch.
    vectors : (m, n, n) array or None
        Row k of problem i is its k-th eigenvector; None for eigenvalues alone.
    failures : sequence of FailureLayout
        What failed, one for each thread.

    """

    def __init__(self, d: Array, e: Array, *, threads: int, driver: str, wants_vectors: bool) -> None:
        """Take `d` (m, n) and `e` (m, n - 1), both float64 or both float32.

        Raises
        ------
        ValueError
            If the solutions have more bytes than there are addresses.
        MemoryError
            If they do not fit into memory.

        """
        self.count, self.size = d.shape
        self.threads = max(1, min(threads, self.count))
        # Every thread has a share, so that what one of them does to another shows in every call.
        self.chunk = max(1, min(CHUNK_ELEMENTS // self.size**2, self.count // self.threads))
        self.dtype = d.dtype
        self.driver = driver
        self.wants_vectors = wants_vectors
        largest = self.count * self.size * (self.size if wants_vectors else 1) * d.itemsize
        if largest > sys.maxsize:
            raise ValueError(
                f"solutions of {self.count} problems of size {self.size} exceed the address space"
            )
        self.diagonals = d
        self.off_diagonals = e
        # Left untouched: it is the threads that have the system find the pages.
        self.eigenvalues: Array = np.empty(d.shape, d.dtype)
        self.vectors: Array | None = np.empty((*d.shape, self.size), d.dtype) if wants_vectors else None
        self.failures = (FailureLayout * self.threads)()
        self._layout: Layout | None = None

    def fail(self, index: int, info: int, thread: int = 0, *, count: int = 1) -> None:
        """Note that the problem `index` failed, the first of `count`; each thread notes its own."""
        failure = self.failures[thread]
        if failure.count == 0 or index < failure.index:
            failure.index, failure.info = index, info
        failure.count += count

    def first_failure(self) -> Failure | None:
        """Return the failure of the first problem that failed in any thread, or None."""
        failed = [failure for failure in self.failures if failure.count]
        if not failed:
            return None
        first = min(failed, key=lambda failure: failure.index)
        return Failure(first.index, first.info, sum(failure.count for failure in failed))

    @property
    def address(self) -> int:
        """The address of this batch's `struct Batch`, good as long as the batch lives.

        Whoever asks for it first has the workspaces made, one for each thread.
        """
        if self._layout is None:
            self._layout = self._lay_out()
        return ctypes.addressof(self._layout)

    def _lay_out(self) -> Layout:
        size, real = self.size, self.dtype.itemsize
        sizes = drivers.sizes(self.driver, size, wants_vectors=self.wants_vectors)
        offsets = [PROBLEM_BYTES]
        for length in (
            (size - 1) * real,
            sizes.diagonal * real,
            sizes.work * real,
            sizes.iwork * 4,
            sizes.isuppz * 4,
        ):
            offsets.append(offsets[-1] + _whole_cache_lines(length))
        e_offset, d_offset, work_offset, iwork_offset, isuppz_offset, workspace_bytes = offsets
        self._workspaces = np.empty(self.threads * workspace_bytes + CACHE_LINE_BYTES, np.uint8)
        return Layout(
            count=self.count,
            size=size,
            threads=self.threads,
            chunk=self.chunk,
            driver=drivers.DRIVERS.index(self.driver),
            is_single=self.dtype == np.float32,
            wants_vectors=self.wants_vectors,
            lwork=sizes.work,
            liwork=sizes.iwork,
            diagonals=self.diagonals.ctypes.data,
            d_stride_problem=self.diagonals.strides[0],
            d_stride_item=self.diagonals.strides[1],
            off_diagonals=self.off_diagonals.ctypes.data,
            e_stride_problem=self.off_diagonals.strides[0],
            e_stride_item=self.off_diagonals.strides[1],
            eigenvalues=self.eigenvalues.ctypes.data,
            vectors=None if self.vectors is None else self.vectors.ctypes.data,
            workspaces=_whole_cache_lines(self._workspaces.ctypes.data),
            workspace_bytes=workspace_bytes,
            e_offset=e_offset,
            d_offset=d_offset,
            work_offset=work_offset,
            iwork_offset=iwork_offset,
            isuppz_offset=isuppz_offset,
            failures=ctypes.addressof(self.failures),
            lapack=drivers.address(self.driver, self.dtype.name),
        )


def _whole_cache_lines(length: int) -> int:
    return -(-length // CACHE_LINE_BYTES) * CACHE_LINE_BYTES
