"""The callback, compiled with `legacy_implicit_noexcept`: what is not declared otherwise raises nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapack_kernels import _legacy

if TYPE_CHECKING:
    from lapack_kernels.batch import Batch


def solve(batch: Batch, *, release_gil: bool) -> None:
    """Solve the batch in place, with the GIL held or released around the whole loop."""
    _legacy.solve_callback(batch.address, release_gil)
