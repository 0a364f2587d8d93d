"""Python threads: what one of them raises, what is left of them, and their solver in pure Python."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from lapack_kernels import eigh_tridiagonal, eigvalsh_tridiagonal
from lapack_kernels.batch import Batch
from lapack_kernels.bindings import load
from lapack_kernels.probe import TOLERANCE_EPS_N, errors_eps_n
from lapack_kernels.threads import python
from lapack_kernels.threads.kept import in_team
from lapack_kernels.threads.team import solve_in_team

if TYPE_CHECKING:
    from lapack_kernels.chunk import Chunk

THREADS = ["threads-python", "threads-numpy", "threads-scipy"]

HARD = {
    "all zero": ([0.0] * 6, [0.0] * 5),
    "zero diagonal": ([0.0] * 9, [1.0] * 8),
    "falls apart": ([1.0, 2.0, 2.0, 1.0], [0.5, 0.0, 0.5]),
    "all but falls apart": ([1.0, 2.0, 2.0, 1.0], [0.5, 1e-200, 0.5]),
    "Wilkinson's, with pairs of eigenvalues that agree to 14 digits": (
        [abs(k - 10.0) for k in range(21)],
        [1.0] * 20,
    ),
    "graded upward": ([10.0**k for k in range(-12, 12, 2)], [10.0**k for k in range(-11, 11, 2)]),
    "graded downward": ([10.0**-k for k in range(-12, 12, 2)], [10.0**-k for k in range(-11, 11, 2)]),
    "larger than its square can be": ([1e300, -1e300, 1e299], [1e300, 3e299]),
    "smaller than its square can be": ([1e-300, -1e-300, 1e-310], [1e-300, 3e-301]),
}


@pytest.mark.parametrize("matrix", HARD.values(), ids=HARD)
def test_pure_python_solves_hard_matrices(matrix: tuple[list[float], list[float]]) -> None:
    d, e = (np.array([part]) for part in matrix)
    scale = np.abs(d).max() or 1.0  # since errors are squared where they are measured
    values, vectors = eigh_tridiagonal(d, e, binding="threads-python")
    errors = errors_eps_n(d / scale, e / scale, values / scale, vectors)
    assert errors["descent"] == 0
    assert max(errors["residual"], errors["orthogonality"]) <= TOLERANCE_EPS_N


def test_pure_python_gives_up_where_sweeps_do_not_help(monkeypatch: pytest.MonkeyPatch) -> None:
    """With no sweep allowed, since no finite input is known that takes 30."""
    monkeypatch.setattr(python, "MAX_SWEEPS", 0)
    message = r"^threads-python did not converge on problem 0: info = 1 \(3 of 3 problems failed\)"
    with pytest.raises(np.linalg.LinAlgError, match=message):
        eigh_tridiagonal(np.ones((3, 4)), np.ones((3, 3)), binding="threads-python")


def test_numpy_names_the_problem_of_a_chunk_that_does_not_converge(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for LAPACK: no finite input is known to make `dsyevd` fail."""
    solve = np.linalg.eigh

    def fail(dense: Any, **options: Any) -> Any:
        if (dense[:, 0, 0] == 5).any():
            raise np.linalg.LinAlgError("Eigenvalues did not converge")
        return solve(dense, **options)

    monkeypatch.setattr(np.linalg, "eigh", fail)
    d = np.ones((9, 4))
    d[[3, 7], 0] = 5
    batch = Batch(d, np.ones((9, 3)), threads=2, driver="auto", wants_vectors=True)
    load("threads-numpy")(batch, gil="released")
    failure = batch.first_failure()
    assert failure is not None
    assert (failure.index, failure.info, failure.count) == (3, 1, 2)
    assert np.isclose(batch.eigenvalues[8], 1 + 2 * np.cos(np.pi * np.arange(4, 0, -1) / 5)).all()


