"""Locks between gilgrid processes that share a cache."""

from __future__ import annotations

import fcntl
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gilgrid.errors import CancelledError, GilgridError
from gilgrid.guard import Command, End, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_WAIT = "import fcntl, sys; fcntl.flock(open(sys.argv[1]), fcntl.LOCK_EX)"


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """Hold a lock that other gilgrid processes respect; the kernel lets go of it when its holder dies.

    Raises ``CancelledError`` where the run is interrupted while another one holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        while not _try(file.fileno()):
            # Nothing wakes a thread from flock(2): a command waits in its stead, which an interrupt ends.
            ending = run(Command(argv=(sys.executable, "-I", "-S", "-c", _WAIT, str(path))))
            if ending.end is End.CANCELLED:
                raise CancelledError(f"waiting for {path}")
            if ending.end is not End.EXITED or ending.exit_code != 0:
                raise GilgridError(f"waiting for {path}: {ending.end}: {ending.detail or ending.output}")
        yield


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
