"""Whatever is wrong with a call, it is an exception that says so, and never a crash."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from lapack_kernels import BINDINGS, NotBuiltError, bindings, eigh_tridiagonal, eigvalsh_tridiagonal

D = np.ones((3, 4))
E = np.ones((3, 3))


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
    ],
)
def test_wrong_shapes_are_named(any_binding: str, d: Any, e: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        eigh_tridiagonal(d, e, binding=any_binding)


@pytest.mark.parametrize(
    "dtype", [np.float16, np.int64, np.complex128, object, ">f8", ">f4", "U3", np.longdouble]
)
def test_only_native_float64_and_float32_are_taken(any_binding: str, dtype: Any) -> None:
    with pytest.raises(TypeError, match="d must be float64 or float32 in native byte order"):
        eigh_tridiagonal(D.astype(dtype), E, binding=any_binding)
    with pytest.raises(TypeError, match="e must be float64 or float32 in native byte order"):
        eigh_tridiagonal(D, E.astype(dtype), binding=any_binding)


def test_both_must_be_of_one_type(any_binding: str) -> None:
    with pytest.raises(TypeError, match="d and e must be of one type, not float32 and float64"):
        eigh_tridiagonal(D.astype(np.float32), E, binding=any_binding)


@pytest.mark.parametrize("threads", [0, -1, 1025, 2**70])
def test_a_thread_count_out_of_range_is_a_value_error(any_binding: str, threads: int) -> None:
    with pytest.raises(ValueError, match="threads must be 1 to 1024"):
        eigh_tridiagonal(D, E, binding=any_binding, threads=threads)


@pytest.mark.parametrize("threads", [1.0, "2", None, True])
def test_a_thread_count_that_is_no_integer_is_a_type_error(any_binding: str, threads: Any) -> None:
    with pytest.raises(TypeError, match="threads must be an integer"):
        eigh_tridiagonal(D, E, binding=any_binding, threads=threads)


def test_a_numpy_integer_is_a_thread_count(binding: str) -> None:
    eigh_tridiagonal(D, E, binding=binding, threads=np.int8(2))  # type: ignore[arg-type]


def test_an_unknown_binding_is_named_with_those_there_are() -> None:
    known = ", ".join(BINDINGS)
    with pytest.raises(ValueError, match=f"unknown binding 'cffi'; expected one of {known}"):
        eigh_tridiagonal(D, E, binding="cffi")


def test_an_unknown_gil_mode_is_named_with_those_of_the_binding(binding: str) -> None:
    known = ", ".join(BINDINGS[binding].gil_modes)
    with pytest.raises(ValueError, match=f"unknown gil mode 'free' of {binding}; expected one of {known}"):
        eigh_tridiagonal(D, E, binding=binding, gil="free")


def test_an_unknown_driver_is_named_with_those_of_the_binding(binding: str) -> None:
    known = ", ".join(BINDINGS[binding].drivers)
    with pytest.raises(ValueError, match=f"unknown driver 'syev' of {binding}; expected one of {known}"):
        eigh_tridiagonal(D, E, binding=binding, driver="syev")


def test_a_binding_that_was_not_built_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BINDINGS, "cffi", BINDINGS["pointer"])
    with pytest.raises(ModuleNotFoundError) as raised:
        bindings.load("cffi")
    assert not isinstance(raised.value, NotBuiltError)  # a file that the package lacks is its own fault

    monkeypatch.setattr(bindings, "COMPILED", {"lapack_kernels.cffi"})
    with pytest.raises(NotBuiltError, match=r"'cffi' was not built: lapack_kernels\.cffi is missing"):
        bindings.load("cffi")


def with_value(array: np.ndarray[Any, Any], value: float, *rows: int) -> np.ndarray[Any, Any]:
    changed = array.copy()
    changed[rows, -1] = value
    return changed


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_first_problem_that_is_not_finite_is_named(binding: str, dtype: str, threads: int) -> None:
    d, e = np.ones((40, 6), dtype), np.ones((40, 5), dtype)
    for solve in (eigh_tridiagonal, eigvalsh_tridiagonal):
        with pytest.raises(ValueError, match=r"d must be finite, but problem 7 has .* \(3 of 40 problems"):
            solve(with_value(d, np.nan, 7, 22, 39), e, binding=binding, threads=threads)
        with pytest.raises(ValueError, match=r"e must be finite, but problem 0 has .* \(2 of 40 problems"):
            solve(with_value(d, np.nan, 30), with_value(e, -np.inf, 0), binding=binding, threads=threads)


def test_a_single_value_that_is_not_finite_is_found_wherever_it_is(native: str) -> None:
    for at in range(4):
        d = D.copy()
        d[2, at] = np.inf
        with pytest.raises(ValueError, match="d must be finite, but problem 2"):
            eigh_tridiagonal(d, E, binding=native)


@pytest.mark.parametrize(
    ("count", "size", "asked", "message"),
    [
        (1, 2**30 + 1, "stev", "too large for stev: LAPACK takes at most"),
        (1, 2**40, "auto", "too large for stev: LAPACK takes at most"),
        (1, 46_339, "stevd", "too large for stevd: LAPACK takes at most"),
        (1, 107_374_183, "stevr", "too large for stevr: LAPACK takes at most"),
        (2, 2**30, "auto", "exceed the address space"),
        (2**40, 2**15, "auto", "exceed the address space"),
    ],
)
def test_problems_too_large_to_index_are_refused_before_any_memory_is_taken(
    native: str, count: int, size: int, asked: str, message: str
) -> None:
    d = np.broadcast_to(1.0, (count, size))
    e = np.broadcast_to(1.0, (count, size - 1))
    with pytest.raises(ValueError, match=message):
        eigh_tridiagonal(d, e, binding=native, driver=asked)


def test_problems_too_large_for_memory_are_a_memory_error(native: str) -> None:
    d = np.broadcast_to(1.0, (2**10, 2**20))
    with pytest.raises(MemoryError):
        eigh_tridiagonal(d, d[:, 1:], binding=native)
