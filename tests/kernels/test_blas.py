"""BLAS has one thread while a team of ours runs that calls it, and what it had before from then on."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest
from lapack_kernels import bindings, eigh_tridiagonal, eigvalsh_tridiagonal
from lapack_kernels.blas import one_thread
from threadpoolctl import threadpool_info, threadpool_limits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapack_kernels.batch import Batch

BEFORE = 3
D, E = np.ones((4, 40)), np.ones((4, 39))


def thread_counts() -> set[int]:
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


def set_counts(threads: int) -> None:
    """Set them in a thread that ends: as long as it lives, threadpoolctl 3.8 lets no other set them."""
    setter = threading.Thread(target=threadpool_limits, args=(threads, "blas"))
    setter.start()
    setter.join()


@pytest.fixture
def some_threads() -> Iterator[None]:
    before = max(thread_counts())
    set_counts(BEFORE)
    yield
    set_counts(before)


with_threads = pytest.mark.usefixtures("some_threads")


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[set[int]]:
    """What each batch is solved with, from now on."""
    counts: list[set[int]] = []

    def solve(batch: Batch, *, gil: str) -> None:
        del batch, gil
        counts.append(thread_counts())

    monkeypatch.setattr(bindings, "load", lambda _name: solve)
    return counts


@with_threads
def test_a_driver_that_multiplies_matrices_has_one_thread_of_blas(seen: list[set[int]]) -> None:
    eigh_tridiagonal(D, E, driver="stevd")
    assert seen == [{1}]


@with_threads
def test_every_other_driver_leaves_blas_alone(seen: list[set[int]]) -> None:
    eigh_tridiagonal(D, E, driver="stev")
    eigh_tridiagonal(D, E, driver="stevr")
    eigh_tridiagonal(D[:, :25], E[:, :24], driver="stevd")
    eigvalsh_tridiagonal(D, E, driver="stevd")
    assert seen == [{BEFORE}] * 4


@with_threads
def test_blas_has_its_threads_back_after_a_call_and_after_an_error(native: str) -> None:
    eigh_tridiagonal(D, E, binding=native, driver="stevd", threads=2)
    assert thread_counts() == {BEFORE}
    with pytest.raises(ValueError, match="finite"):
        eigh_tridiagonal(D * np.nan, E, binding=native, driver="stevd", threads=2)
    assert thread_counts() == {BEFORE}


@with_threads
def test_the_last_of_overlapping_callers_gives_the_threads_back() -> None:
    first_is_in, second_is_in, first_is_out = threading.Event(), threading.Event(), threading.Event()
    seen: list[set[int]] = []

    def second() -> None:
        first_is_in.wait()
        with one_thread:
            second_is_in.set()
            first_is_out.wait()
            seen.append(thread_counts())

    other = threading.Thread(target=second)
    other.start()
    with one_thread:
        first_is_in.set()
        second_is_in.wait()
    first_is_out.set()
    other.join()
    assert seen == [{1}]
    assert thread_counts() == {BEFORE}


class Limit:
    """Another thread, which limits BLAS to two threads until it is told to end that."""

    def __init__(self) -> None:
        self.limited, self.done = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self._limit)
        self.thread.start()
        self.limited.wait()

    def _limit(self) -> None:
        with threadpool_limits(2, "blas"):
            self.limited.set()
            self.done.wait()

    def end(self) -> None:
        self.done.set()
        self.thread.join()


@with_threads
def test_blas_has_one_thread_whatever_another_thread_limits_it_to() -> None:
    limit = Limit()
    before = thread_counts()
    with one_thread:
        inside = thread_counts()
    after = thread_counts()
    limit.end()
    assert (before, inside, after) == ({2}, {1}, {2})
    assert thread_counts() == {BEFORE}


@with_threads
def test_a_limit_of_another_thread_may_end_while_blas_has_one() -> None:
    limit = Limit()
    with one_thread:
        limit.end()
    assert thread_counts() == {BEFORE}


@with_threads
def test_many_callers_at_the_same_time_leave_the_count_as_it_was(native: str) -> None:
    def call() -> None:
        for _ in range(10):
            eigh_tridiagonal(D, E, binding=native, driver="stevd", threads=2)

    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert thread_counts() == {BEFORE}


@with_threads
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_begins_with_the_threads_there_were() -> None:
    with one_thread:
        child = os.fork()
        if child == 0:
            inside = thread_counts()
            with one_thread:
                pass
            os._exit(0 if inside == thread_counts() == {BEFORE} else 1)
    assert os.waitpid(child, 0)[1] == 0
