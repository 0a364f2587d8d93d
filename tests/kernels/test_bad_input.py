"""Whatever is wrong with a call, it is an exception that says so, and never a crash."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from lapack_kernels import _native, bindings, eigh_tridiagonal
from lapack_kernels.batch import Layout

if TYPE_CHECKING:
    from lapack_kernels.batch import Batch

D = np.ones((3, 4))
E = np.ones((3, 3))


def with_value(array: np.ndarray[Any, Any], value: float) -> np.ndarray[Any, Any]:
    changed = array.copy()
    changed[1, 2] = value
    return changed


@pytest.mark.parametrize(
    ("d", "e", "message"),
    [
        (D[0], E, r"d must have shape \(m, n\)"),
        (D[None], E, r"d must have shape \(m, n\)"),
        (np.float64(1), E, r"d must have shape \(m, n\)"),
        (np.ones((3, 0)), E, r"n >= 1"),
        (D, D, r"e must have shape \(3, 3\)"),
        (D, E[:2], r"e must have shape \(3, 3\)"),
        (D, E[0], r"e must have shape \(3, 3\)"),
        (with_value(D, np.nan), E, r"d must be finite, but problem 1"),
        (D, with_value(E, -np.inf), r"e must be finite, but problem 1"),
    ],
)
def test_wrong_shapes_and_values_are_named(d: Any, e: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        eigh_tridiagonal(d, e)


@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.complex128, object, ">f8", "U3", np.longdouble])
def test_only_native_float64_is_taken(dtype: Any) -> None:
    with pytest.raises(TypeError, match="d must be float64 in native byte order"):
        eigh_tridiagonal(D.astype(dtype), E)
    with pytest.raises(TypeError, match="e must be float64 in native byte order"):
        eigh_tridiagonal(D, E.astype(dtype))


@pytest.mark.parametrize("threads", [0, -1, 1025, 2**70])
def test_a_thread_count_out_of_range_is_a_value_error(threads: int) -> None:
    with pytest.raises(ValueError, match="threads must be 1 to 1024"):
        eigh_tridiagonal(D, E, threads=threads)


@pytest.mark.parametrize("threads", [1.0, "2", None, True])
def test_a_thread_count_that_is_no_integer_is_a_type_error(threads: Any) -> None:
    with pytest.raises(TypeError, match="threads must be an integer"):
        eigh_tridiagonal(D, E, threads=threads)


def test_a_numpy_integer_is_a_thread_count() -> None:
    eigh_tridiagonal(D, E, threads=np.int8(2))  # type: ignore[arg-type]


def test_an_unknown_binding_is_named_with_those_there_are() -> None:
    known = "callback, prange, pointer, legacy"
    with pytest.raises(ValueError, match=f"unknown binding 'cffi'; expected one of {known}"):
        eigh_tridiagonal(D, E, binding="cffi")


def test_an_unknown_gil_mode_is_named_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="unknown gil mode 'free'; expected one of held, released"):
        eigh_tridiagonal(D, E, gil="free")


@pytest.mark.parametrize(
    ("count", "size", "message"),
    [
        (1, 2**30 + 1, "LAPACK takes at most"),
        (1, 2**40, "LAPACK takes at most"),
        (2, 2**30, "exceed the address space"),
        (2**36, 2**20, "exceed the address space"),
    ],
)
def test_problems_too_large_to_index_are_refused_before_any_memory_is_taken(
    count: int, size: int, message: str
) -> None:
    d = np.broadcast_to(1.0, (count, size))
    e = np.broadcast_to(1.0, (count, size - 1))
    with pytest.raises(ValueError, match=message):
        eigh_tridiagonal(d, e)


def test_problems_too_large_for_memory_are_a_memory_error() -> None:
    with pytest.raises(MemoryError):
        eigh_tridiagonal(np.broadcast_to(1.0, (2**10, 2**20)), np.broadcast_to(1.0, (2**10, 2**20 - 1)))


def test_a_lapack_failure_names_the_problem_and_the_info(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for LAPACK: no finite input is known to make `dstev` fail."""

    def fail(batch: Batch, *, release_gil: bool) -> None:
        del release_gil
        batch.infos[1:] = [4, 2]

    monkeypatch.setattr(bindings, "load", lambda _name: fail)
    with pytest.raises(np.linalg.LinAlgError, match=r"problem 1: info = 4 \(2 of 3 problems failed\)"):
        eigh_tridiagonal(D, E)


def test_python_and_native_code_agree_on_the_layout_of_a_batch() -> None:
    assert ctypes.sizeof(Layout) == _native.SIZEOF_BATCH
