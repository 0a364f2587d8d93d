"""A C++ OpenMP loop that calls a Cython `noexcept nogil` function, which calls LAPACK: cython/cython#6107."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapack_kernels import _native

if TYPE_CHECKING:
    from lapack_kernels.batch import Batch


def solve(batch: Batch, *, release_gil: bool) -> None:
    """Solve the batch in place, with the GIL held or released around the whole loop."""
    _native.solve_callback(batch.address, release_gil)
