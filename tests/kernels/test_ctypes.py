"""What ctypes alone has: Python's own threads, kept from call to call."""

from __future__ import annotations

import os
import signal
import threading

import numpy as np
import pytest
from lapack_kernels import eigh_tridiagonal

pytest.importorskip("lapack_kernels.ctypes", reason="built without ctypes")

RNG = np.random.default_rng(0)
D, E = RNG.standard_normal((200, 8)), RNG.standard_normal((200, 7))


def solved(threads: int) -> bytes:
    values, vectors = eigh_tridiagonal(D, E, binding="ctypes", threads=threads)
    return values.tobytes() + vectors.tobytes()


def test_threads_are_kept_for_the_next_call() -> None:
    solved(3)
    before = {thread.ident for thread in threading.enumerate()}
    for _ in range(20):
        solved(3)
    assert {thread.ident for thread in threading.enumerate()} == before


def test_an_error_in_one_thread_ends_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    from lapack_kernels import ctypes as binding  # noqa: PLC0415 (may not be built)

    calls: list[int] = []
    stopped = threading.Event()

    class Library:
        def lapack_kernels_solve_range(self, _address: int, _first: int, _last: int, thread: int) -> None:
            calls.append(thread)
            if thread == 0:
                raise KeyboardInterrupt
            stopped.wait(0.05)

    monkeypatch.setitem(binding._LIBRARIES, "released", Library())  # noqa: SLF001
    with pytest.raises(KeyboardInterrupt):
        solved(2)
    assert calls.count(0) == 1
    assert calls.count(1) <= 1


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_starts_threads_of_its_own() -> None:
    expected = solved(3)
    for _ in range(20):  # in some of which all kept threads wait for work
        child = os.fork()
        if child == 0:
            signal.alarm(5)
            os._exit(0 if solved(3) == expected else 1)
        assert os.waitpid(child, 0)[1] == 0
        solved(3)
