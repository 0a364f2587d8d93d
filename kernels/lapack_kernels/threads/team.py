"""A team of Python threads: each takes the next chunk of a batch until none is left."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from lapack_kernels.chunk import Chunk
from lapack_kernels.threads.kept import in_team

if TYPE_CHECKING:
    from lapack_kernels.batch import Batch
    from lapack_kernels.chunk import SolveChunk


def solve_in_team(batch: Batch, solve_chunk: SolveChunk, *, chunk: int) -> None:
    """Solve a batch in `batch.threads` Python threads, the calling one too, `chunk` problems at a time.

    What one of them raises, this raises once none of them works any more.
    """
    starts = iter(range(0, batch.count, chunk))
    hand_out = threading.Lock()

    def work(thread: int, stop: threading.Event) -> None:
        while not stop.is_set():
            with hand_out:
                begin = next(starts, None)
            if begin is None:
                return
            failures = solve_chunk(Chunk.of(batch, begin, begin + chunk))
            for row, info in failures.items():
                batch.fail(begin + row, info, thread)

    in_team(work, batch.threads)
