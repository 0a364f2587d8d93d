"""Tells threads that wait for a GIL in vain from those that queue for one, which goes from hand to hand.

Both poll, and to look closer at all who do would cost programs with many threads a percent of their time.
"""

from __future__ import annotations

import os
from contextlib import suppress

from gilgrid.guard.observe.memory import SPAN_OF_GIL, Memory
from gilgrid.guard.proof import calls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

_FUTEX = {str(number).encode() for number, name in calls.names().items() if name == "futex"}
_WORDS_OF_A_CALL = 9  # in /proc/PID/syscall, which has fewer where a thread is in no call
_UNLIMITED = b"0x0"


class Contention:
    """The GILs of a tree that are waited for, from sample to sample."""

    def __init__(self) -> None:
        # By process and by the address of a GIL: how often it had changed hands.
        self._switches: dict[int, dict[int, int]] = {}

    def in_vain(self, pollers: Collection[int], threads: Mapping[int, Collection[int]]) -> frozenset[int]:
        """The pollers that may wait for a GIL which has not moved since the last call.

        `threads` are all threads of each process. Where that cannot be told, all pollers of a process are.
        """
        before, self._switches = self._switches, {}
        found: set[int] = set()
        for pid, tids in threads.items():
            waiting = {tid for tid in tids if tid in pollers}
            if waiting:
                found |= self._of_process(pid, waiting, tids, before.get(pid, {}))
        return frozenset(found)

    def _of_process(
        self, pid: int, waiting: set[int], tids: Iterable[int], before: Mapping[int, int]
    ) -> set[int]:
        try:
            places = {tid: place for tid in waiting if (place := _Place.of(pid, tid)) is not None}
            now = _gils(pid, places.values(), tids, before)
        except (FileNotFoundError, ProcessLookupError):
            return set()  # it has just ended
        except OSError:
            return waiting
        self._switches[pid] = now
        if places and _has_own_numbers(pid):
            return waiting
        standing = [gil for gil in now if before.get(gil) == now[gil]]
        return {tid for tid, place in places.items() if any(map(place.may_be_at, standing))}


class _Place:
    """Where a thread waits: `futex` is 0 where that is no futex, or one without a time limit."""

    __slots__ = ("futex", "is_on_its_way")

    def __init__(self, call: list[bytes]) -> None:
        self.is_on_its_way = len(call) < _WORDS_OF_A_CALL
        self.futex = 0
        if not self.is_on_its_way:
            number, futex, _, _, limit = call[:5]
            self.futex = int(futex, 16) if number in _FUTEX and limit != _UNLIMITED else 0

    @classmethod
    def of(cls, pid: int, tid: int) -> _Place | None:
        """The place of a thread now; None where it has ended."""
        with suppress(FileNotFoundError, ProcessLookupError):
            file = os.open(f"/proc/{pid}/task/{tid}/syscall", os.O_RDONLY | os.O_CLOEXEC)
            try:
                return cls(os.read(file, 256).split())
            finally:
                os.close(file)
        return None

    def may_be_at(self, gil: int) -> bool:
        return self.is_on_its_way or self.futex - gil in SPAN_OF_GIL


def _gils(
    pid: int, places: Collection[_Place], tids: Iterable[int], before: Collection[int]
) -> dict[int, int]:
    """How often each GIL has changed hands: those from before, and those that are waited for now."""
    if not before and not any(place.futex for place in places):
        return {}
    ours = {tid: tid for tid in tids}
    with Memory(pid) as memory:
        found = {gil: count for gil in before if (count := memory.switches(gil)) is not None}
        for place in places:
            if place.futex and not any(map(place.may_be_at, found)):
                gil = memory.gil(place.futex, ours)
                if gil is not None:
                    found[gil.address] = gil.switches
    return found


def _has_own_numbers(pid: int) -> bool:
    """Whether it is in a PID namespace of its own: in its memory, threads have other numbers than here."""
    return _namespace(pid) != _namespace(os.getpid())


def _namespace(pid: int) -> str:
    with suppress(OSError):
        return os.readlink(f"/proc/{pid}/ns/pid")  # noqa: PTH115 - pathlib costs 15 ms to import
    return ""
