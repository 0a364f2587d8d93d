"""What ``kernels.py`` runs inside a cell: each side solves the same problems, and all take turns."""

from __future__ import annotations

import argparse
import ctypes
import os
import statistics
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from time import perf_counter, sleep
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
from lapack_kernels import drivers, eigh_tridiagonal
from lapack_kernels.blas import one_thread
from scipy.linalg import eigh_tridiagonal as scipy_eigh_tridiagonal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

SIZES = (2, 4, 8, 16, 32, 64, 128, 256, 512)
LEAST_PROBLEMS = 8
# Before each turn: the threads of a BLAS go on spinning for a while, and would take from whoever is next.
REST_S = 0.05
BARE = Path(__file__).with_name("bare.c")


def main() -> None:
    """Measure every size, and print a table of medians and one of ratios."""
    parser = argparse.ArgumentParser(prog="python benchmarks/versus/kernels.py")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--work", type=float, default=0.2, help="seconds that one thread has to do per turn")
    parser.add_argument("--only", default="", help="sides whose name begins so, and the kernel itself")
    parser.add_argument("--binding", default="pointer")
    options = parser.parse_args()
    bare = compiled()
    rows = {}
    for size in options.sizes:
        rows[size] = measured(size, options, bare)
        told = "  ".join(f"{name} {per_problem * 1e6:.4g}" for name, per_problem in rows[size].items())
        print(f"n = {size}, us per problem: {told}", flush=True)
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    print(f"\n{options.rounds} rounds; time per problem over that of the kernel (auto, 2 threads), medians")
    print(f"| n | kernel, us | {' | '.join(name for name in names if name != 'kernel')} |")
    print("|---" * (len(names) + 1) + "|")
    for size, row in rows.items():
        ratios = (
            f"{row[name] / row['kernel']:.2f}" if name in row else "" for name in names if name != "kernel"
        )
        print(f"| {size} | {row['kernel'] * 1e6:.4g} | {' | '.join(ratios)} |")


def measured(size: int, options: argparse.Namespace, bare: Callable[..., None]) -> dict[str, float]:
    """Seconds per problem of order ``size``, by side, each the median of its turns."""
    rng = np.random.default_rng(size)
    few = rng.standard_normal((64, size)), rng.standard_normal((64, size - 1))
    alone = partial(kernel, *few, binding=options.binding, threads=1)
    alone()
    per_problem = seconds(alone, 64)
    count = max(LEAST_PROBLEMS, int(options.work / per_problem))
    d, e = rng.standard_normal((count, size)), rng.standard_normal((count, size - 1))
    with (
        ThreadPoolExecutor(2) as pool,
        joblib.Parallel(2) as processes,
        joblib.Parallel(2, prefer="threads") as threads,
    ):
        everyone = sides(
            d, e, binding=options.binding, bare=bare, pool=pool, processes=processes, threads=threads
        )
        chosen = {name: side for name, side in everyone.items() if name.startswith(("kernel", options.only))}
        # A side that is slow solves fewer problems in a turn, so that all turns are about as long.
        shares = {name: share(side, count, options.work) for name, side in chosen.items()}
        turns: dict[str, list[float]] = {name: [] for name in chosen}
        for number in range(options.rounds):
            order = list(chosen) if number % 2 else list(reversed(chosen))
            for name in order:
                sleep(REST_S)
                turns[name].append(seconds(partial(chosen[name], shares[name]), shares[name]))
    return {name: statistics.median(times) for name, times in turns.items()}


