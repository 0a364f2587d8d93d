"""Python threads that call `numpy.linalg.eigh` on dense chunks.

They work at once: NumPy releases the GIL while LAPACK works, unless a call has little to do.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from lapack_kernels import blas
from lapack_kernels.chunk import UNKNOWN_INFO
from lapack_kernels.threads.team import solve_in_team

if TYPE_CHECKING:
    import numpy.typing as npt

    from lapack_kernels.batch import Batch
    from lapack_kernels.chunk import Chunk

    Array = npt.NDArray[Any]

CHUNK_ELEMENTS = 2**14
"""How many elements of dense matrices a chunk has, where one matrix has fewer: 128 KiB, which caches hold."""

CHUNK_VALUES = 501
"""How many eigenvalues it has at least: NumPy keeps the GIL in a call for 500 or fewer and no vectors
(NPY_BEGIN_THREADS_THRESHOLDED). Two threads are then no faster than one, and else 1.5 times at order 100."""


def solve(batch: Batch, *, gil: str) -> None:
    """Solve the batch as dense matrices, in memory for one chunk per thread; `gil` is "released".

    Where LAPACK does not converge its info is given as 1: NumPy does not tell it.
    """
    del gil
    chunk = max(CHUNK_ELEMENTS // batch.size**2, -(-CHUNK_VALUES // batch.size))
    chunk = max(1, min(chunk, batch.count // batch.threads))
    own = threading.local()

    def solve_chunk(part: Chunk) -> dict[int, int]:
        # Once per thread: what is off the three diagonals stays zero, since LAPACK works on a copy.
        if not hasattr(own, "dense"):
            own.dense = np.zeros((chunk, batch.size, batch.size), batch.dtype)
        with np.errstate(over="ignore"):  # NumPy solves float32 as float64, and an infinity says so too
            return _solve_chunk(part, own.dense)

    # Dense solvers multiply matrices at every order.
    with blas.one_thread:
        solve_in_team(batch, solve_chunk, chunk=chunk)


def _solve_chunk(chunk: Chunk, dense: Array) -> dict[int, int]:
    failures = chunk.rows_not_finite()
    if not failures:
        try:
            _solve_rows(chunk, slice(None), dense)
        except np.linalg.LinAlgError:
            pass  # which problem it was, NumPy does not say
        else:
            return failures
    for row in range(len(chunk.diagonals)):
        if row not in failures:
            try:
                _solve_rows(chunk, slice(row, row + 1), dense)
            except np.linalg.LinAlgError:
                failures[row] = UNKNOWN_INFO
    return failures


def _solve_rows(chunk: Chunk, rows: slice, dense: Array) -> None:
    d, e = chunk.diagonals[rows], chunk.off_diagonals[rows]
    count, size = d.shape
    flat = dense[:count].reshape(count, size**2)
    flat[:, :: size + 1] = d
    flat[:, size :: size + 1] = e
    if chunk.vectors is None:
        chunk.eigenvalues[rows] = np.linalg.eigvalsh(dense[:count], UPLO="L")
    else:
        chunk.eigenvalues[rows], vectors = np.linalg.eigh(dense[:count], UPLO="L")
        chunk.vectors[rows] = vectors.transpose(0, 2, 1)
