"""What a process is at, in memory that it shares with whoever watches it: to mark it takes a microsecond."""

from __future__ import annotations

import mmap
import struct
import time
from functools import partial
from typing import NamedTuple

_LAYOUT = struct.Struct("=iiiddd")
FOREVER = float("inf")


class Mark(NamedTuple):
    """What it is at: a stage, 0 where it is not to be judged, with an item of it and a phase of that.

    `since` and `until`, its deadline, are as `time.monotonic` has them, which is one clock for all processes;
    `limit_s` is how long it was given until then, which may have begun with an earlier phase.
    """

    stage: int
    item: int
    phase: int
    since: float
    until: float
    limit_s: float


class Marks:
    """The memory. A fork shares it; another process opens it by the file that it is made with."""

    SIZE = mmap.PAGESIZE
    """Of that file."""

    def __init__(self, file: int = -1) -> None:
        self._memory = mmap.mmap(file, self.SIZE)
        self.write = partial(_LAYOUT.pack_into, self._memory, 0)
        """From now on it is at that; the arguments are those of `Mark`, in their order."""
        self._now = time.monotonic  # a test may replace it

    def set(
        self, stage: int, item: int = 0, phase: int = 0, until: float = FOREVER, limit_s: float = 0.0
    ) -> None:
        """From now on it is at that, since now."""
        self.write(stage, item, phase, self._now(), until, limit_s)

    def read(self) -> Mark:
        """What it is at: as it was written, and not half of that and half of the next."""
        while True:
            first = self._memory[: _LAYOUT.size]
            if first == self._memory[: _LAYOUT.size]:
                return Mark._make(_LAYOUT.unpack(first))
