"""LAPACK's drivers against each other, order by order: what `auto` of the kernels stands for.

usage: python benchmarks/versus/drivers.py [--rounds N] [--sizes N ...] [--matrix normal|toeplitz]

One thread; the drivers run in turn, round after round, and the best round of each counts: what else runs on
the machine only ever adds. Needs the kernels installed.
"""

from __future__ import annotations

import argparse
from time import perf_counter
from typing import Any

import numpy as np
import scipy
from lapack_kernels import eigh_tridiagonal, eigvalsh_tridiagonal

DRIVERS = ("stev", "stevd", "stevr")
SIZES = (2, 4, 8, 16, 20, 24, 26, 28, 32, 40, 48, 64, 96, 128, 256, 512)
ROUND_S = 0.004
"""What a call should take at least, with the slowest driver."""


def main() -> None:
    """Print a table for each precision, with vectors and without: microseconds a problem."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--matrix", choices=("normal", "toeplitz"), default="normal")
    options = parser.parse_args()
    print(f"SciPy {scipy.__version__}, {options.matrix} matrices, µs per problem, best of {options.rounds}")
    for dtype in (np.float64, np.float32):
        for solve in (eigh_tridiagonal, eigvalsh_tridiagonal):
            print(f"\n{np.dtype(dtype).name} {solve.__name__}")
            print(f"{'n':>5}" + "".join(f"{name:>10}" for name in (*DRIVERS, "fastest")))
            for size in options.sizes:
                best = _measure(solve, dtype, size, options)
                row = "".join(f"{best[name] * 1e6:10.2f}" for name in DRIVERS)
                print(f"{size:5}{row}{min(best, key=lambda name: best[name]):>10}", flush=True)


def _measure(solve: Any, dtype: Any, size: int, options: argparse.Namespace) -> dict[str, float]:
    for driver in DRIVERS:
        _seconds(solve, driver, *_problems(1, size, dtype, options))  # the first call loads what it needs
    count = 1
    while (
        max(_seconds(solve, driver, *_problems(count, size, dtype, options)) for driver in DRIVERS) < ROUND_S
    ):
        count *= 2
    d, e = _problems(count, size, dtype, options)
    best = dict.fromkeys(DRIVERS, float("inf"))
    for _ in range(options.rounds):
        for driver in DRIVERS:
            best[driver] = min(best[driver], _seconds(solve, driver, d, e) / count)
    return best


def _problems(count: int, size: int, dtype: Any, options: argparse.Namespace) -> tuple[Any, Any]:
    if options.matrix == "toeplitz":
        return np.full((count, size), 2, dtype), np.full((count, size - 1), -1, dtype)
    rng = np.random.default_rng(size)
    return (
        rng.standard_normal((count, size)).astype(dtype),
        rng.standard_normal((count, size - 1)).astype(dtype),
    )


def _seconds(solve: Any, driver: str, d: Any, e: Any) -> float:
    start = perf_counter()
    solve(d, e, driver=driver)
    return perf_counter() - start


if __name__ == "__main__":
    main()