def sides(
    d: Array,
    e: Array,
    *,
    binding: str,
    bare: Callable[..., None],
    pool: ThreadPoolExecutor,
    processes: joblib.Parallel,
    threads: joblib.Parallel,
) -> dict[str, Callable[[int], object]]:
    """Every side, as a function of how many problems it shall solve."""
    dense = np.zeros((d.shape[0], d.shape[1], d.shape[1]))
    index = np.arange(d.shape[1])
    dense[:, index, index] = d
    dense[:, index[1:], index[:-1]] = e
    return {
        "kernel": lambda count: kernel(d[:count], e[:count], binding=binding, threads=2),
        "kernel, 1 thread": lambda count: kernel(d[:count], e[:count], binding=binding, threads=1),
        "bare C loop, 1 thread": bare_side(bare, d, e),
        "NumPy's eigh": lambda count: np.linalg.eigh(dense[:count]),
        "SciPy's loop": lambda count: scipy_loop(d[:count], e[:count]),
        "NumPy's eigh in threads": lambda count: numpy_in_threads(pool, dense[:count]),
        "SciPy's loop in threads": lambda count: list(
            pool.map(scipy_loop, halves(d[:count]), halves(e[:count]))
        ),
        "processes": lambda count: kernel(d[:count], e[:count], binding="processes-pool", threads=2),
        "joblib, threads": lambda count: threads(
            joblib.delayed(scipy_loop)(*both)
            for both in zip(halves(d[:count]), halves(e[:count]), strict=True)
        ),
        "joblib, processes": lambda count: processes(
            joblib.delayed(scipy_loop)(*both)
            for both in zip(halves(d[:count]), halves(e[:count]), strict=True)
        ),
    }


def kernel(d: Array, e: Array, *, binding: str, threads: int) -> object:
    """Solve with the kernels."""
    return eigh_tridiagonal(d, e, binding=binding, threads=threads, driver="auto")


def numpy_in_threads(pool: ThreadPoolExecutor, dense: Array) -> list[object]:
    """Half of them in each thread, without those that BLAS starts by itself: two teams slow one another."""
    with one_thread:
        return list(pool.map(np.linalg.eigh, halves(dense)))


def scipy_loop(d: Array, e: Array) -> list[tuple[Array, Array]]:
    """Solve one problem after another with SciPy."""
    return [scipy_eigh_tridiagonal(*problem) for problem in zip(d, e, strict=True)]


def bare_side(bare: Callable[..., None], d: Array, e: Array) -> Callable[[int], object]:
    """LAPACK in a C loop, with the driver that `auto` takes, and room for its output made in every call."""
    size = d.shape[1]
    driver = drivers.resolve("auto", size, wants_vectors=True)
    wanted = drivers.sizes(driver, size, wants_vectors=True)
    work, iwork = np.empty(wanted.work + 8), np.empty(wanted.iwork + 1, np.int32)
    isuppz, copy = np.empty(wanted.isuppz + 1, np.int32), np.empty(2 * size)
    lapack = ctypes.c_void_p(drivers.address(driver, "float64"))

    def run(count: int) -> object:
        values, vectors = np.empty((count, size)), np.empty((count, size, size))
        arrays = [array.ctypes.data for array in (d, e, values, vectors, copy, work)]
        pointers = [ctypes.c_void_p(address) for address in arrays]
        ints = [ctypes.c_void_p(array.ctypes.data) for array in (iwork, isuppz)]
        with one_thread:
            bare(
                lapack, drivers.DRIVERS.index(driver), ctypes.c_ssize_t(count), size, *pointers,
                wanted.work, ints[0], wanted.iwork, ints[1],
            )  # fmt: skip
        return values, vectors

    return run


def compiled() -> Callable[..., None]:
    """The C loop, compiled as the kernels are."""
    with tempfile.TemporaryDirectory() as place:
        library = Path(place, "bare.so")
        compiler = os.environ.get("CC", "cc")
        subprocess.run([compiler, "-O3", "-shared", "-fPIC", "-o", library, BARE], check=True)
        function: Any = ctypes.CDLL(str(library)).bare
    function.restype = None
    return function  # type: ignore[no-any-return]


def share(side: Callable[[int], object], count: int, turn_s: float) -> int:
    """How many problems the side solves in a turn of about that long; the first call starts what it keeps."""
    number = min(count, LEAST_PROBLEMS)
    side(number)
    # What a few problems take is mostly what it takes to begin.
    while number < count and (took := number * seconds(partial(side, number), number)) < turn_s / 2:
        number = min(count, max(2 * number, int(number * min(8, turn_s / 2 / took))))
    return number


def seconds(side: Callable[[], object], count: int) -> float:
    """Seconds per problem."""
    start = perf_counter()
    side()
    return (perf_counter() - start) / count


def halves(array: Array) -> Sequence[Array]:
    """One for each of two workers."""
    middle = len(array) // 2
    return array[:middle], array[middle:]


if __name__ == "__main__":
    main()
