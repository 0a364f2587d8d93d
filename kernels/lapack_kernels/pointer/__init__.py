"""The loop of `callback`, but LAPACK called through a `noexcept` pointer, whatever SciPy declares."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scipy.linalg import cython_lapack

from lapack_kernels import _native

if TYPE_CHECKING:
    from lapack_kernels.batch import Batch

_native.take_dstev(cython_lapack.__pyx_capi__["dstev"])


def solve(batch: Batch, *, release_gil: bool) -> None:
    """Solve the batch in place, with the GIL held or released around the whole loop."""
    _native.solve_pointer(batch.address, release_gil)
