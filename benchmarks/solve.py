"""Time and memory of every binding, with the GIL released; a cell leaves out those that it has not built."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from lapack_kernels import BINDINGS, NotBuiltError, eigh_tridiagonal

HEALTHY = [name for name, binding in BINDINGS.items() if "released" in binding.gil_modes]
LARGEST_IN_PYTHON = 2


class _Batch:
    """A batch of tridiagonal problems, each with its vectors and by LAPACK's fastest driver at that order."""

    eigenvalues: ClassVar[int]
    warm_up: ClassVar[int | None]
    """As many problems of it; ``None`` is all, whose pages are then at hand as well."""
    param_names: ClassVar = ["binding", "order", "threads"]
    timeout = 60.0

    def setup(self, binding: str, order: int, threads: int) -> None:
        """Solve some: workers and threads are started by the first call, and kept."""
        if binding == "threads-python" and order > LARGEST_IN_PYTHON:
            raise NotImplementedError("pure Python takes seconds at this order")
        rng = np.random.default_rng(order)
        count = self.eigenvalues // order
        batch = rng.standard_normal((count, order)), rng.standard_normal((count, order - 1))
        self.batch = tuple(part[: self.warm_up] for part in batch)
        try:
            self.solve(binding, threads)
        except NotBuiltError as error:
            raise NotImplementedError(str(error)) from None
        self.batch = batch

    def solve(self, binding: str, threads: int) -> None:
        """Solve the batch."""
        eigh_tridiagonal(*self.batch, binding=binding, gil="released", threads=threads)


class Solve(_Batch):
    """Some milliseconds of work at any order."""

    eigenvalues = 8192
    warm_up = None
    params: ClassVar = (HEALTHY, [2, 16, 128], [1, 2])

    def time_batch(self, binding: str, order: int, threads: int) -> None:
        """Wall time of one call."""
        del order
        self.solve(binding, threads)

    time_batch.pretty_name = "Solve a batch of 8,192 eigenvalues"  # type: ignore[attr-defined]


class Memory(_Batch):
    """A solution of 32 MiB."""

    eigenvalues = 32768
    warm_up = 2
    params: ClassVar = ([name for name in HEALTHY if name != "threads-python"], [128], [2])

    def peakmem_batch(self, binding: str, order: int, threads: int) -> None:
        """Resident memory of the process at its highest."""
        del order
        self.solve(binding, threads)

    peakmem_batch.pretty_name = "Memory with a solution of 32 MiB"  # type: ignore[attr-defined]