@pytest.mark.parametrize("size", [4, 32, 100, 600])
def test_numpy_is_given_enough_at_a_time_to_release_the_gil(
    monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """For 500 eigenvalues or fewer it would not."""
    solve = np.linalg.eigvalsh
    given: list[int] = []

    def record(dense: Any, **options: Any) -> Any:
        given.append(len(dense) * size)
        return solve(dense, **options)

    monkeypatch.setattr(np.linalg, "eigvalsh", record)
    count = 4 * (500 // size + 1)
    d, e = np.ones((count, size)), np.ones((count, size - 1))
    eigvalsh_tridiagonal(d, e, binding="threads-numpy", threads=2)
    assert sum(given) == count * size
    assert min(given) > 500


def test_scipy_passes_on_lapacks_info(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for SciPy, with its sentence: no finite input is known to make `dstev` fail."""

    def fail(*_: Any, **__: Any) -> None:
        raise np.linalg.LinAlgError("stev (eigh_tridiagonal) did not converge (LAPACK info=17)")

    monkeypatch.setattr("lapack_kernels.through_scipy.eigh_tridiagonal", fail)
    with pytest.raises(np.linalg.LinAlgError, match=r"problem 0: info = 17 \(3 of 3 problems failed\)"):
        eigh_tridiagonal(np.ones((3, 4)), np.ones((3, 3)), binding="threads-scipy")


def a_batch(*, count: int, threads: int) -> Batch:
    return Batch(
        np.ones((count, 2)), np.ones((count, 1)), threads=threads, driver="auto", wants_vectors=False
    )


@pytest.mark.parametrize("raised_by_caller", [True, False])
def test_what_a_thread_raises_ends_them_all(raised_by_caller: bool) -> None:  # noqa: FBT001
    caller = threading.current_thread()
    both = threading.Barrier(2)
    chunks: list[Chunk] = []

    def solve_chunk(chunk: Chunk) -> dict[int, int]:
        chunks.append(chunk)
        if len(chunks) <= 2:
            both.wait()
        if (threading.current_thread() is caller) == raised_by_caller:
            raise KeyboardInterrupt
        stopped.wait(0.2)
        return {}

    stopped = threading.Event()
    with pytest.raises(KeyboardInterrupt):
        solve_in_team(a_batch(count=1000, threads=2), solve_chunk, chunk=1)
    handed_out = len(chunks)
    assert handed_out < 10
    stopped.wait(0.3)
    assert len(chunks) == handed_out


def waits(thread: threading.Thread) -> bool:
    """Whether a thread waits for its team."""
    frame = sys._current_frames().get(thread.ident or 0)  # noqa: SLF001
    return frame is not None and frame.f_code.co_name == "_wait_for"


def interrupt_once_the_caller_waits(stop: threading.Event) -> None:
    """Again where it was not heard: a signal that comes just before a thread sleeps does not wake it."""
    while not waits(threading.main_thread()):  # no event tells of it
        pass
    for _ in range(5):
        os.kill(os.getpid(), signal.SIGINT)
        if stop.wait(1):
            return


def test_ctrl_c_while_the_caller_waits_for_the_others_has_them_stop_and_waits_on() -> None:
    stopped: list[bool] = []

    def work(thread: int, stop: threading.Event) -> None:
        if thread == 0:
            return
        interrupt_once_the_caller_waits(stop)
        threading.Event().wait(0.1)  # who does not wait on has returned by then
        stopped.append(stop.is_set())

    with pytest.raises(KeyboardInterrupt):
        in_team(work, 2)
    assert stopped == [True]


@pytest.mark.parametrize("ctrl_c", [False, True])
@pytest.mark.parametrize("threads_that_raise", [{0}, {1}, {0, 1}])
def test_an_error_keeps_nothing_of_the_call(threads_that_raise: set[int], ctrl_c: bool) -> None:  # noqa: FBT001
    """No cycle: what may be gigabytes is not to wait for a collection of garbage."""

    class Large:
        pass

    large = Large()
    seen = weakref.ref(large)

    def work(thread: int, stop: threading.Event, large: Any = large) -> None:
        if ctrl_c and thread == 1:
            interrupt_once_the_caller_waits(stop)
        if thread in threads_that_raise:
            raise RuntimeError(large.__class__)

    del large
    gc.disable()
    try:
        with pytest.raises(KeyboardInterrupt if ctrl_c else RuntimeError) as raised:
            in_team(work, 2)
        del raised, work
        assert seen() is None
    finally:
        gc.enable()


def test_every_problem_is_handed_out_once() -> None:
    lock, seen = threading.Lock(), np.zeros(1000, dtype=int)
    batch = a_batch(count=1000, threads=3)
    batch.eigenvalues[:, 0] = np.arange(1000)

    def solve_chunk(chunk: Chunk) -> dict[int, int]:
        with lock:
            np.add.at(seen, chunk.eigenvalues[:, 0].astype(int), 1)
        return {}

    solve_in_team(batch, solve_chunk, chunk=7)
    assert (seen == 1).all()


def test_threads_are_kept_for_the_next_call() -> None:
    batch = a_batch(count=9, threads=3)
    load("threads-numpy")(batch, gil="released")
    before = set(threading.enumerate())
    for _ in range(50):
        load("threads-numpy")(batch, gil="released")
    assert set(threading.enumerate()) == before


FORK = """
import os, sys
import numpy as np
from lapack_kernels import eigh_tridiagonal, eigvalsh_tridiagonal

def solve():
    for name in sys.argv[1:]:
        eigh_tridiagonal(np.ones((9, 4)), np.ones((9, 3)), binding=name, threads=3)

solve()
if os.fork() == 0:
    solve()
    os._exit(0)
assert os.wait()[1] == 0
"""


@pytest.mark.timeout(60)
def test_a_forked_process_has_threads_of_its_own() -> None:
    subprocess.run([sys.executable, "-W", "ignore", "-c", FORK, *THREADS], check=True)
