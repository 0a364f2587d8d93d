"""One problem after the other through `scipy.linalg.eigh_tridiagonal`, for threads and for processes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import eigh_tridiagonal

from lapack_kernels.chunk import UNKNOWN_INFO

if TYPE_CHECKING:
    from lapack_kernels.chunk import Chunk


def solve_chunk(chunk: Chunk) -> dict[int, int]:
    """Solve a chunk with LAPACK's `stev`, which is `auto` here too.

    Returns the rows that failed and the info of each.

    SciPy 1.9 has `stemr` as well, faster from order 64 on, and 4 times at order 256;
    but its vectors are orthogonal to 24 eps n, where the probe takes 8 (random problems of orders 64 to 300).
    """
    failures = chunk.rows_not_finite()
    for row, (d, e) in enumerate(zip(chunk.diagonals, chunk.off_diagonals)):
        if row in failures:
            continue
        if not e.size:  # up to SciPy 1.11, `stev` asks for one off-diagonal element at least
            chunk.eigenvalues[row] = d
            if chunk.vectors is not None:
                chunk.vectors[row] = 1
            continue
        try:
            if chunk.vectors is None:
                chunk.eigenvalues[row] = eigh_tridiagonal(
                    d, e, eigvals_only=True, check_finite=False, lapack_driver="stev"
                )
            else:
                values, vectors = eigh_tridiagonal(d, e, check_finite=False, lapack_driver="stev")
                chunk.eigenvalues[row] = values
                chunk.vectors[row] = vectors.T
        except np.linalg.LinAlgError as error:
            failures[row] = _info(error)
    return failures


def _info(error: Exception) -> int:
    """Return LAPACK's info, which SciPy gives in the sentence alone."""
    found = re.search(r"info=(\d+)", str(error))
    return int(found.group(1)) if found else UNKNOWN_INFO
