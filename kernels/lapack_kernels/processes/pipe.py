"""Workers that each have a pipe of their own: tasks go down, answers come up."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, cast

from lapack_kernels.processes import worker
from lapack_kernels.processes.crew import Kept, died
from lapack_kernels.processes.start import Workers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

    from lapack_kernels.batch import Failure
    from lapack_kernels.processes.worker import Task


class PipeCrew:
    """A worker that dies closes its end of the pipe, and the parent meets the end of the file."""

    def __init__(self) -> None:
        self.workers = Workers()
        self._pipes: list[Connection] = []

    def prepare(self, workers: int) -> bool:
        """Start what is missing to `workers`; False if one has ended."""
        if self.workers.have_died():
            return False
        while self.workers.count < workers:
            ours, theirs = self.workers.Pipe()
            self._pipes.append(ours)
            with theirs:  # closed here, or there is never an end of file
                self.workers.start(_work, theirs)
        return True

    def run(self, tasks: Iterator[Task], workers: int) -> Iterator[Failure | None]:
        """Give each worker two tasks, so that it never waits for the next, and another for each answer."""
        pipes = self._pipes[:workers]
        out: Counter[Connection] = Counter()

        def send_next(pipe: Connection) -> None:
            task = next(tasks, None)
            if task is not None:
                pipe.send(task)
                out[pipe] += 1

        with self._deaths_told():
            for pipe in [*pipes, *pipes]:
                send_next(pipe)
        while +out:
            for pipe in cast("list[Connection]", wait(+out)):
                with self._deaths_told():
                    answer = pipe.recv()
                    out[pipe] -= 1
                    send_next(pipe)
                yield worker.failure_of(answer)

    @contextmanager
    def _deaths_told(self) -> Iterator[None]:
        try:
            yield
        except (EOFError, ConnectionError):
            wait(self.workers.sentinels)  # the end of its pipe comes before its exit code
            raise died(self.workers.exit_code()) from None

    def end(self) -> None:
        """Kill the workers, and leave what is in the pipes."""
        self.workers.kill()
        for pipe in self._pipes:
            pipe.close()


def _work(pipe: Connection) -> None:
    worker.begin_work()
    while True:
        pipe.send(worker.answer(pipe.recv()))


kept = Kept(PipeCrew)
solve = kept.solve
