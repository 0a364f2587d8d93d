"""Python threads that are kept from call to call.

To start one takes 0.1 ms, and for some ms it may share the CPU of who started it.
"""

from __future__ import annotations

import os
import threading
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    Outcomes = SimpleQueue["BaseException | None"]


def in_team(work: Callable[[int], None], threads: int) -> None:
    """Call `work(0)` in this thread and `work(1)` to `work(threads - 1)` in others, all at the same time.

    It raises what the first of them raised, this thread before the others, when all have returned.
    """
    outcomes: Outcomes = SimpleQueue()
    told = 0
    try:
        for thread in range(1, threads):
            _free_one().tell(partial(work, thread), outcomes)
            told += 1
        work(0)
    finally:
        raised = [outcomes.get() for _ in range(told)]
    for error in raised:
        if error is not None:
            raise error


class _Kept:
    """A thread that does what it is told, and then waits to be told the next.

    It is free before its caller learns that it is done, so that the caller's next call finds it. One of
    `ThreadPoolExecutor` may not be: then that starts one more, and has 1024 in the end.
    """

    def __init__(self) -> None:
        self._told: SimpleQueue[tuple[Callable[[], None], Outcomes]] = SimpleQueue()
        threading.Thread(target=self._run, name="lapack-kernels", daemon=True).start()

    def tell(self, work: Callable[[], None], outcomes: Outcomes) -> None:
        """Have it work; `outcomes` gets what that raised, or None."""
        self._told.put((work, outcomes))

    def _run(self) -> None:
        while True:
            work, outcomes = self._told.get()
            raised: BaseException | None = None
            try:
                work()
            except BaseException as error:  # noqa: BLE001 (for the caller)
                raised = error
            _free.append(self)
            outcomes.put(raised)
            del work, outcomes, raised  # what they refer to is not to live until the next call


_free: list[_Kept] = []

# They are not there in a child of a fork, which would wait for them forever.
os.register_at_fork(after_in_child=_free.clear)


def _free_one() -> _Kept:
    try:
        return _free.pop()
    except IndexError:
        return _Kept()
