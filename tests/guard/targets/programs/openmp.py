"""Targets with OpenMP: `openmp.py gnu|llvm SCENARIO [--fixed] [--threads N] ...`.

Where a scenario hangs, `--fixed` is its twin: the same, but the GIL is given back before the wait.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import threading
import time
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.guard.targets.programs.subinterpreters import run_inside
else:
    from subinterpreters import run_inside

ALIVE_S = 4.0


def barrier() -> None:
    """The master holds the GIL and waits at the barrier for workers that wait for the GIL."""
    assert openmp.barrier(options.threads, held) == options.threads


def loop() -> None:
    """As `barrier`, with an OpenMP loop that calls back from each iteration."""
    assert openmp.loop(options.threads, held) == 64


def critical() -> None:
    """The master holds the GIL and waits for a critical section, the worker inside it waits for the GIL."""
    assert openmp.critical(options.threads, held) == options.threads


def part_of_the_pool() -> None:
    """As `barrier`, by two threads of a pool of more: the others wait for work."""
    assert openmp.touch(options.threads) == options.threads
    assert openmp.barrier(2, held) == 2


def from_a_thread() -> None:
    """As `barrier`, in a Python thread that the main thread joins."""
    results = []
    thread = threading.Thread(target=lambda: results.append(openmp.barrier(options.threads, held)))
    thread.start()
    thread.join()
    assert results == [options.threads]


def in_a_subinterpreter() -> None:
    """As `barrier`, in a sub-interpreter that shares the GIL."""
    run_inside(
        f"import {openmp.__name__} as openmp\n"
        f"assert openmp.barrier_for_workers({options.threads}, {held}) == {options.threads - 1}",
    )


def after_fork() -> None:
    """A child uses the pool whose threads its fork did not take along; fixed, it is the first to use one."""
    if not options.fixed:
        assert openmp.touch(options.threads) == options.threads
    child = os.fork()
    if child == 0:
        os._exit(0 if openmp.touch(options.threads) == options.threads else 1)
    assert os.waitpid(child, 0)[1] == 0


def in_a_child() -> None:
    """As `barrier`, in a child that the main thread waits for."""
    arguments = [sys.executable, __file__, options.runtime, "barrier", f"--threads={options.threads}"]
    subprocess.run([*arguments, "--fixed"] if options.fixed else arguments, check=True)


def uneven_computes() -> None:
    """The GIL holder waits at the barrier for a worker that computes, while a Python thread wants the GIL."""
    with waiting_for_the_gil():
        assert openmp.uneven(options.threads, ALIVE_S, True, True) == options.threads  # noqa: FBT003


def uneven_sleeps() -> None:
    """As above, with a worker that sleeps."""
    with waiting_for_the_gil():
        assert openmp.uneven(options.threads, ALIVE_S, False, True) == options.threads  # noqa: FBT003


def two_teams() -> None:
    """As `uneven_sleeps`, while the team of another master waits for the GIL."""
    results = []
    thread = threading.Thread(target=lambda: results.append(openmp.late_callbacks(options.threads, 0.5)))
    thread.start()
    assert openmp.uneven(options.threads, ALIVE_S, False, True) == options.threads  # noqa: FBT003
    thread.join()
    assert results == [options.threads]


def many_regions_held() -> None:
    """Region after region with the GIL held, while a Python thread wants the GIL."""
    with waiting_for_the_gil():
        assert openmp.many_regions(options.threads, ALIVE_S, True)  # noqa: FBT003


def many_regions_released() -> None:
    """Region after region without the GIL, while a Python thread has it."""
    with waiting_for_the_gil():
        assert openmp.many_regions(options.threads, ALIVE_S, False)  # noqa: FBT003


def computes_in_python() -> None:
    """A pool of idle OpenMP threads beside Python threads that compute and one that holds the GIL in C."""
    native = import_module("native")
    assert openmp.touch(options.threads) == options.threads
    with waiting_for_the_gil():
        native.compute_held(ALIVE_S)


class waiting_for_the_gil:  # noqa: N801 - reads as what it is where it is used
    """A Python thread that always wants the GIL."""

    def __enter__(self) -> None:
        self.over = False
        started = threading.Event()
        self.thread = threading.Thread(target=self.run, args=(started,))
        self.thread.start()
        started.wait()

    def run(self, started: threading.Event) -> None:
        started.set()
        while not self.over:
            pass

    def __exit__(self, *_: object) -> None:
        self.over = True
        self.thread.join()


def beat() -> None:
    while True:
        time.sleep(0.1)


BESIDE: dict[str, Callable[[], object]] = {
    "nobody": lambda: None,
    "native-heartbeat": lambda: import_module("native").heartbeat(0),
    "python-heartbeat": lambda: threading.Thread(target=beat, daemon=True).start(),
    "python-sleeper": lambda: threading.Thread(target=time.sleep, args=(3600,), daemon=True).start(),
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("runtime", choices=["gnu", "llvm"])
    parser.add_argument("scenario")
    parser.add_argument("--fixed", action="store_true")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--beside", choices=BESIDE, default="nobody")
    options = parser.parse_args()
    held = not options.fixed
    openmp = import_module(f"openmp_{options.runtime}")
    BESIDE[options.beside]()
    globals()[options.scenario.replace("-", "_")]()
    print("done")
