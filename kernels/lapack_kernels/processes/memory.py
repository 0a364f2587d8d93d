"""A batch in shared memory, where every worker finds it by its name."""

from __future__ import annotations

import mmap
import os
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lapack_kernels.chunk import Chunk

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from lapack_kernels.batch import Batch

FOLDER = Path("/dev/shm")  # noqa: S108 (no place for temporary files: where shm_open(3) has its names)


@dataclass(frozen=True)
class Place:
    """Where a batch lies, and its shape: all that a worker must know of it."""

    name: str
    dtype: str
    count: int
    size: int
    wants_vectors: bool

    def open(self, begin: int = 0, end: int | None = None) -> Chunk:
        """Return the problems from `begin` to before `end`, as views of the shared memory.

        It stays mapped as long as one of them lives. This is not `SharedMemory(name)`: that cannot be closed
        while there are views, and up to Python 3.12 it has the resource tracker unlink what it only opened
        (python/cpython#82300).
        """
        with (FOLDER / self.name).open("r+b") as file:
            memory = mmap.mmap(file.fileno(), 0)
        arrays: list[npt.NDArray[Any]] = []
        offset = 0
        for shape in self._shapes():
            whole = np.ndarray(shape, self.dtype, memory, offset)
            arrays.append(whole[begin:end])
            offset += whole.nbytes
        return Chunk(arrays[0], arrays[1], arrays[2], arrays[3] if self.wants_vectors else None)

    @property
    def nbytes(self) -> int:
        """How many bytes the batch takes."""
        return sum(int(np.prod(shape)) for shape in self._shapes()) * np.dtype(self.dtype).itemsize

    def _shapes(self) -> list[tuple[int, ...]]:
        rows = (self.count, self.size)
        shapes: list[tuple[int, ...]] = [rows, (self.count, self.size - 1), rows]
        return [*shapes, (*rows, self.size)] if self.wants_vectors else shapes


@contextmanager
def shared(batch: Batch) -> Iterator[Place]:
    """Copy the inputs of `batch` into shared memory, and its solutions out of it if nothing is raised.

    Raises
    ------
    MemoryError
        If they do not fit into /dev/shm. Taken page by page they would end the process with SIGBUS.

    """
    place = Place("", batch.dtype.str, batch.count, batch.size, batch.wants_vectors)
    segment = SharedMemory(create=True, size=place.nbytes)
    try:
        segment.close()  # its own mapping, which nobody needs
        place = replace(place, name=segment.name)
        _take_pages(place)
        whole = place.open()
        whole.diagonals[:] = batch.diagonals
        whole.off_diagonals[:] = batch.off_diagonals
        yield place
        batch.eigenvalues[:] = whole.eigenvalues
        if batch.vectors is not None:
            batch.vectors[:] = whole.vectors
    finally:
        segment.unlink()


def _take_pages(place: Place) -> None:
    with (FOLDER / place.name).open("r+b") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, place.nbytes)
        except OSError as error:
            raise MemoryError(
                f"{place.nbytes} bytes of shared memory do not fit into {FOLDER}: {error}"
            ) from error
