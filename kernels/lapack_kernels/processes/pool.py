"""Workers in a `concurrent.futures.ProcessPoolExecutor`, which hands out the tasks.

`multiprocessing.Pool` would wait for ever for what a killed worker had in hand (bpo-22393).
"""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING

from lapack_kernels.processes import worker
from lapack_kernels.processes.crew import Kept, died
from lapack_kernels.processes.start import Workers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapack_kernels.batch import Failure
    from lapack_kernels.processes.worker import Task


class PoolCrew:
    """An executor, which starts its workers when there are tasks, and sees them die."""

    def __init__(self) -> None:
        self.workers = Workers()
        self._size = 0
        self._executor: ProcessPoolExecutor

    def prepare(self, workers: int) -> bool:
        """Make the executor, or a larger one, since it does not grow; False if a worker has ended."""
        if self.workers.have_died():
            return False
        if self._size < workers:
            if self._size:
                self._executor.shutdown()
            self.workers = Workers()
            self._executor = ProcessPoolExecutor(
                workers, mp_context=self.workers, initializer=worker.begin_work
            )
            self._size = workers
        return True

    def run(self, tasks: Iterator[Task], workers: int) -> Iterator[Failure | None]:
        """Keep two tasks out for each worker; one for each, if this call may not have all of them."""
        most = 2 * workers if workers == self._size else workers
        out: set[Future[Failure | None]] = set()
        try:
            for task in tasks:
                if len(out) == most:
                    done, out = wait(out, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in done)
                out.add(self._executor.submit(worker.solve, task))
            yield from (future.result() for future in out)
        except BrokenProcessPool as error:
            raise died() from error

    def end(self) -> None:
        """Kill the workers; it is the executor's thread that sees to the rest."""
        if self._size:
            self._executor.shutdown(wait=False)
        self.workers.kill()


kept = Kept(PoolCrew)
solve = kept.solve
