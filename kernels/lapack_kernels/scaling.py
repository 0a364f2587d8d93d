"""What N threads are good for, in Python, NumPy and C: `python -m lapack_kernels.scaling --threads N`.

Exits 0 when all checks hold, 1 when one does not, 2 on a mistake in the call. Checks and metrics go, as JSON,
to the file that $GILGRID_RESULT names, or to standard output.

Each is timed with one thread and with N by turns, round after round. The metrics are medians, which say most
on a machine with N free CPUs. The checks hold on a busy one too: they look at the best round, and there are
more of them, for 20 s at most, until a second CPU was free during one.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import sys
import threading
from dataclasses import dataclass, field
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

NATIVE = ("ctypes", "pointer")
"""What stands for native code, the first that is built: with ctypes the threads are Python's here as well."""

SCALES = 1.3
"""More than this is a speedup. One CPU gave 0.9 to 1.0 at best, whatever else ran, and two gave 1.8."""

ROUNDS = 7
LIMIT_S = 20.0

OFTEN = 8
"""In so many rounds other C code must have had a second CPU, to tell against native code that never had one.

Where each gets one as rarely as the other, that is wrong once in 1,000 runs at worst (two Poisson counts).
"""

TICKS = 5


@dataclass
class Timings:
    """Of one kind of work, in seconds, one for each round."""

    alone: list[float] = field(default_factory=list)
    alone_cpu: list[float] = field(default_factory=list)
    together: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """The time in one thread over the time in N."""
        return statistics.median(one / many for one, many in zip(self.alone, self.together))

    @property
    def speedups(self) -> list[float]:
        """The least CPU time in one thread over the time in N: what else runs makes it smaller alone."""
        least = min(self.alone_cpu)
        return [least / many for many in self.together]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and report; returns the exit code."""
    options = _options(arguments)
    native = next((name for name in NATIVE if _is_built(name)), None)
    if native is None:
        sys.stderr.write(f"python -m lapack_kernels.scaling: neither {' nor '.join(NATIVE)} is built\n")
        return 2
    timings = measure(native, options.gil, options.threads)
    result = {
        "checks": checks(timings, ticks_beside(native, options.gil), f"{native} with the GIL {options.gil}"),
        "metrics": metrics(timings, options.gil),
    }
    if not write_result(result):
        sys.stdout.write(json.dumps(result, indent=2) + "\n")
    return 0 if all(check["ok"] for check in result["checks"]) else 1


def measure(native: str, gil: str, threads: int) -> dict[str, Timings]:
    """Time every kind of work, for as many rounds as it takes, or as there is time for."""
    # Of 5 to 30 ms each: the longer, the more rarely a busy machine has a second CPU free all the while.
    works: dict[str, Work] = {
        "threads_python": _binding("threads-python", batch=16, size=16),
        "threads_numpy": _binding("threads-numpy", batch=400, size=32),
        "threads_scipy": _binding("threads-scipy", batch=300, size=32),
        "native": _binding(native, gil=gil, batch=200, size=32),
        "c": _hash,
        "processes": _binding("processes-pipe", batch=300, size=32),
    }
    timings = {name: Timings() for name in works}
    for work in works.values():
        work(1)
        work(threads)
    end = perf_counter() + LIMIT_S
    while len(timings["c"].together) < ROUNDS or (not _scales(timings) and perf_counter() < end):
        for name, work in works.items():
            timing = timings[name]
            start, start_cpu = perf_counter(), process_time()
            work(1)
            timing.alone_cpu.append(process_time() - start_cpu)
            timing.alone.append(perf_counter() - start)
            start = perf_counter()
            work(threads)
            timing.together.append(perf_counter() - start)
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


def checks(timings: dict[str, Timings], ticks: int, native: str) -> list[dict[str, Any]]:
    """Judge what was measured.

    `threads-python-take-turns`: pure Python never had two CPUs at once. `native-works-at-once`: native code
    had, or else no other C code had them often enough to tell, and the detail says so.
    `python-runs-beside-native`: for which one CPU is enough.
    """
    python, released, other = (max(timings[name].speedups) for name in ("threads_python", "native", "c"))
    often = sum(speedup > SCALES for speedup in timings["c"].speedups)
    rounds = len(timings["c"].together)
    if _scales(timings):
        means = "at once"
    elif often < OFTEN:
        means = "a second CPU was not free often enough to tell"
    else:
        means = "one after the other"
    return [
        {
            "name": "threads-python-take-turns",
            "ok": python < SCALES,
            "detail": f"pure Python at best {python:.2f} times as fast, less than {SCALES:g} expected",
        },
        {
            "name": "native-works-at-once",
            "ok": _scales(timings) or often < OFTEN,
            "detail": f"{native} at best {released:.2f} times as fast; other C code {other:.2f} times, "
            f"more than {SCALES:g} times in {often} of {rounds} rounds: {means}",
        },
        {
            "name": "python-runs-beside-native",
            "ok": ticks >= TICKS,
            "detail": f"Python ran {ticks} times during a call of {native}, at least {TICKS} expected",
        },
    ]


def metrics(timings: dict[str, Timings], gil: str) -> dict[str, float]:
    """Return the median speedup of each kind of work, and the number of rounds."""
    names = {name: f"native_{gil}" if name == "native" else name for name in timings}
    return {
        **{f"speedup_{names[name]}": timing.median for name, timing in timings.items()},
        "rounds": len(timings["c"].together),
    }


def _scales(timings: dict[str, Timings]) -> bool:
    python = max(timings["threads_python"].speedups)
    return max(timings["native"].speedups) > SCALES * max(1.0, python)


def _binding(name: str, *, gil: str = "released", batch: int, size: int) -> Work:
    d, e = _problems(batch=batch, size=size)
    return lambda threads: eigh_tridiagonal(d, e, binding=name, gil=gil, threads=threads)


def _problems(*, batch: int, size: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(6107)
    return rng.standard_normal((batch, size)), rng.standard_normal((batch, size - 1))


def _hash(threads: int) -> None:
    """C code of Python's own that gives up the GIL: it runs at once wherever there is a second CPU."""
    turns = iter(range(100))
    data = bytes(2**17)

    def work() -> None:
        for _ in turns:
            hashlib.sha256(data).digest()

    # The calling thread works too, as in the bindings: where the system puts the threads depends on that.
    others = [threading.Thread(target=work) for _ in range(threads - 1)]
    for other in others:
        other.start()
    work()
    for other in others:
        other.join()


def _is_built(name: str) -> bool:
    try:
        load(name)
    except NotBuiltError:
        return False
    return True


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m lapack_kernels.scaling", description=__doc__.split(",", maxsplit=1)[0]
    )
    parser.add_argument("--threads", type=int, default=2, help=f"N, 2 to {MAX_THREADS}")
    parser.add_argument("--gil", choices=("released", "held"), default="released", help="by native code")
    options = parser.parse_args(arguments)
    if not 2 <= options.threads <= MAX_THREADS:  # noqa: PLR2004 (one thread is what N are compared with)
        parser.error(f"argument --threads: must be 2 to {MAX_THREADS}, not {options.threads}")
    return options


if __name__ == "__main__":
    sys.exit(main())
