"""The loop of `callback` behind pybind11, with what C++ can do with the GIL: right, hung, and wrong.

It shows what pybind11, Python and a C compiler's assertions each find of that, and what none of them does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import lapack_kernels._pybind11 as native
from lapack_kernels.bindings import CheckFailedError

if TYPE_CHECKING:
    from lapack_kernels.batch import Batch


def solve(batch: Batch, *, gil: str) -> None:
    """Solve the batch in place.

    Parameters
    ----------
    batch : Batch
        What to solve.
    gil : str
        What happens to the GIL.

        - held: nothing; pybind11 calls a function with the GIL held.
        - released: the function releases it around the loop.
        - call-guard: the same, by `py::call_guard`.
        - reacquired: released, and taken after each chunk, to report progress to a Python object.
        - acquired: as `reacquired`, but it was not released. Wrong: hangs with more than one thread.
        - touched: as `reacquired`, but it is not taken. Wrong: makes Python objects that are not its to make.
        - counted: released, and the loop takes and drops references to one object. Wrong, and mostly hidden.

    Raises
    ------
    CheckFailedError
        If what was reported is not what was solved, or references were lost.
    RuntimeError
        With `counted`, where pybind11 asserts that the GIL is held.

    """
    if gil == "counted":
        _solve_counted(batch)
    elif gil in ("reacquired", "acquired", "touched"):
        _solve_and_report(batch, gil)
    else:
        _SOLVERS[gil](batch.address)


_SOLVERS = {
    "held": native.solve_held,
    "released": native.solve_released,
    "call-guard": native.solve_call_guard,
}


def _solve_and_report(batch: Batch, gil: str) -> None:
    progress: list[float] = []
    if gil == "reacquired":
        native.solve_reacquired(batch.address, progress.append)
    elif gil == "acquired":
        native.solve_acquired(batch.address, progress.append)
    else:
        native.solve_touched(batch.address, progress)
    if sum(progress) != batch.count:
        raise CheckFailedError("progress", f"{sum(progress):g} of {batch.count} problems were reported")


def _solve_counted(batch: Batch) -> None:
    off = native.solve_counted(batch.address, object())
    if off:
        raise CheckFailedError("references", f"{off:+d} after {batch.count} were taken and dropped")
