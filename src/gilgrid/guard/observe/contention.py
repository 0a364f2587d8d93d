"""Tells threads that wait for a GIL in vain from those that queue for one, which goes from hand to hand.

Both poll, and to look closer at all who do would cost programs with many threads a percent of their time.
"""

from __future__ import annotations

import os

from gilgrid.guard.observe.memory import Memory
from gilgrid.guard.proof import calls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

_FUTEX = {str(number).encode() for number, name in calls.names().items() if name == "futex"}
_WORDS_OF_A_CALL = 9  # in /proc/PID/syscall, which has fewer where a thread is in no call
_UNLIMITED = b"0x0"
_LONGEST_GIL = 128  # bytes, with its condition


class Contention:
    """The GILs of a tree that are waited for, from sample to sample."""

    def __init__(self) -> None:
        # By process and by the address of a GIL: how often it had changed hands.
        self._switches: dict[int, dict[int, int]] = {}

    def in_vain(self, pollers: Collection[int], threads: Mapping[int, Collection[int]]) -> frozenset[int]:
        """The pollers that may wait for a GIL which has not moved since the last call.

        `threads` are all threads of each process. Who has just begun to poll is not among them yet; where
        memory may not be read, all pollers are.
        """
        before, self._switches = self._switches, {}
        found: set[int] = set()
        for pid, tids in threads.items():
            waiting = [tid for tid in tids if tid in pollers]
            try:
                futexes = {tid: _futex(pid, tid) for tid in waiting}
                now = _gils(pid, futexes.values(), tids, before.get(pid, {}))
            except (FileNotFoundError, ProcessLookupError):
                continue  # one of them has just ended
            except OSError:
                found.update(waiting)
                continue
            self._switches[pid] = now
            standing = [gil for gil in now if before.get(pid, {}).get(gil) == now[gil]]
            found.update(tid for tid in waiting if any(_may_be_at(gil, futexes[tid]) for gil in standing))
        return frozenset(found)


def _futex(pid: int, tid: int) -> int | None:
    """The futex that a thread waits for, with a time limit; 0 in another call, None on its way to one."""
    file = os.open(f"/proc/{pid}/task/{tid}/syscall", os.O_RDONLY | os.O_CLOEXEC)
    try:
        call = os.read(file, 256).split()
    finally:
        os.close(file)
    if len(call) < _WORDS_OF_A_CALL:
        return None
    number, futex, _, _, limit = call[:5]
    return int(futex, 16) if number in _FUTEX and limit != _UNLIMITED else 0


def _gils(
    pid: int, futexes: Collection[int | None], tids: Iterable[int], before: Collection[int]
) -> dict[int, int]:
    """How often each GIL has changed hands: those from before, and those that are waited for at these."""
    if not any(futexes) and not before:
        return {}
    tids_there = {tid: tid for tid in tids}  # other numbers in a PID namespace of its own: nothing is found
    with Memory(pid) as memory:
        found = {gil: count for gil in before if (count := memory.switches(gil)) is not None}
        for futex in futexes:
            if futex and not any(_may_be_at(gil, futex) for gil in found):
                gil = memory.gil(futex, tids_there)
                if gil is not None:
                    found[gil[0]] = gil[2]
    return found


def _may_be_at(gil: int, futex: int | None) -> bool:
    return futex is None or 0 <= futex - gil < _LONGEST_GIL
