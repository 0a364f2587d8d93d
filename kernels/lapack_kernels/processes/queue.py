"""Workers that take their tasks from one `multiprocessing.Queue`, and put their answers into another."""

from __future__ import annotations

from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any

from lapack_kernels.processes import worker
from lapack_kernels.processes.crew import Kept, died
from lapack_kernels.processes.start import Workers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapack_kernels.batch import Batch, Failure
    from lapack_kernels.processes.worker import Task


def solve(batch: Batch, *, gil: str) -> None:
    """Solve the batch in `batch.threads` processes; `gil` is "released", since each has its own."""
    del gil
    _kept.solve(batch)


class QueueCrew:
    """Any worker takes any task; one that dies may hold a lock of the queues, and all others wait for that."""

    def __init__(self) -> None:
        self._workers = Workers()
        # A thread of its own writes into a `Queue`. Were the tasks in a `SimpleQueue` too, the parent could wait for
        # the workers to take one, while they wait for the parent to take their answers.
        self._tasks: Any = self._workers.Queue()
        self._answers: Any = self._workers.SimpleQueue()

    def prepare(self, workers: int) -> bool:
        """Start what is missing to `workers`; False if one has ended."""
        if self._workers.have_died():
            return False
        while self._workers.count < workers:
            self._workers.start(_work, self._tasks, self._answers)
        return True

    def run(self, tasks: Iterator[Task], workers: int) -> Iterator[Failure | None]:
        """Keep two tasks out for each worker; if this call may not have them all, one for each it may have."""
        most = 2 * workers if workers == self._workers.count else workers
        out = 0
        for task in tasks:
            if out == most:
                yield self._next()
                out -= 1
            self._tasks.put(task)
            out += 1
        for _ in range(out):
            yield self._next()

    def end(self) -> None:
        """Kill the workers, and leave what is in the queues."""
        self._workers.kill()
        self._tasks.cancel_join_thread()
        self._tasks.close()
        self._answers.close()

    def _next(self) -> Failure | None:
        # As concurrent.futures does it, to wait for an answer and for a death at once.
        reader = self._answers._reader  # noqa: SLF001
        if reader not in wait([reader, *self._workers.sentinels]):
            raise died(self._workers.exit_code())
        return worker.failure_of(self._answers.get())


def _work(tasks: Any, answers: Any) -> None:
    worker.begin_work()
    while True:
        answers.put(worker.answer(tasks.get()))


_kept = Kept(QueueCrew)
