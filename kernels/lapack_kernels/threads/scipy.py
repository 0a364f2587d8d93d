"""Python threads that call `scipy.linalg.eigh_tridiagonal` for one problem after the other.

They take turns: SciPy's wrapper of `stev` keeps the GIL while LAPACK works, up to SciPy 1.17 at least, as all
do that are not declared `threadsafe` (scipy/scipy#12436).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapack_kernels.threads.team import solve_in_team
from lapack_kernels.through_scipy import solve_chunk

if TYPE_CHECKING:
    from lapack_kernels.batch import Batch


def solve(batch: Batch, *, gil: str) -> None:
    """Solve the batch; `gil` is "released", though not by SciPy."""
    del gil
    solve_in_team(batch, solve_chunk, chunk=batch.chunk)
