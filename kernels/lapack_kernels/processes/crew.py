"""The workers of one binding, kept from call to call, and a batch cut into tasks for them."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Protocol

from lapack_kernels.processes.memory import shared
from lapack_kernels.processes.worker import Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lapack_kernels.batch import Batch, Failure
    from lapack_kernels.processes.memory import Place

TASKS_PER_WORKER = 4
"""With four, a worker that is late is waited for during a quarter of a share at most. Each costs 0.2 ms with
a pipe or a queue, and 0.4 ms with a pool."""


class Crew(Protocol):
    """Some worker processes, and a way to reach them."""

    def prepare(self, workers: int) -> bool:
        """Have at least that many workers, started if need be; False if one that there was has ended."""

    def run(self, tasks: Iterator[Task], workers: int) -> Iterator[Failure | None]:
        """Have `workers` of them solve the tasks, and yield what each task came to.

        Raises
        ------
        RuntimeError
            If a worker dies.

        """

    def end(self) -> None:
        """End all workers, whatever they do."""


class Kept:
    """The crew of one binding, for one call at a time: those of other threads wait for their turn.

    It starts when it is first needed. It ends when a call raises anything, since answers may be on their way
    that nobody waits for any more; the next call starts another.
    """

    def __init__(self, make: Callable[[], Crew]) -> None:
        self._make = make
        self.crew: Crew | None = None
        self._inherited: Crew | None = None
        self._turn = threading.Lock()
        os.register_at_fork(after_in_child=self._forked)

    def solve(self, batch: Batch, *, gil: str) -> None:
        """Solve the batch with as many workers as it has threads; `gil` is "released": each has its own."""
        del gil
        if batch.count == 0:
            return
        with self._turn, shared(batch) as place:
            try:
                for failure in self._ready(batch.threads).run(tasks(batch, place), batch.threads):
                    if failure is not None:
                        batch.fail(failure.index, failure.info, count=failure.count)
            except BaseException:
                self._end()
                raise

    def _ready(self, workers: int) -> Crew:
        if self.crew is not None and not self.crew.prepare(workers):
            self._end()
        if self.crew is None:
            self.crew = self._make()
            self.crew.prepare(workers)
        return self.crew

    def _end(self) -> None:
        crew, self.crew = self.crew, None
        if crew is not None:
            crew.end()

    def _forked(self) -> None:
        """Leave the workers to the parent: no call from here may reach them, and no destructor."""
        if self.crew is not None:  # in a grandchild there is none, and what its parent kept stays kept
            self._inherited, self.crew = self.crew, None
        self._turn = threading.Lock()


def tasks(batch: Batch, place: Place) -> Iterator[Task]:
    """Cut the batch into tasks."""
    length = max(1, batch.count // (batch.threads * TASKS_PER_WORKER))
    for begin in range(0, batch.count, length):
        yield Task(place, begin, min(begin + length, batch.count))


def died(exit_code: int | None = None) -> RuntimeError:
    """Return the error for a worker that died during a call."""
    how = "" if exit_code is None else f" (exit code {exit_code})"
    return RuntimeError(f"a worker process died during the call{how}; the next call starts new ones")
