"""A team of Python threads: each takes the next chunk of a batch until none is left."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from lapack_kernels.chunk import Chunk

if TYPE_CHECKING:
    from lapack_kernels.batch import Batch
    from lapack_kernels.chunk import SolveChunk


def solve_in_team(batch: Batch, solve_chunk: SolveChunk, *, chunk: int) -> None:
    """Solve a batch in `batch.threads` Python threads, the calling one too, `chunk` problems at a time.

    The threads live as long as the call, since starting one takes 50 µs and a kept one is lost in a fork.
    Whatever a thread raises, all of them have ended when this raises it.
    """
    starts = iter(range(0, batch.count, chunk))
    hand_out = threading.Lock()
    stop = threading.Event()

    def work(thread: int) -> None:
        try:
            while not stop.is_set():
                with hand_out:
                    begin = next(starts, None)
                if begin is None:
                    return
                failures = solve_chunk(Chunk.of(batch, begin, begin + chunk))
                for row, info in failures.items():
                    batch.fail(begin + row, info, thread)
        except BaseException:
            stop.set()
            raise

    if batch.threads == 1:
        work(0)
        return
    with ThreadPoolExecutor(batch.threads - 1, "lapack-kernels") as pool:
        others = [pool.submit(work, thread) for thread in range(1, batch.threads)]
        try:
            work(0)
            for other in others:
                other.result()
        except BaseException:
            stop.set()  # Ctrl-C reaches the calling thread alone
            raise
