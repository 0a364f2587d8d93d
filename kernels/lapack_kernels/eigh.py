"""The public functions: check the input, have a binding solve it, report what LAPACK reports."""

from __future__ import annotations

import operator
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np

from lapack_kernels import bindings, drivers, openmp
from lapack_kernels.batch import MAX_THREADS, NOT_FINITE_D, NOT_FINITE_E, Batch

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import numpy.typing as npt

    Array = npt.NDArray[Any]


def eigh_tridiagonal(
    d: npt.ArrayLike,
    e: npt.ArrayLike,
    *,
    binding: str = "pointer",
    gil: str = "released",
    threads: int = 1,
    driver: str = "auto",
) -> tuple[Array, Array]:
    """Solve a batch of symmetric tridiagonal eigenproblems in parallel with LAPACK.

    Parameters
    ----------
    d : (m, n) array_like of float64 or float32, any strides
        The diagonals of m matrices of order n >= 1; m may be 0. Never written to, and copied as a
        whole by none but the `processes-*`, which share memory.
    e : (m, n - 1) array_like, of the type of `d`, any strides
        Their off-diagonals, taken as `d` is.
    binding : str
        The way into parallel code, one of `lapack_kernels.BINDINGS`.
    gil : str
        What the binding does with the GIL: "released", "held", or what else `BINDINGS[binding].gil_modes`
        has. With "held", some versions of Cython and SciPy deadlock for good: that is what this package is
        there to show.
    threads : int
        Threads to solve in, 1 to 1024; a batch of m problems uses m at most.
    driver : str
        LAPACK's driver, one of `BINDINGS[binding].drivers`: "stev", "stevd", "stevr", or "auto" for the one
        that is fastest at this order.

    Returns
    -------
    eigenvalues : (m, n) array of the type of `d`
        Ascending along each row, in the unit of `d` and `e`.
    eigenvectors : (m, n, n) array of the type of `d`
        Orthonormal; `eigenvectors[i][:, k]` belongs to `eigenvalues[i, k]`, as `numpy.linalg.eigh` has it.
        A transposed view of what LAPACK wrote: each single vector is contiguous, the array as a whole is not.

    Raises
    ------
    TypeError
        If `d` and `e` are not both float64 or both float32 in native byte order, or `threads` is not an
        integer.
    ValueError
        If the shapes do not fit, a value is not finite, the problem is too large for LAPACK or the address
        space, or `threads`, `binding`, `gil` or `driver` is not among what is accepted.
    ImportError
        If the binding was left out of this build.
    MemoryError
        If the solutions do not fit into memory.
    numpy.linalg.LinAlgError
        If LAPACK did not converge: says on which problem first, and the `info` it gave.
    RuntimeError
        If a worker process dies, or this process was forked from one that had worker processes or a team of
        OpenMP's, which are its parent's.
    CheckFailedError
        If a binding found that what it does on purpose has gone wrong: `pybind11` "touched" and "counted".

    References
    ----------
    LAPACK Users' Guide, `dstev`: https://www.netlib.org/lapack/explore-html/d9/de2/group__stev.html

    """
    batch = _solved(d, e, binding, gil=gil, threads=threads, driver=driver, wants_vectors=True)
    assert batch.vectors is not None  # noqa: S101 (for the type checker)
    return batch.eigenvalues, batch.vectors.transpose(0, 2, 1)


def eigvalsh_tridiagonal(
    d: npt.ArrayLike,
    e: npt.ArrayLike,
    *,
    binding: str = "pointer",
    gil: str = "released",
    threads: int = 1,
    driver: str = "auto",
) -> Array:
    """Compute the eigenvalues alone: parameters, errors and the result are those of `eigh_tridiagonal`.

    Returns
    -------
    eigenvalues : (m, n) array of the type of `d`
        Ascending along each row, in the unit of `d` and `e`.

    """
    batch = _solved(d, e, binding, gil=gil, threads=threads, driver=driver, wants_vectors=False)
    return batch.eigenvalues


def _solved(
    d: npt.ArrayLike,
    e: npt.ArrayLike,
    binding: str,
    *,
    gil: str,
    threads: int,
    driver: str,
    wants_vectors: bool,
) -> Batch:
    solve = bindings.load(binding)
    able = bindings.BINDINGS[binding]
    if gil not in able.gil_modes:
        raise ValueError(
            f"unknown gil mode {gil!r} of {binding}; expected one of {', '.join(able.gil_modes)}"
        )
    if driver not in able.drivers:
        raise ValueError(f"unknown driver {driver!r} of {binding}; expected one of {', '.join(able.drivers)}")
    team = _thread_count(threads)
    diagonals = np.asarray(d)
    off_diagonals = np.asarray(e)
    _check_dtypes(diagonals, off_diagonals)
    _check_shapes(diagonals.shape, off_diagonals.shape)
    size = diagonals.shape[1]
    multiplies = False
    if able.is_native:
        driver = drivers.resolve(driver, size, wants_vectors=wants_vectors)
        multiplies = drivers.uses_blas_3(driver, size, wants_vectors=wants_vectors)
    batch = Batch(diagonals, off_diagonals, threads=team, driver=driver, wants_vectors=wants_vectors)
    if able.has_openmp:
        openmp.begin_team(batch.threads)
    with _blas_at_one_thread() if multiplies else nullcontext():
        solve(batch, gil=gil)
    _check_solved(batch, f"LAPACK's {driver}" if able.is_native else binding)
    return batch


def _blas_at_one_thread() -> AbstractContextManager[None]:
    from lapack_kernels.blas import one_thread  # noqa: PLC0415 (SciPy and threadpoolctl only where they are used)

    return one_thread


def _thread_count(threads: int) -> int:
    if isinstance(threads, bool):
        raise TypeError("threads must be an integer, not bool")
    try:
        count = operator.index(threads)
    except TypeError:
        raise TypeError(f"threads must be an integer, not {type(threads).__name__}") from None
    if not 1 <= count <= MAX_THREADS:
        raise ValueError(f"threads must be 1 to {MAX_THREADS}, not {count}")
    return count


def _check_dtypes(d: Array, e: Array) -> None:
    for name, array in (("d", d), ("e", e)):
        if array.dtype not in (np.float64, np.float32):
            raise TypeError(
                f"{name} must be float64 or float32 in native byte order, "
                f"not {array.dtype.str} ({array.dtype.name})"
            )
    if d.dtype != e.dtype:
        raise TypeError(f"d and e must be of one type, not {d.dtype.name} and {e.dtype.name}")


def _check_shapes(d: tuple[int, ...], e: tuple[int, ...]) -> None:
    if len(d) != 2 or d[1] < 1:  # noqa: PLR2004 (a batch of vectors)
        raise ValueError(f"d must have shape (m, n) with n >= 1, not {d}")
    expected = (d[0], d[1] - 1)
    if e != expected:
        raise ValueError(f"e must have shape {expected} to fit d of shape {d}, not {e}")


def _check_solved(batch: Batch, solver: str) -> None:
    failure = batch.first_failure()
    if failure is None:
        return
    how_many = f"({failure.count} of {batch.count} problems failed)"
    not_finite = {NOT_FINITE_D: "d", NOT_FINITE_E: "e"}.get(failure.info)
    if not_finite:
        raise ValueError(
            f"{not_finite} must be finite, but problem {failure.index} has a NaN or an infinity {how_many}"
        )
    raise np.linalg.LinAlgError(
        f"{solver} did not converge on problem {failure.index}: info = {failure.info} {how_many}"
    )
