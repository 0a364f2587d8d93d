"""Every binding, with every driver and any number of threads, agrees with NumPy's dense solver."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from lapack_kernels import eigh_tridiagonal, eigvalsh_tridiagonal
from lapack_kernels.probe import errors_eps_n, limits, value_errors

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

every_dtype = pytest.mark.parametrize("dtype", ["float64", "float32"])


def problems(count: int, size: int, dtype: str = "float64") -> tuple[Array, Array]:
    rng = np.random.default_rng(count + size)
    return (
        rng.standard_normal((count, size)).astype(dtype),
        rng.standard_normal((count, size - 1)).astype(dtype),
    )


def dense(d: Array, e: Array) -> Array:
    return np.stack([np.diag(row) + np.diag(off, 1) + np.diag(off, -1) for row, off in zip(d, e)])


def assert_values(d: Array, e: Array, values: Array) -> None:
    assert values.dtype == d.dtype
    expected = np.linalg.eigvalsh(dense(d.astype(float), e.astype(float)))
    atol = 450 * np.finfo(d.dtype).eps * d.shape[1]
    np.testing.assert_allclose(values, expected, rtol=0, atol=atol)
    assert not any(value_errors(d, e, values).values())


def assert_solved(d: Array, e: Array, values: Array, vectors: Array, driver: str = "auto") -> None:
    assert_values(d, e, values)
    assert vectors.dtype == d.dtype
    at_most = limits(driver)
    errors = errors_eps_n(d, e, values, vectors)
    assert {name: error for name, error in errors.items() if error > at_most[name]} == {}


@pytest.mark.parametrize("size", [1, 2, 24, 60])
@every_dtype
def test_every_driver_agrees_with_numpy(binding: str, driver: str, dtype: str, size: int) -> None:
    d, e = problems(9, size, dtype)
    assert_solved(d, e, *eigh_tridiagonal(d, e, binding=binding, driver=driver, threads=2), driver=driver)


@every_dtype
def test_values_alone_agree_with_numpy_too(binding: str, driver: str, dtype: str) -> None:
    d, e = problems(9, 40, dtype)
    assert_values(d, e, eigvalsh_tridiagonal(d, e, binding=binding, driver=driver, threads=2))


def test_one_thread_agrees_with_numpy(binding: str, gil: str) -> None:
    d, e = problems(8, 24)
    assert_solved(d, e, *eigh_tridiagonal(d, e, binding=binding, gil=gil, threads=1))


@pytest.mark.parametrize("threads", [2, 3, 8, 64])
def test_a_team_agrees_with_numpy_even_when_larger_than_the_batch(
    native: str, gil: str, threads: int
) -> None:
    d, e = problems(11, 24)
    for _ in range(20):
        values, vectors = eigh_tridiagonal(d, e, binding=native, gil=gil, threads=threads)
    assert_solved(d, e, values, vectors)


@pytest.mark.parametrize(("count", "size"), [(0, 5), (0, 1), (1, 1), (7, 1), (1, 2), (5, 2), (1, 100)])
def test_the_smallest_problems_work(binding: str, count: int, size: int) -> None:
    d, e = problems(count, size)
    values, vectors = eigh_tridiagonal(d, e, binding=binding, threads=2)
    assert values.shape == (count, size)
    assert vectors.shape == (count, size, size)
    assert eigvalsh_tridiagonal(d, e, binding=binding, threads=2).shape == (count, size)
    if count:
        assert_solved(d, e, values, vectors)


def test_column_k_is_the_kth_eigenvector_and_is_contiguous(binding: str) -> None:
    values, vectors = eigh_tridiagonal([[2.0, 0.0]], [[0.0]], binding=binding)
    assert values.tolist() == [[0.0, 2.0]]
    assert np.abs(vectors[0][:, 0]).tolist() == [0.0, 1.0]
    assert np.abs(vectors[0][:, 1]).tolist() == [1.0, 0.0]
    assert vectors[0][:, 0].flags.c_contiguous


@pytest.mark.parametrize("size", [16, 40])
def test_any_number_of_threads_gives_the_same_bits(binding: str, size: int) -> None:
    d, e = problems(13, size)
    expected = eigh_tridiagonal(d, e, binding=binding, threads=1)
    for threads in (2, 5):
        actual = eigh_tridiagonal(d, e, binding=binding, threads=threads)
        assert all(np.array_equal(one, other) for one, other in zip(actual, expected))


def with_strides(array: Array) -> dict[str, Array]:
    """Return the same values laid out in other ways."""
    count, size = array.shape
    spread = np.zeros((3 * count, 2 * size), array.dtype)[::3, ::2]
    backwards = np.empty_like(array)[::-1, ::-1]
    unaligned = (
        np.frombuffer(bytearray(array.nbytes + 1), np.uint8)[1:].view(array.dtype).reshape(array.shape)
    )
    for layout in (spread, backwards, unaligned):
        layout[...] = array
    return {
        "spread": spread,
        "backwards": backwards,
        "unaligned": unaligned,
        "in Fortran order": np.asfortranarray(array),
    }


@every_dtype
def test_input_of_any_strides_is_solved_as_its_copy_is(binding: str, dtype: str) -> None:
    d, e = problems(6, 20, dtype)
    expected = eigh_tridiagonal(d, e, binding=binding)
    laid_out = zip(with_strides(d).items(), with_strides(e).values())
    for (name, d_laid_out), e_laid_out in laid_out:
        actual = eigh_tridiagonal(d_laid_out, e_laid_out, binding=binding, threads=2)
        assert all(np.array_equal(one, other) for one, other in zip(actual, expected)), name


def test_one_row_may_stand_for_all_problems(binding: str) -> None:
    d, e = problems(1, 20)
    values, _ = eigh_tridiagonal(np.broadcast_to(d, (5, 20)), np.broadcast_to(e, (5, 19)), binding=binding)
    assert all(np.array_equal(row, values[0]) for row in values)


def test_input_is_left_as_it_was(binding: str, driver: str) -> None:
    d, e = problems(4, 30)
    before = d.copy(), e.copy()
    eigh_tridiagonal(d, e, binding=binding, driver=driver, threads=2)
    eigvalsh_tridiagonal(d, e, binding=binding, driver=driver, threads=2)
    assert np.array_equal(d, before[0])
    assert np.array_equal(e, before[1])


def test_read_only_input_works(binding: str) -> None:
    d, e = problems(4, 10)
    d.flags.writeable = e.flags.writeable = False
    assert_solved(d, e, *eigh_tridiagonal(d, e, binding=binding))


def test_extreme_scales_work(binding: str, driver: str) -> None:
    for scale in (1e-300, 1e300):
        values, _ = eigh_tridiagonal([[scale, scale]], [[scale / 2]], binding=binding, driver=driver)
        np.testing.assert_allclose(values, [[scale / 2, scale * 1.5]], rtol=1e-14)


@every_dtype
def test_eigenvalues_beyond_the_type_are_infinite_without_a_warning(binding: str, dtype: str) -> None:
    largest = np.finfo(dtype).max
    d, e = np.full((2, 2), largest, dtype), np.full((2, 1), largest, dtype)
    values, _ = eigh_tridiagonal(d, e, binding=binding, threads=2)
    assert values[:, 1].tolist() == [np.inf, np.inf]


def test_python_threads_may_call_at_the_same_time_with_the_gil_released(binding: str) -> None:
    inputs = [problems(20, 12 + 6 * index) for index in range(6)]
    with ThreadPoolExecutor(4) as pool:
        outputs = list(pool.map(lambda de: eigh_tridiagonal(*de, binding=binding, threads=2), inputs * 2))
    for (d, e), output in zip(inputs * 2, outputs):
        assert_solved(d, e, *output)
