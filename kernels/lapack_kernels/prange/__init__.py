"""The loop as Cython's `prange`, in a `nogil` function: cython/cython#5573."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lapack_kernels._native as native

if TYPE_CHECKING:
    from lapack_kernels.batch import Batch


def solve(batch: Batch, *, gil: str) -> None:
    """Solve the batch in place, with the GIL held or released around the whole loop."""
    native.solve_prange(batch.address, gil == "released")
