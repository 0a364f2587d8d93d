"""Every binding, in every GIL mode and with any number of threads, agrees with NumPy's dense solver."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest
from lapack_kernels import BINDINGS, GIL_MODES, eigh_tridiagonal
from lapack_kernels.probe import TOLERANCE_EPS_N, errors_eps_n

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

every_binding = pytest.mark.parametrize("binding", BINDINGS)
every_gil_mode = pytest.mark.parametrize("gil", GIL_MODES)


def problems(count: int, size: int) -> tuple[Array, Array]:
    rng = np.random.default_rng(count + size)
    return rng.standard_normal((count, size)), rng.standard_normal((count, size - 1))


def dense(d: Array, e: Array) -> Array:
    return np.stack([np.diag(row) + np.diag(off, 1) + np.diag(off, -1) for row, off in zip(d, e)])


def assert_solved(d: Array, e: Array, values: Array, vectors: Array) -> None:
    np.testing.assert_allclose(values, np.linalg.eigh(dense(d, e))[0], rtol=0, atol=1e-13 * d.shape[1])
    errors = errors_eps_n(d, e, values, vectors)
    assert errors["descent"] == 0
    assert max(errors["residual"], errors["orthogonality"]) <= TOLERANCE_EPS_N


@every_gil_mode
@every_binding
def test_one_thread_agrees_with_numpy(binding: str, gil: str) -> None:
    d, e = problems(8, 24)
    assert_solved(d, e, *eigh_tridiagonal(d, e, binding=binding, gil=gil, threads=1))


@pytest.mark.parametrize("threads", [2, 3, 8, 64])
@every_gil_mode
@every_binding
def test_a_team_agrees_with_numpy_even_when_larger_than_the_batch(
    binding: str, gil: str, threads: int
) -> None:
    d, e = problems(11, 24)
    for _ in range(20):
        values, vectors = eigh_tridiagonal(d, e, binding=binding, gil=gil, threads=threads)
    assert_solved(d, e, values, vectors)


@pytest.mark.parametrize(("count", "size"), [(0, 5), (0, 1), (1, 1), (7, 1), (1, 2), (5, 2), (1, 100)])
@every_binding
def test_the_smallest_problems_work(binding: str, count: int, size: int) -> None:
    d, e = problems(count, size)
    values, vectors = eigh_tridiagonal(d, e, binding=binding, threads=2)
    assert values.shape == (count, size)
    assert vectors.shape == (count, size, size)
    if count:
        assert_solved(d, e, values, vectors)


@every_binding
def test_column_k_is_the_kth_eigenvector_and_is_contiguous(binding: str) -> None:
    values, vectors = eigh_tridiagonal([[2.0, 0.0]], [[0.0]], binding=binding)
    assert values.tolist() == [[0.0, 2.0]]
    assert np.abs(vectors[0][:, 0]).tolist() == [0.0, 1.0]
    assert np.abs(vectors[0][:, 1]).tolist() == [1.0, 0.0]
    assert vectors[0][:, 0].flags.c_contiguous


@every_binding
def test_any_number_of_threads_gives_the_same_bits(binding: str) -> None:
    d, e = problems(13, 16)
    expected = eigh_tridiagonal(d, e, binding=binding, threads=1)
    for threads in (2, 5):
        actual = eigh_tridiagonal(d, e, binding=binding, threads=threads)
        assert all(np.array_equal(one, other) for one, other in zip(actual, expected))


@every_binding
def test_strided_input_is_solved_as_its_copy_is(binding: str) -> None:
    d, e = problems(6, 20)
    expected = eigh_tridiagonal(d[::2, ::-1].copy(), e[::2, ::-1].copy(), binding=binding)
    actual = eigh_tridiagonal(d[::2, ::-1], e[::2, ::-1], binding=binding)
    assert np.array_equal(actual[0], expected[0])
    in_fortran_order = eigh_tridiagonal(np.asfortranarray(d), np.asfortranarray(e), binding=binding)
    assert_solved(d, e, *in_fortran_order)


@every_gil_mode
@every_binding
def test_input_is_left_as_it_was(binding: str, gil: str) -> None:
    d, e = problems(4, 10)
    before = d.copy(), e.copy()
    eigh_tridiagonal(d, e, binding=binding, gil=gil, threads=1)
    assert np.array_equal(d, before[0])
    assert np.array_equal(e, before[1])


def test_read_only_input_works() -> None:
    d, e = problems(4, 10)
    d.flags.writeable = e.flags.writeable = False
    assert_solved(d, e, *eigh_tridiagonal(d, e))


def test_extreme_scales_work() -> None:
    for scale in (1e-300, 1e300):
        values, _ = eigh_tridiagonal([[scale, scale]], [[scale / 2]])
        np.testing.assert_allclose(values, [[scale / 2, scale * 1.5]], rtol=1e-14)


@every_binding
def test_python_threads_may_call_at_the_same_time_with_the_gil_released(binding: str) -> None:
    inputs = [problems(20, 12 + index) for index in range(8)]
    with ThreadPoolExecutor(4) as pool:
        outputs = list(pool.map(lambda de: eigh_tridiagonal(*de, binding=binding, threads=2), inputs * 4))
    for (d, e), output in zip(inputs * 4, outputs):
        assert_solved(d, e, *output)
