"""The public function: check the input, have a binding solve it, report what LAPACK reports."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING

import numpy as np

from lapack_kernels import bindings
from lapack_kernels.batch import MAX_THREADS, Batch

if TYPE_CHECKING:
    import numpy.typing as npt


def eigh_tridiagonal(
    d: npt.ArrayLike,
    e: npt.ArrayLike,
    *,
    binding: str = "callback",
    gil: str = "released",
    threads: int = 1,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Solve a batch of symmetric tridiagonal eigenproblems in parallel with LAPACK's `dstev`.

    Parameters
    ----------
    d : (m, n) array_like of float64, any strides
        The diagonals of m matrices of order n >= 1; m may be 0. Copied, never written to.
    e : (m, n - 1) array_like of float64, any strides
        Their off-diagonals. Copied, never written to.
    binding : str
        The way into native code, one of `lapack_kernels.BINDINGS`.
    gil : {"released", "held"}
        Whether the calling thread gives up the GIL around the native loop. With "held", some versions of
        Cython and SciPy deadlock for good: that is what this package is there to show.
    threads : int
        Threads to solve in, 1 to 1024; a batch of m problems uses m at most.

    Returns
    -------
    eigenvalues : (m, n) float64
        Ascending along each row, in the unit of `d` and `e`.
    eigenvectors : (m, n, n) float64
        Orthonormal; `eigenvectors[i][:, k]` belongs to `eigenvalues[i, k]`, as `numpy.linalg.eigh` has it.
        A transposed view of what LAPACK wrote: each single vector is contiguous, the array as a whole is not.

    Raises
    ------
    TypeError
        If `d` or `e` is not float64 in native byte order, or `threads` is not an integer.
    ValueError
        If the shapes do not fit, a value is not finite, the problem is too large for LAPACK or the address
        space, or `threads`, `binding` or `gil` is not among what is accepted.
    MemoryError
        If the solutions do not fit into memory.
    numpy.linalg.LinAlgError
        If LAPACK did not converge: says on which problem first, and the `info` it gave.

    References
    ----------
    LAPACK Users' Guide, `dstev`: https://www.netlib.org/lapack/explore-html/d9/de2/group__stev.html

    """
    solve = bindings.load(binding)
    release_gil = _release_gil(gil)
    team = _thread_count(threads)
    diagonals = _checked_array("d", d)
    off_diagonals = _checked_array("e", e)
    _check_shapes(diagonals.shape, off_diagonals.shape)
    batch = Batch(diagonals, off_diagonals, threads=team)
    _check_finite("d", batch.eigenvalues)
    _check_finite("e", batch.off_diagonals)
    solve(batch, release_gil=release_gil)
    _check_converged(batch.infos)
    return batch.eigenvalues, batch.vectors.transpose(0, 2, 1)


def _release_gil(gil: str) -> bool:
    if gil not in bindings.GIL_MODES:
        raise ValueError(f"unknown gil mode {gil!r}; expected one of {', '.join(bindings.GIL_MODES)}")
    return gil == "released"


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


def _checked_array(name: str, values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    array = np.asarray(values)
    if array.dtype != np.float64:
        raise TypeError(
            f"{name} must be float64 in native byte order, not {array.dtype.str} ({array.dtype.name})"
        )
    return array


def _check_shapes(d: tuple[int, ...], e: tuple[int, ...]) -> None:
    if len(d) != 2 or d[1] < 1:  # noqa: PLR2004 (a batch of vectors)
        raise ValueError(f"d must have shape (m, n) with n >= 1, not {d}")
    expected = (d[0], d[1] - 1)
    if e != expected:
        raise ValueError(f"e must have shape {expected} to fit d of shape {d}, not {e}")


def _check_finite(name: str, array: npt.NDArray[np.float64]) -> None:
    bad = np.flatnonzero(~np.isfinite(array).all(axis=1))
    if bad.size:
        raise ValueError(
            f"{name} must be finite, but problem {bad[0]} has a NaN or an infinity ({bad.size} such in all)"
        )


def _check_converged(infos: npt.NDArray[np.int32]) -> None:
    failed = np.flatnonzero(infos)
    if failed.size:
        first = failed[0]
        raise np.linalg.LinAlgError(
            f"LAPACK dstev did not converge on problem {first}: info = {infos[first]} "
            f"({failed.size} of {infos.size} problems failed)"
        )
