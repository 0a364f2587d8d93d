"""How the problems of a batch are shared out and their failures gathered, and the memory that takes."""

from __future__ import annotations

import ctypes
import subprocess
import sys
import tracemalloc
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from lapack_kernels import bindings, drivers, eigh_tridiagonal, eigvalsh_tridiagonal
from lapack_kernels.batch import NOT_FINITE_D, PROBLEM_BYTES, Batch, Failure, FailureLayout, Layout


def batch_of(d: Any, e: Any, *, threads: int) -> Batch:
    return Batch(d, e, threads=threads, driver="stev", wants_vectors=True)


def test_every_thread_has_its_share_in_every_call(native: str) -> None:
    d, e = np.full((30, 8), np.nan), np.ones((30, 7))
    for _ in range(50):
        batch = batch_of(d, e, threads=3)
        bindings.load(native)(batch, gil="released")
        assert [failure.count > 0 for failure in batch.failures] == [True] * 3 or native == "prange"
        assert batch.first_failure() == Failure(0, NOT_FINITE_D, 30)


def test_who_is_done_takes_from_whom_is_not(native: str) -> None:
    """One problem takes a thousand times as long as any other: the other thread solves all of the rest."""
    count, size = 12, 200
    rng = np.random.default_rng(0)
    d, e = rng.standard_normal((count, size)), rng.standard_normal((count, size - 1))
    d[1:] = np.nan
    for _ in range(50):
        batch = batch_of(d, e, threads=2)
        assert batch.chunk == 1
        bindings.load(native)(batch, gil="released")
        if count - 1 in [failure.count for failure in batch.failures]:
            return
    pytest.fail(
        f"in each of 50 calls, both threads had many: {[failure.count for failure in batch.failures]}"
    )


@pytest.mark.parametrize("info", [4, 2**20])
def test_what_lapack_reports_is_raised(indirect: str, info: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for LAPACK: no finite input is known to make `dstev` fail."""
    pointer = ctypes.c_void_p
    integer, real = ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_double)

    @ctypes.CFUNCTYPE(None, pointer, pointer, real, pointer, pointer, pointer, pointer, integer)
    def dstev(_jobz: Any, _n: Any, d: Any, _e: Any, _z: Any, _ldz: Any, _work: Any, reported: Any) -> None:
        if d[0] < 0:
            reported[0] = info + int(d[0])

    monkeypatch.setattr(drivers, "address", lambda _driver, _dtype: ctypes.cast(dstev, pointer).value)
    d, e = np.ones((40, 5)), np.ones((40, 4))
    d[[8, 20, 39], 0] = -1, -2, -3
    message = rf"LAPACK's stev did not converge on problem 8: info = {info - 1} \(3 of 40 problems failed\)"
    with pytest.raises(np.linalg.LinAlgError, match=message):
        eigh_tridiagonal(d, e, binding=indirect, driver="stev", threads=3)


def surplus_bytes(count: int, native: str, driver: str, *, wants_vectors: bool) -> int:
    """Return what a call takes at most beyond its input and its output."""
    size = 64
    d, e = np.ones((count, size)), np.ones((count, size - 1))
    solve = eigh_tridiagonal if wants_vectors else eigvalsh_tridiagonal
    solve(d[:2], e[:2], binding=native, driver=driver, threads=2)
    tracemalloc.start()
    try:
        solve(d, e, binding=native, driver=driver, threads=2)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return peak - d.nbytes * (1 + size * wants_vectors)


@pytest.mark.parametrize("wants_vectors", [True, False])
def test_beyond_input_and_output_there_are_the_workspaces_alone(
    native: str,
    driver: str,
    wants_vectors: bool,  # noqa: FBT001 (a parameter of pytest)
) -> None:
    few, many = (surplus_bytes(count, native, driver, wants_vectors=wants_vectors) for count in (4, 400))
    workspace = 8 * (1 + 6 * 64 + 64**2) + 4 * (3 + 5 * 64) if driver in {"stevd", "auto"} else 8 * 32 * 64
    assert few <= 2 * workspace + 20_000
    assert abs(many - few) <= 20_000


def test_input_of_any_strides_is_read_where_it_lies(native: str) -> None:
    rows = 100_000
    d, e = np.broadcast_to(np.ones(20), (rows, 20)), np.broadcast_to(np.ones(19), (rows, 19))
    eigvalsh_tridiagonal(d[:2], e[:2], binding=native)
    tracemalloc.start()
    try:
        values = eigvalsh_tridiagonal(d, e, binding=native)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1.1 * values.nbytes


FORK = """
import os, signal, sys
import numpy as np
from lapack_kernels import eigvalsh_tridiagonal

def solve(threads):
    return eigvalsh_tridiagonal(np.ones((9, 4)), np.ones((9, 3)), binding=sys.argv[1], threads=threads)

before = solve(int(sys.argv[2]))
if os.fork() == 0:
    signal.alarm(10)  # if it hangs after all
    assert (solve(1) == before).all()
    try:
        solve(2)
    except RuntimeError as error:
        os.write(1, f"{error}".encode())
    os._exit(0)
assert os.wait()[1] == 0
print(".", "libgomp" in open("/proc/self/maps").read())
"""


@pytest.mark.timeout(60)
@pytest.mark.parametrize("threads", [1, 2])
def test_a_forked_process_is_told_that_it_cannot_have_a_team(native: str, threads: int) -> None:
    argv = [sys.executable, "-W", "ignore", "-c", FORK, native, str(threads)]
    done = subprocess.run(argv, stdout=subprocess.PIPE, check=True, encoding="utf-8")
    said, uses_libgomp = done.stdout.rsplit(" ", 1)
    would_hang = threads == 2 and bindings.BINDINGS[native].has_openmp and uses_libgomp == "True\n"
    assert said.startswith("a forked process cannot have a team") == would_hang


def laid_out(name: str, structure: type[ctypes.Structure]) -> dict[str, int]:
    offsets = {f"{name}.{field}": getattr(structure, field).offset for field, *_ in structure._fields_}
    return {name: ctypes.sizeof(structure), **offsets}


def test_python_and_native_code_agree_on_the_layout_of_a_batch(native: str) -> None:
    module = {"ctypes": "ctypes", "pybind11": "_pybind11"}.get(native, "_native")
    structures = {**laid_out("Failure", FailureLayout), **laid_out("Batch", Layout)}
    expected = {"PROBLEM_BYTES": PROBLEM_BYTES, **structures}
    assert expected == import_module(f"lapack_kernels.{module}").LAYOUT
