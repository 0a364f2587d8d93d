"""Python threads that solve in pure Python: they take turns at the GIL, and N of them are as fast as one.

The algorithm is QL with implicit shifts: Dubrulle, Martin and Wilkinson, The implicit QL algorithm, Numer.
Math. 12 (1968) 377-383, in EISPACK imtql2. When an off-diagonal element counts as zero is as in Bowdler,
Martin, Reinsch and Wilkinson, The QR and QL algorithms for symmetric matrices, Numer. Math. 11 (1968)
293-306, in EISPACK tql2.
"""

from __future__ import annotations

import sys
from math import copysign, frexp, hypot, inf, ldexp
from typing import TYPE_CHECKING

import numpy as np

from lapack_kernels.threads.team import solve_in_team

if TYPE_CHECKING:
    from lapack_kernels.batch import Batch
    from lapack_kernels.chunk import Chunk

MAX_SWEEPS = 30
"""Sweeps for one eigenvalue, as EISPACK has it; two are usual."""


class NotConvergedError(ArithmeticError):
    """The eigenvalue of this number, counted from 1, was not found in 30 sweeps."""

    def __init__(self, number: int) -> None:
        super().__init__(f"eigenvalue {number} was not found in {MAX_SWEEPS} sweeps")
        self.number = number


def solve(batch: Batch, *, gil: str) -> None:
    """Solve the batch; `gil` is "released", as the interpreter does every 5 ms for the next thread."""
    del gil
    solve_in_team(batch, _solve_chunk, chunk=batch.chunk)


def _solve_chunk(chunk: Chunk) -> dict[int, int]:
    failures = chunk.rows_not_finite()
    for row, (d, e) in enumerate(zip(chunk.diagonals, chunk.off_diagonals)):
        if row in failures:
            continue
        try:
            values, vectors = eigh(d.tolist(), e.tolist(), wants_vectors=chunk.vectors is not None)
        except NotConvergedError as error:
            failures[row] = error.number
            continue
        with np.errstate(over="ignore"):  # an infinity says so too
            chunk.eigenvalues[row] = values
        if chunk.vectors is not None:
            chunk.vectors[row] = vectors
    return failures


def eigh(
    diagonal: list[float], off_diagonal: list[float], *, wants_vectors: bool = True
) -> tuple[list[float], list[list[float]]]:
    """Solve one symmetric tridiagonal eigenproblem of order n >= 1 in pure Python.

    Returns
    -------
    values : list of n floats
        The eigenvalues, ascending.
    vectors : list of n lists of n floats
        Row k is the k-th eigenvector, of length 1; without `wants_vectors` no rows.

    Raises
    ------
    NotConvergedError
        If an eigenvalue was not found; no finite input is known to do that.

    """
    size = len(diagonal)
    # By a power of two, which rounds nothing but what is 2^1022 times smaller than the largest: the squares
    # below neither overflow nor vanish.
    exponent = frexp(max(map(abs, [*diagonal, *off_diagonal])))[1]
    d = [ldexp(value, -exponent) for value in diagonal]
    e = [ldexp(value, -exponent) for value in off_diagonal] + [0.0]
    vectors = [[float(row == k) for k in range(size)] for row in range(size)] if wants_vectors else []
    norm = 0.0
    for first in range(size):
        norm = max(norm, abs(d[first]) + abs(e[first]))
        negligible = sys.float_info.epsilon * norm
        for _ in range(MAX_SWEEPS):
            last = next(k for k in range(first, size) if abs(e[k]) <= negligible)
            if last == first:
                break
            _sweep(d, e, vectors, first, last)
        else:
            raise NotConvergedError(first + 1)
    order = sorted(range(size), key=d.__getitem__)
    return [_scaled(d[k], exponent) for k in order], [vectors[k] for k in order] if wants_vectors else []


def _scaled(value: float, exponent: int) -> float:
    try:
        return ldexp(value, exponent)
    except OverflowError:
        return copysign(inf, value)  # as LAPACK has it


def _sweep(d: list[float], e: list[float], vectors: list[list[float]], first: int, last: int) -> None:
    """Do one QL step with an implicit shift on the rows `first` to `last`, which no zero divides.

    Rotations in the planes (k, k + 1), from the bottom up, chase the bulge that the shift makes.
    """
    half = (d[first + 1] - d[first]) / (2 * e[first])
    shift = d[first] - e[first] / (half + copysign(hypot(half, 1.0), half))
    cosine = sine = 1.0
    carried = 0.0  # what the rotation before took from this diagonal element
    bulge = d[last] - shift
    for k in range(last - 1, first - 1, -1):
        across, below = sine * e[k], cosine * e[k]
        length = hypot(across, bulge)
        e[k + 1] = length
        if length == 0.0:  # the matrix falls apart here
            d[k + 1] -= carried
            break
        sine, cosine = across / length, bulge / length
        rest = d[k + 1] - carried
        turned = (d[k] - rest) * sine + 2 * cosine * below
        carried = sine * turned
        d[k + 1] = rest + carried
        bulge = cosine * turned - below
        if vectors:
            lower, upper = vectors[k], vectors[k + 1]
            vectors[k + 1] = [sine * a + cosine * b for a, b in zip(lower, upper)]
            vectors[k] = [cosine * a - sine * b for a, b in zip(lower, upper)]
    else:
        d[first] -= carried
        e[first] = bulge
    e[last] = 0.0
