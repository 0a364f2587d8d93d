"""What Cython's check for an exception costs after a call of LAPACK, in the pairs that have it."""

from __future__ import annotations

from statistics import median
from time import perf_counter
from typing import ClassVar

import numpy as np
from lapack_kernels import NotBuiltError, eigh_tridiagonal

ROUNDS = 11


class ExceptionCheck:
    """The callback's loop, with the check where SciPy's declarations ask for it, against the pointer's."""

    params: ClassVar = ([2, 16], [1, 2])
    param_names: ClassVar = ["order", "threads"]
    timeout = 60.0

    def setup(self, order: int, threads: int) -> None:
        """Solve it once with either."""
        rng = np.random.default_rng(order)
        count = 32768 // order
        self.batch = rng.standard_normal((count, order)), rng.standard_normal((count, order - 1))
        try:
            self._seconds("callback", threads)
            self._seconds("pointer", threads)
        except NotBuiltError as error:
            raise NotImplementedError(str(error)) from None

    def track_price(self, order: int, threads: int) -> float:
        """Seconds per call of LAPACK; about 0 in a pair without the check."""
        del order
        # In turns, since two processes of one program differ by more than that.
        turns = [
            self._seconds("callback", threads) - self._seconds("pointer", threads) for _ in range(ROUNDS)
        ]
        return median(turns) / len(self.batch[0])

    track_price.unit = "seconds"  # type: ignore[attr-defined]
    track_price.pretty_name = "Price of the exception check, for a call of LAPACK"  # type: ignore[attr-defined]

    def _seconds(self, binding: str, threads: int) -> float:
        begun = perf_counter()
        eigh_tridiagonal(*self.batch, binding=binding, gil="released", driver="stev", threads=threads)
        return perf_counter() - begun
