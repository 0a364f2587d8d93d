"""What the guard is measured on: python guard_targets.py NAME [ARGUMENTS]. guard.py runs it.

It imports nothing of gilgrid, and `case` only what is in the cell that it runs in.
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

BLOCK = bytes(1 << 20)


def case(stamps: str, *arguments: str) -> None:
    """The kernels' probe, which notes in the file `stamps` when each call of the solver begins."""
    probe: Any = import_module("lapack_kernels.probe")
    solve = probe.eigh_tridiagonal
    file = os.open(stamps, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def stamped(*args: Any, **kwargs: Any) -> Any:
        os.pwrite(file, b"%020d" % time.monotonic_ns(), 0)
        return solve(*args, **kwargs)

    probe.eigh_tridiagonal = stamped
    sys.exit(probe.main(arguments))


def late(seconds: str, *arguments: str) -> None:
    """The same under faulthandler, the standard library's watchdog in C."""
    import_module("faulthandler").dump_traceback_later(float(seconds), exit=True)
    sys.exit(import_module("lapack_kernels.probe").main(arguments))


# What lives for a while, in so many threads: for what it costs to watch.


def sleeping(seconds: str, threads: str) -> None:
    """One long sleep."""
    _in_threads(int(threads), lambda: time.sleep(float(seconds)))


def waking(seconds: str, threads: str) -> None:
    """Each thread wakes 50 times a second."""
    _until(seconds, threads, lambda: time.sleep(0.02))


def fighting(seconds: str, threads: str) -> None:
    """Pure Python in all of them: one has the GIL, the others poll for it."""
    _until(seconds, threads, lambda: sum(range(1000)))


def native(seconds: str, threads: str) -> None:
    """Native code that lets go of the GIL."""
    _until(seconds, threads, lambda: hashlib.sha256(BLOCK))


def ping_pong(seconds: str, processes: str) -> None:
    """Pairs of processes, each waiting for the other's byte most of its time."""
    for _ in range(int(processes) // 2):
        ends = [os.pipe(), os.pipe()]
        os.write(ends[0][1], b"x")
        for inward, outward in ((ends[0][0], ends[1][1]), (ends[1][0], ends[0][1])):
            if os.fork() == 0:
                signal.alarm(int(float(seconds)))  # ends it: nobody is there to do so
                while True:
                    os.write(outward, os.read(inward, 1))
    time.sleep(float(seconds))


# What works for a while, and notes in the file `done` when each piece of its work was.


def python(seconds: str, done: str) -> None:
    """One thread of pure Python."""

    def work() -> None:
        total = 0
        for number in range(50_000):
            total ^= number

    _noted(seconds, "1", done, work)


def numpy(seconds: str, done: str) -> None:
    """NumPy's and BLAS's own threads, on every CPU."""
    np = import_module("numpy")
    matrix = np.random.default_rng(6107).standard_normal((200, 200))
    _noted(seconds, "1", done, lambda: np.linalg.eigh(matrix @ matrix.T))


def threads(seconds: str, done: str) -> None:
    """32 threads: native code without the GIL, and Python in between."""

    def work() -> None:
        hashlib.sha256(BLOCK)
        sum(range(2000))

    _noted(seconds, "32", done, work)


def processes(seconds: str, done: str) -> None:
    """Short processes, one after another."""
    command = [sys.executable, "-I", "-S", "-c", "pass"]
    _noted(seconds, "1", done, lambda: subprocess.run(command, check=True))


def _noted(seconds: str, threads: str, done: str, work: Callable[[], object]) -> None:
    file = os.open(done, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def noted() -> None:
        work()
        os.write(file, time.monotonic_ns().to_bytes(8, sys.byteorder))

    _until(seconds, threads, noted)


def _until(seconds: str, threads: str, work: Callable[[], object]) -> None:
    end = time.monotonic() + float(seconds)

    def repeat() -> None:
        while time.monotonic() < end:
            work()

    _in_threads(int(threads), repeat)


def _in_threads(count: int, work: Callable[[], object]) -> None:
    others = [threading.Thread(target=work) for _ in range(count - 1)]
    for thread in others:
        thread.start()
    work()
    for thread in others:
        thread.join()


if __name__ == "__main__":
    name, *arguments = sys.argv[1:]
    globals()[name](*arguments)
