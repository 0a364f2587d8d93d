"""Workers that take their tasks from one `multiprocessing.Queue`, and put their answers into another."""

from __future__ import annotations

from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any

from lapack_kernels.processes import worker
from lapack_kernels.processes.crew import Kept, died
from lapack_kernels.processes.start import Workers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapack_kernels.batch import Failure
    from lapack_kernels.processes.worker import Task


class QueueCrew:
    """Any worker takes any task. One that dies may hold a lock of the queues, for which all others wait."""

    def __init__(self) -> None:
        self.workers = Workers()
        # A thread of its own writes into a `Queue`. Were this a `SimpleQueue` too, the parent could wait for
        # the workers to take a task, while they wait for it to take their answers.
        self._tasks: Any = self.workers.Queue()
        self._answers: Any = self.workers.SimpleQueue()

    def prepare(self, workers: int) -> bool:
        """Start what is missing to `workers`; False if one has ended."""
        if self.workers.have_died():
            return False
        while self.workers.count < workers:
            self.workers.start(_work, self._tasks, self._answers)
        return True

    def run(self, tasks: Iterator[Task], workers: int) -> Iterator[Failure | None]:
        """Keep two tasks out for each worker; one for each, if this call may not have all of them."""
        most = 2 * workers if workers == self.workers.count else workers
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
        self.workers.kill()
        self._tasks.cancel_join_thread()
        self._tasks.close()
        self._answers.close()

    def _next(self) -> Failure | None:
        # As concurrent.futures does it: to wait for an answer and for a death at once.
        reader = self._answers._reader  # noqa: SLF001
        if reader not in wait([reader, *self.workers.sentinels]):
            raise died(self.workers.exit_code())
        return worker.failure_of(self._answers.get())


def _work(tasks: Any, answers: Any) -> None:
    worker.begin_work()
    while True:
        answers.put(worker.answer(tasks.get()))


kept = Kept(QueueCrew)
solve = kept.solve
