"""What a worker process does: it solves the chunks it is told of, until its parent ends."""

from __future__ import annotations

import fcntl
import os
import signal
from dataclasses import dataclass
from multiprocessing import parent_process
from typing import TYPE_CHECKING

from threadpoolctl import threadpool_limits

from lapack_kernels.batch import Failure
from lapack_kernels.through_scipy import solve_chunk

if TYPE_CHECKING:
    from typing import Union

    from lapack_kernels.processes.memory import Place

    Answer = Union[Failure, Exception, None]


@dataclass(frozen=True)
class Task:
    """The problems of a batch from `begin` to before `end`, to be solved."""

    place: Place
    begin: int
    end: int


def begin_work() -> None:
    """Make this process a worker: it leaves Ctrl-C to its parent, ends with it, and gives BLAS one thread."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _end_with_parent()
    threadpool_limits(1, user_api="blas")


def _end_with_parent() -> None:
    """Have the kernel end this process when its parent has ended, whatever either was doing.

    A worker that waits for a queue meets no end of file, since each holds the other end of it too; and no
    thread of Python's runs while SciPy holds the GIL for a large problem. So it is SIGIO, fcntl(2): the
    kernel sends it when the other end of a pipe is closed, and whom it is sent to ends.
    """
    parent = parent_process()
    if parent is None:
        return
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(parent.sentinel, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(parent.sentinel, fcntl.F_SETFL, fcntl.fcntl(parent.sentinel, fcntl.F_GETFL) | os.O_ASYNC)
    if not parent.is_alive():  # before there was a signal
        os._exit(1)


def solve(task: Task) -> Failure | None:
    """Solve the task's problems where they lie; returns which failed, in the batch's numbering."""
    failures = solve_chunk(task.place.open(task.begin, task.end))
    if not failures:
        return None
    first = min(failures)
    # Of one size however many failed: 4096 bytes at most are written to a pipe whole or not at all, pipe(7).
    return Failure(task.begin + first, failures[first], len(failures))


def answer(task: Task) -> Answer:
    """Solve the task's problems; an exception is an answer too."""
    try:
        return solve(task)
    except Exception as error:  # noqa: BLE001 (raised in the parent)
        return error


def failure_of(answer: Answer) -> Failure | None:
    """Return what a task came to, or raise, in the parent, what it raised."""
    if isinstance(answer, Exception):
        raise answer
    return answer
