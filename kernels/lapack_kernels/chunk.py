"""Some problems of a batch, for the bindings that solve them in Python."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lapack_kernels.batch import NOT_FINITE_D, NOT_FINITE_E

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from lapack_kernels.batch import Batch

    Array = npt.NDArray[Any]

UNKNOWN_INFO = 1
"""Where LAPACK did not converge, and who called it does not tell its info."""


@dataclass(frozen=True)
class Chunk:
    """Problems of a batch that follow each other: views of its arrays, of which the solutions are written to.

    Attributes
    ----------
    diagonals, off_diagonals : (count, n) and (count, n - 1) arrays
        To be read only.
    eigenvalues : (count, n) array
        Ascending, once solved.
    vectors : (count, n, n) array or None
        Row k of a problem is its k-th eigenvector; None for eigenvalues alone.

    """

    diagonals: Array
    off_diagonals: Array
    eigenvalues: Array
    vectors: Array | None

    @classmethod
    def of(cls, batch: Batch, begin: int, end: int) -> Chunk:
        """Return the problems from `begin` to before `end`."""
        rows = slice(begin, end)
        return cls(
            batch.diagonals[rows],
            batch.off_diagonals[rows],
            batch.eigenvalues[rows],
            None if batch.vectors is None else batch.vectors[rows],
        )

    def rows_not_finite(self) -> dict[int, int]:
        """Return, for each problem with a value that is not finite, its row here and what to report of it."""
        bad = {int(row): NOT_FINITE_E for row in np.flatnonzero(~np.isfinite(self.off_diagonals).all(axis=1))}
        bad.update(
            {int(row): NOT_FINITE_D for row in np.flatnonzero(~np.isfinite(self.diagonals).all(axis=1))}
        )
        return bad


if TYPE_CHECKING:
    SolveChunk = Callable[[Chunk], "dict[int, int]"]
    """Solves what is finite; returns, for each problem that failed, its row in the chunk and its info."""
