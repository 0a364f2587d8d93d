"""Processes that targets begin."""

from __future__ import annotations

import os
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LATER_S = 3.0


def begin(run: Callable[[], object]) -> int:
    """Return the id of a forked process that runs this and no more."""
    pid = os.fork()
    if pid == 0:
        try:
            run()
        except BaseException:  # noqa: BLE001 - whatever it is, it goes no further than this process
            sys.excepthook(*sys.exc_info())
            os._exit(1)
        os._exit(0)
    return pid


def ended_well(pid: int) -> bool:
    """Wait for the end of a child."""
    return os.waitpid(pid, 0)[1] == 0


@contextmanager
def child(run: Callable[[], object], after_s: float = LATER_S) -> Iterator[int]:
    """A process that does something later; it is waited for and must end well."""

    def sleep_and_run() -> None:
        time.sleep(after_s)
        run()

    pid = begin(sleep_and_run)
    yield pid
    assert ended_well(pid)
