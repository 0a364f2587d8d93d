"""Descriptors that are not in the way of a suite: what is closed there as 0, 1 or 2 stays so."""

from __future__ import annotations

import fcntl
import os

_FIRST = 3


def memory(name: str) -> int:
    """A file without a name on any disk."""
    return _above(os.memfd_create(name, os.MFD_CLOEXEC))


def pipe() -> tuple[int, int]:
    """To read, and to write."""
    reads, writes = os.pipe2(os.O_CLOEXEC)
    return _above(reads), _above(writes)


def _above(file: int) -> int:
    if file >= _FIRST:
        return file
    moved = fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, _FIRST)
    os.close(file)
    return moved
