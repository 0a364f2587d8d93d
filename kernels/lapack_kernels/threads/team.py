"""A team of Python threads: each takes the next chunk of a batch until none is left."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache
from typing import TYPE_CHECKING

from lapack_kernels.batch import MAX_THREADS
from lapack_kernels.chunk import Chunk

if TYPE_CHECKING:
    from concurrent.futures import Future

    from lapack_kernels.batch import Batch
    from lapack_kernels.chunk import SolveChunk


def solve_in_team(batch: Batch, solve_chunk: SolveChunk, *, chunk: int) -> None:
    """Solve a batch in `batch.threads` Python threads, the calling one too, `chunk` problems at a time.

    What one of them raises, this raises once none of them works any more.
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

    others: list[Future[None]] = []
    try:
        others.extend(_kept().submit(work, thread) for thread in range(1, batch.threads))
        work(0)
    except BaseException:
        stop.set()  # Ctrl-C reaches the calling thread alone
        raise
    finally:
        wait(others)
    for other in others:
        other.result()


@cache
def _kept() -> ThreadPoolExecutor:
    """Threads are kept: to start one takes 0.1 ms, and for some ms it may share the CPU of who started it."""
    return ThreadPoolExecutor(MAX_THREADS, "lapack-kernels-team")


# They are not there in a child of a fork, which would wait for them forever.
os.register_at_fork(after_in_child=_kept.cache_clear)
