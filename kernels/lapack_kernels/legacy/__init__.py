"""The callback, compiled with `legacy_implicit_noexcept`: what is not declared otherwise raises nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lapack_kernels._legacy as native

if TYPE_CHECKING:
    from lapack_kernels.batch import Batch


def solve(batch: Batch, *, gil: str) -> None:
    """Solve the batch in place, with the GIL held or released around the whole loop."""
    native.solve_callback(batch.address, gil == "released")
