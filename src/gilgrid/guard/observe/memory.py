"""Reads the memory of another process without stopping it.

Through /proc/PID/mem (proc_pid_mem(5)): the same permission as process_vm_readv(2), but no system call that a
seccomp profile for containers would refuse.
"""

from __future__ import annotations

import os
import struct
from collections import namedtuple
from contextlib import suppress

from gilgrid.guard.tree import folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

# The struct _gil_runtime_state of CPython (Include/internal/pycore_gil.h), the same from 3.8 to 3.14 up to
# the condition variable that waiters wait on: interval in microseconds, last holder, locked, number of
# switches.
_GIL = struct.Struct("=QQi4xQ")
_LONGEST_INTERVAL_US = 60_000_000  # sys.setswitchinterval
# How far into a pthread_cond_t the word lies that its waiters wait on: 40 or 44 up to glibc 2.40.
_INTO_CONDITION = range(0, 64, 4)
_LOWEST_ADDRESS = 1 << 16
# PyThreadState.thread_id lies at 136 to 176 from CPython 3.8 to 3.13, and native_thread_id, from 3.11, behind
# it.
_THREAD_STATE_BYTES = 320
# pthread_t to the tid in it, where it is a pointer to glibc's struct pthread: x86-64, AArch64.
_TID_IN_PTHREAD = (720, 208)


# How far from its own address the words of a GIL reach that its waiters wait on.
SPAN_OF_GIL = range(_GIL.size + _INTO_CONDITION.stop)

# A GIL: its address, who holds it (None where it is free), and how often it has changed hands.
FoundGil = namedtuple("FoundGil", ["address", "holder", "switches"])  # noqa: PYI024 - typing costs 3 ms to import


class Memory:
    """The memory of one process: None for a place that cannot be read, OSError where none of it may be."""

    def __init__(self, pid: int) -> None:
        self._file = os.open(f"{folder(pid)}/mem", os.O_RDONLY | os.O_CLOEXEC)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)

    def bytes(self, address: int, count: int) -> bytes | None:
        """`count` bytes from `address`."""
        with suppress(OSError, OverflowError):
            found = os.pread(self._file, count, address)
            if len(found) == count:
                return found
        return None

    def words(self, address: int, form: str) -> tuple[int, ...] | None:
        """Integers in the form that `struct` knows."""
        found = self.bytes(address, struct.calcsize(form))
        return None if found is None else struct.unpack(form, found)

    def gil(self, futex: int, tids: Mapping[int, int], left_us: float = 0.0) -> FoundGil | None:
        """The GIL whose waiters wait on the word at `futex`; None where it is of something else.

        `tids` maps thread ids as that process sees them to ours. The GIL is recognised by what it must hold,
        not by symbols, so that a stripped interpreter is none the worse: a switch interval, a flag, and a
        last holder which is a thread state that leads to one of the threads.
        """
        for offset in _INTO_CONDITION:
            found = self.words(futex - offset - _GIL.size, _GIL.format)
            if found is None:
                continue
            interval_us, last_holder, locked, switches = found
            # Nobody waits for a GIL for longer than its interval at a time.
            is_like_one = 0 < interval_us <= _LONGEST_INTERVAL_US and locked in (0, 1)
            if not is_like_one or left_us > interval_us:
                continue
            holder = self._thread_of_state(last_holder, tids)
            if holder is not None:
                return FoundGil(futex - offset - _GIL.size, holder if locked else None, switches)
        return None

    def switches(self, gil: int) -> int | None:
        """How often the GIL at that address has changed hands."""
        found = self.words(gil, _GIL.format)
        return None if found is None else found[-1]

    def is_tid(self, address: int) -> bool:
        """Whether the word there is the thread id in a struct pthread."""
        pthread = address - _TID_IN_PTHREAD[0]  # x86-64's, which points at itself
        return self.words(pthread, "=Q") == (pthread,)

    def _thread_of_state(self, state: int, tids: Mapping[int, int]) -> int | None:
        """The thread of a PyThreadState."""
        if state < _LOWEST_ADDRESS or state % 8:
            return None
        words = self.words(state, f"={_THREAD_STATE_BYTES // 8}Q") or ()
        for pthread, behind in zip(words, words[1:]):  # noqa: B905, RUF007 - pairwise is of 3.10
            if pthread < _LOWEST_ADDRESS or pthread % 8:
                continue
            for offset in _TID_IN_PTHREAD:
                tid = self.words(pthread + offset, "=i")
                # The two agree where there are two; without the second, the struct points at itself (x86-64).
                if tid and tid[0] in tids and (behind == tid[0] or self.words(pthread, "=Q") == (pthread,)):
                    return tids[tid[0]]
        return None
