"""How worker processes start and end. They are forked by a server that has imported what they need.

fork() itself is no choice: the child of a process with OpenMP threads has none of them, and hangs in its
first loop. A spawned worker imports NumPy and SciPy for 0.7 s; the server has done so, and forks it in 10 ms.
"""

from __future__ import annotations

import os
import sys
import threading
from contextlib import contextmanager
from multiprocessing.context import ForkServerContext, ForkServerProcess
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class WorkerProcess(ForkServerProcess):
    """A process that does not run the program's main module again, which it does not need.

    A script without `if __name__ == "__main__"` would start workers in each worker.
    """

    def start(self) -> None:
        """Start it; it knows no main module but an empty one.

        Raises
        ------
        RuntimeError
            If this process was forked from one that had started workers.

        """
        try:
            with _main_module_hidden():
                super().start()
        except ChildProcessError as error:  # of waitpid() for the server
            raise RuntimeError(
                "a forked process cannot start workers: their server is its parent's"
            ) from error


class Workers(ForkServerContext):
    """The processes that were started in this context.

    They end with the program: multiprocessing sees to that if it exits, `worker.begin_work` if it is killed.
    If it has forked, though, a child that lives on holds what the workers know their parent by, and they live
    as long as that child.
    """

    def __init__(self) -> None:
        super().__init__()
        self._processes: list[WorkerProcess] = []
        # There is one server for the whole program. One that runs already does not take note of this, and
        # workers import for themselves; one that is started later preloads this, not what the program set.
        self.set_forkserver_preload(["lapack_kernels.processes.worker"])

    def Process(self, *arguments: Any, **keywords: Any) -> WorkerProcess:  # type: ignore[override]  # noqa: N802
        """Make one, for `concurrent.futures` too."""
        process = WorkerProcess(*arguments, **keywords)
        self._processes.append(process)
        return process

    def start(self, target: Callable[..., None], *arguments: Any) -> WorkerProcess:
        """Start a worker that calls `target`."""
        process = self.Process(target=target, args=arguments, daemon=True)
        process.start()
        return process

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._processes)

    @property
    def sentinels(self) -> list[int]:
        """For `multiprocessing.connection.wait`: one gets ready when a worker ends."""
        return [process.sentinel for process in self.started()]

    def have_died(self) -> bool:
        """Whether one of them has ended."""
        return any(process.exitcode is not None for process in self.started())

    def kill(self) -> None:
        """End all: what they have in hand is memory that nobody will look at."""
        for process in self.started():
            process.kill()
        for process in self.started():
            process.join()

    def exit_code(self) -> int | None:
        """Return the exit code of one that has ended, -9 where signal 9 did it; None if none has."""
        codes = (process.exitcode for process in self.started())
        return next((code for code in codes if code is not None), None)

    def started(self) -> list[WorkerProcess]:
        """Return those that have been started, ended or not."""
        return [process for process in self._processes if process.pid is not None]


_lock = threading.Lock()
_hidden: list[ModuleType] = []


@contextmanager
def _main_module_hidden() -> Iterator[None]:
    """Hide it from multiprocessing; for these milliseconds, from all other threads of the program as well."""
    with _lock:
        _hidden.append(sys.modules["__main__"])
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            yield
        finally:
            sys.modules["__main__"] = _hidden[0]
            _hidden.clear()  # last: a fork between the two finds it


def _forked() -> None:
    """Another thread than the one that forked may have held the lock, and hidden the main module."""
    global _lock  # noqa: PLW0603
    _lock = threading.Lock()
    if _hidden:
        sys.modules["__main__"] = _hidden.pop()


os.register_at_fork(after_in_child=_forked)
