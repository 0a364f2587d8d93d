"""What N threads are good for, in Python, NumPy and C: `python -m lapack_kernels.scaling --threads N`.

Exits 0 when all checks hold, 1 when one does not, 2 on a mistake in the call. Checks and metrics go, as JSON,
to the file that $GILGRID_RESULT names, or to standard output.

Each kind of work is timed with one thread and with N, round after round, and its best round counts: the one
that other programs disturbed least. There are more rounds, for 20 s at most, until all that should be faster
was. If something never was, other C code tells whether there was a second CPU for it at all. If there was
not, no speedups are given, and the checks that need one say so.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter, process_time, sleep
from typing import TYPE_CHECKING, Any

import numpy as np

from lapack_kernels.batch import MAX_THREADS
from lapack_kernels.bindings import NotBuiltError, load
from lapack_kernels.eigh import eigh_tridiagonal, eigvalsh_tridiagonal
from lapack_kernels.result import write_result

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Work = Callable[[int], object]
    """Does the same amount of work in as many threads as it is told."""

AT_ONCE = ("threads_numpy", "native_released", "processes")
BY_TURNS = ("threads_python", "native_held")

SCALES = 1.3
"""More than this is a speedup. Two threads by turns came to 1.02 at best, whatever else ran, and two at once,
on two free CPUs, to 1.6 to 1.9."""

ROUNDS = 7
LIMIT_S = 20.0

OFTEN = 8
"""In so many rounds other C code must have had a second CPU, to tell against something that never had one.

Where each gets one as rarely as the other, that is wrong once in 1,000 runs at worst (two Poisson counts).
"""

TICKS = 5


@dataclass
class Timings:
    """Of one kind of work, in seconds, one for each round.

    `alone` is CPU time, where it can be had: what else runs makes that no longer.
    """

    alone: list[float] = field(default_factory=list)
    together: list[float] = field(default_factory=list)

    @property
    def speedups(self) -> list[float]:
        """The least time in one thread over the time in N, for each round."""
        least = min(self.alone)
        return [least / seconds for seconds in self.together]

    @property
    def best(self) -> float:
        """The largest of them."""
        return max(self.speedups)

    @property
    def often(self) -> int:
        """In how many rounds there was one."""
        return sum(speedup > SCALES for speedup in self.speedups)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and report; returns the exit code."""
    options = _options(arguments)
    try:
        load("ctypes")
    except NotBuiltError as error:
        sys.stderr.write(f"python -m lapack_kernels.scaling: {error}\n")
        return 2
    timings = measure(options.threads)
    ticks = {gil: ticks_beside("ctypes", gil) for gil in ("released", "held")}
    result: dict[str, Any] = {"checks": checks(timings, ticks), "metrics": metrics(timings)}
    if not write_result(result):
        sys.stdout.write(json.dumps(result, indent=2) + "\n")
    return 0 if all(check["ok"] for check in result["checks"]) else 1


def measure(threads: int) -> dict[str, Timings]:
    """Time every kind of work, for as many rounds as it takes, or as there is time for."""
    # Of some 10 to 20 ms each, since a busy machine seldom has a second CPU free for longer; none longer than
    # `c`, which tells whether it had.
    works: dict[str, Work] = {
        "threads_python": _binding("threads-python", batch=16, size=16),
        "threads_numpy": _binding("threads-numpy", batch=160, size=32),
        "threads_scipy": _binding("threads-scipy", batch=100, size=32),
        "native_released": _binding("ctypes", batch=200, size=32),
        "native_held": _binding("ctypes", gil="held", batch=200, size=32),
        "c": partial(_hash, ThreadPoolExecutor(threads - 1)),
        "processes": _binding("processes-pipe", batch=160, size=32),
    }
    timings = {name: Timings() for name in works}
    for work in works.values():
        work(1)
        work(threads)
    end = perf_counter() + LIMIT_S
    while len(timings["c"].together) < ROUNDS or not (_all_scale(timings) or perf_counter() > end):
        for name, work in works.items():
            clock = perf_counter if name == "processes" else process_time
            start = clock()
            work(1)
            timings[name].alone.append(clock() - start)
            start = perf_counter()
            work(threads)
            timings[name].together.append(perf_counter() - start)
    return timings


