"""Whether OpenMP can have a team here: GCC's runtime hangs in the child of a process in which it had one."""

from __future__ import annotations

import os
import threading
from pathlib import Path

_HUNG_AFTER_FORK = "libgomp"
"""Its threads are not there in the child, which waits for them for ever. LLVM's runtime starts over."""


class _State(threading.local):
    """Of each thread: a team is its master's, and the child of a fork goes on from the thread that forked."""

    had_team = False
    is_orphan = False

    def forked(self) -> None:
        self.is_orphan = self.had_team


_state = _State()
os.register_at_fork(after_in_child=_state.forked)


def begin_team(threads: int) -> None:
    """Note that there will be a team of so many threads.

    Raises
    ------
    RuntimeError
        If it would hang: this process was forked from one that had a team.

    """
    if threads == 1:
        return
    if _state.is_orphan and _HUNG_AFTER_FORK in Path("/proc/self/maps").read_text("ascii", "replace"):
        raise RuntimeError(
            "a forked process cannot have a team of OpenMP's: the threads of libgomp are its parent's. "
            "Start it by multiprocessing's spawn or forkserver, or solve in one thread"
        )
    _state.had_team = True
