"""What ``exception_check.py`` runs inside a cell: for each line ``size count threads``, seconds a problem."""

from __future__ import annotations

import sys
from time import perf_counter

import numpy as np
from lapack_kernels import eigh_tridiagonal


def main() -> None:
    """Answer until nobody asks."""
    for line in sys.stdin:
        size, count, threads = map(int, line.split())
        rng = np.random.default_rng(size)
        d, e = rng.standard_normal((count, size)), rng.standard_normal((count, size - 1))
        start = perf_counter()
        eigh_tridiagonal(d, e, binding="callback", gil="released", driver="stev", threads=threads)
        print((perf_counter() - start) / count, flush=True)


if __name__ == "__main__":
    main()
