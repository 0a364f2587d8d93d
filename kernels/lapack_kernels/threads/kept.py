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


def in_team(work: Callable[[int, threading.Event], None], threads: int) -> None:
    """Call `work(0, stop)` in this thread and `work(1, stop)` to `threads - 1` in others, at the same time.

    It raises what the first of them raised, this thread before the others, when all have returned. Then, and
    when Ctrl-C comes, `stop` is set: who sees it is to return soon.
    """
    stop = threading.Event()
    ended: list[None] = []
    raised: list[BaseException] = []
    wake: SimpleQueue[None] = SimpleQueue()

    def attempt(thread: int) -> None:
        try:
            work(thread, stop)
        except BaseException as error:  # noqa: BLE001 (for the caller)
            stop.set()
            raised.append(error)

    def end() -> None:
        ended.append(None)
        wake.put(None)

    told = 0
    try:
        try:
            for thread in range(1, threads):
                _free_one().tell(partial(attempt, thread), end)
                told += 1
            work(0, stop)
        except BaseException:
            stop.set()
            raise
        finally:
            _wait_for(ended, told, wake, stop)
        if raised:
            raise raised[0]
    finally:
        raised.clear()  # or errors and their frames refer to each other, and keep the batch


def _wait_for(ended: list[None], told: int, wake: SimpleQueue[None], stop: threading.Event) -> None:
    interrupted: BaseException | None = None
    # Counted by what has ended, since Ctrl-C may come between taking from the queue and counting that.
    while len(ended) < told:
        try:
            wake.get()
        except BaseException as error:  # noqa: BLE001, PERF203 (raised below)
            stop.set()
            interrupted = error
    try:
        if interrupted is not None:
            raise interrupted
    finally:
        del interrupted  # as in `in_team`


class _Kept:
    """A thread that does what it is told, and then waits to be told the next.

    It is free before its caller learns that it is done, so that the caller's next call finds it. One of
    `ThreadPoolExecutor` may not be: then that starts one more, and has 1024 in the end.
    """

    def __init__(self) -> None:
        self._told: SimpleQueue[tuple[Callable[[], None], Callable[[], None]]] = SimpleQueue()
        threading.Thread(target=self._run, name="lapack-kernels", daemon=True).start()

    def tell(self, work: Callable[[], None], end: Callable[[], None]) -> None:
        """Have it work, which must not raise, and then call `end`."""
        self._told.put((work, end))

    def _run(self) -> None:
        while True:
            work, end = self._told.get()
            work()
            _free.append(self)
            end()
            del work, end  # what they refer to is not to live until the next call


_free: list[_Kept] = []

# They are not there in a child of a fork, which would wait for them forever.
os.register_at_fork(after_in_child=_free.clear)


def _free_one() -> _Kept:
    try:
        return _free.pop()
    except IndexError:
        return _Kept()