def ticks_beside(native: str, gil: str) -> int:
    """Count how often Python runs in this thread while another is inside one native call, of some 0.1 s.

    With the GIL held that is once at most, before the call has taken hold of it. One CPU is enough for this.
    """
    d, e = _problems(batch=1, size=3000)
    span: list[float] = []

    def call() -> None:
        span.append(perf_counter())
        eigvalsh_tridiagonal(d, e, binding=native, gil=gil, threads=1)
        span.append(perf_counter())

    caller = threading.Thread(target=call)
    caller.start()
    ticks = []
    while caller.is_alive():
        ticks.append(perf_counter())
        sleep(0.001)
    return sum(span[0] < tick < span[1] for tick in ticks)


def checks(timings: dict[str, Timings], ticks: dict[str, int]) -> list[dict[str, Any]]:
    """Judge what was measured: what works at once, what by turns, and beside what Python runs."""
    free = timings["c"].often
    rounds = len(timings["c"].together)
    found = []
    for name in BY_TURNS:
        detail = f"at best {timings[name].best:.2f} times as fast, less than {SCALES:g} expected"
        found.append(_check(name, "by-turns", ok=timings[name].best < SCALES, detail=detail))
    for name in AT_ONCE:
        detail = f"at best {timings[name].best:.2f} times as fast, more than {SCALES:g} expected"
        scales = timings[name].best > SCALES
        if not scales:
            detail += f"; a second CPU was free in {free} of {rounds} rounds"
            detail += ", too few to tell" if free < OFTEN else ""
        found.append(_check(name, "at-once", ok=scales or free < OFTEN, detail=detail))
    for gil, expected in (("released", f"at least {TICKS}"), ("held", f"less than {TICKS}")):
        detail = f"Python ran {ticks[gil]} times meanwhile, {expected} expected"
        ok = (ticks[gil] >= TICKS) == (gil == "released")
        found.append(_check(f"native_{gil}", "beside-python", ok=ok, detail=detail))
    return found


def metrics(timings: dict[str, Timings]) -> dict[str, float]:
    """Return the number of rounds and, if there was a second CPU to tell by, each kind's best speedup."""
    rounds: dict[str, float] = {"rounds": len(timings["c"].together)}
    if not _all_scale(timings) and timings["c"].often < OFTEN:
        return rounds
    return {**rounds, **{f"speedup_{name}": timing.best for name, timing in timings.items()}}


def _check(name: str, how: str, *, ok: bool, detail: str) -> dict[str, Any]:
    return {"name": f"{name.replace('_', '-')}-{how}", "ok": ok, "detail": detail}


def _all_scale(timings: dict[str, Timings]) -> bool:
    return all(timings[name].best > SCALES for name in AT_ONCE)


def _binding(name: str, *, gil: str = "released", batch: int, size: int) -> Work:
    d, e = _problems(batch=batch, size=size)
    return lambda threads: eigh_tridiagonal(d, e, binding=name, gil=gil, threads=threads)


def _problems(*, batch: int, size: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(6107)
    return rng.standard_normal((batch, size)), rng.standard_normal((batch, size - 1))


def _hash(kept: ThreadPoolExecutor, threads: int) -> None:
    """C code of Python's own that gives up the GIL: it runs at once wherever there is a second CPU."""
    turns = iter(range(270))
    data = bytes(2**17)

    def work() -> None:
        for _ in turns:
            hashlib.sha256(data).digest()

    # The calling thread works too, and the others are kept, as in the bindings: on which CPUs the system puts
    # them depends on that.
    others = [kept.submit(work) for _ in range(threads - 1)]
    work()
    for other in others:
        other.result()


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m lapack_kernels.scaling", description=__doc__.split(":", maxsplit=1)[0]
    )
    parser.add_argument("--threads", type=int, default=2, help=f"N, 2 to {MAX_THREADS}")
    options = parser.parse_args(arguments)
    if not 2 <= options.threads <= MAX_THREADS:  # noqa: PLR2004 (one thread is what N are compared with)
        parser.error(f"argument --threads: must be 2 to {MAX_THREADS}, not {options.threads}")
    return options


if __name__ == "__main__":
    sys.exit(main())
