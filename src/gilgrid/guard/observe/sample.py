"""Watches, at little cost, which threads of a tree run: from /proc/PID/task/TID/schedstat, every 50 ms."""

from __future__ import annotations

import os
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gilgrid.guard.tree import look

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

_WINDOW = 6  # samples
_BUSY_SHARE = 0.03  # of one CPU
_SPINS_SHARE = 0.8
_POLLS_PER_S = 60.0  # a thread that waits for the GIL wakes 200 times a second, on a starved machine fewer
_QUIET_S = 1.0


@dataclass
class _Thread:
    """How one thread ran, sample by sample."""

    ran_ns: deque[int] = field(default_factory=lambda: deque(maxlen=_WINDOW + 1))
    wanted_ns: deque[int] = field(default_factory=lambda: deque(maxlen=_WINDOW + 1))
    slices: deque[int] = field(default_factory=lambda: deque(maxlen=_WINDOW + 1))
    last_ran: float = 0.0
    last_busy: float = 0.0

    def take(self, at: float, interval_s: float, ran_ns: int, queued_ns: int, slices: int) -> None:
        if not self.slices or slices != self.slices[-1]:
            self.last_ran = at
        if not self.ran_ns or ran_ns - self.ran_ns[-1] > _BUSY_SHARE * interval_s * 1e9:
            self.last_busy = at
        self.ran_ns.append(ran_ns)
        self.wanted_ns.append(ran_ns + queued_ns)
        self.slices.append(slices)

    @property
    def last_progress(self) -> float:
        """When it last used a CPU, or, where it has never been seen to poll, ran at all."""
        return self.last_busy if self.slices[-1] != self.slices[0] else self.last_ran

    @property
    def is_known(self) -> bool:
        return len(self.slices) > _WINDOW


class Sampler:
    """The threads of a tree: of all that descend from `above`, and of `above` itself where `included`."""

    def __init__(self, above: int, *, included: bool = False) -> None:
        self._above = above
        self._included = included
        self._used: deque[tuple[float, float]] = deque()
        self._at: deque[float] = deque(maxlen=_WINDOW + 1)
        self._threads: dict[int, dict[int, _Thread]] = {}
        self._strangers: set[int] = set()

    @property
    def pids(self) -> list[int]:
        """The processes that are known."""
        return list(self._threads)

    @property
    def pollers(self) -> frozenset[int]:
        """The threads that run again and again and do nothing, as one does that waits for the GIL."""
        return frozenset(tid for tid, thread in self._each() if self._is_polling(thread))

    @property
    def spinners(self) -> frozenset[int]:
        """The threads that have done nothing but run, or queue for a CPU."""
        return frozenset(tid for tid, thread in self._each() if self._spins(thread))

    @property
    def is_worth_a_look(self) -> bool:
        """Whether the tree hardly works, or somebody polls, or nobody of some process runs."""
        if not self._threads or len(self._at) <= _WINDOW:
            return False
        everybody = [list(threads.values()) for threads in self._threads.values()]
        still = [
            [self._is_frozen(thread) or self._is_polling(thread) for thread in threads]
            for threads in everybody
        ]
        if any(all(process) for process in still):
            return True
        threads = [thread for process in everybody for thread in process]
        return any(map(self._is_polling, threads)) or not any(
            not thread.is_known or self._is_busy(thread) for thread in threads
        )

    @property
    def last_ran(self) -> float:
        """When somebody last ran who does not poll; as `time.monotonic` has it."""
        return max(
            (thread.last_ran for _, thread in self._each() if not self._is_polling(thread)), default=0.0
        )

    def last_progress(self, tids: Collection[int]) -> float:
        """When one of these threads last did something."""
        return max((thread.last_progress for tid, thread in self._each() if tid in tids), default=0.0)

    @property
    def is_quiet(self) -> bool:
        """Whether the tree has used hardly anything of a CPU over the last second."""
        (since, then_s), (until, now_s) = self._used[0], self._used[-1]
        return until - since >= _QUIET_S and abs(now_s - then_s) < _BUSY_SHARE * (until - since)

    def walk(self, *, whole: bool = False) -> bool:
        """Find processes that have come; whether the known ones are all there are.

        Who was found to be no descendant is not asked again, but in a `whole` walk: its pid may be another's.
        """
        if whole:
            self._strangers.clear()
        # pathlib costs 15 ms to import
        present = {int(name) for name in os.listdir("/proc") if name.isdigit()}  # noqa: PTH208
        self._strangers &= present
        unknown = present - self._strangers - self._threads.keys()
        parents = {pid: found.parent for pid in unknown if (found := look(pid))}
        fresh = {pid for pid in parents if self._descends(pid, parents)} - {os.getpid()}
        self._threads |= {pid: {} for pid in fresh}
        self._strangers |= parents.keys() - fresh
        return not fresh

    def _descends(self, pid: int, parents: Mapping[int, int]) -> bool:
        if pid == self._above:
            return self._included
        while pid in parents and pid != self._above:
            pid = parents[pid]
        return pid == self._above or pid in self._threads

    def sample(self) -> None:
        """Look at every thread of every known process; forget those that have gone."""
        now = time.monotonic()
        interval_s = now - self._at[-1] if self._at else 0.0
        self._at.append(now)
        for pid, threads in list(self._threads.items()):
            present = _schedstats(pid)
            if not present:
                del self._threads[pid]
            for tid, schedstat in present.items():
                threads.setdefault(tid, _Thread()).take(now, interval_s, *schedstat)
            for tid in threads.keys() - present.keys():
                del threads[tid]
        self._used.append((now, sum(thread.ran_ns[-1] for _, thread in self._each()) / 1e9))
        while len(self._used) > 1 and self._used[1][0] <= now - _QUIET_S:
            self._used.popleft()

    def _each(self) -> Iterator[tuple[int, _Thread]]:
        for threads in self._threads.values():
            yield from threads.items()

    def _window_s(self) -> float:
        return self._at[-1] - self._at[0]

    def _is_frozen(self, thread: _Thread) -> bool:
        return thread.is_known and thread.slices[0] == thread.slices[-1]

    def _is_busy(self, thread: _Thread) -> bool:
        return self._share(thread) > _BUSY_SHARE

    def _spins(self, thread: _Thread) -> bool:
        return thread.wanted_ns[-1] - thread.wanted_ns[0] > _SPINS_SHARE * self._window_s() * 1e9

    def _share(self, thread: _Thread) -> float:
        return (thread.ran_ns[-1] - thread.ran_ns[0]) / max(self._window_s() * 1e9, 1.0)

    def _is_polling(self, thread: _Thread) -> bool:
        often = thread.slices[-1] - thread.slices[0] >= _POLLS_PER_S * self._window_s()
        return thread.is_known and often and not self._is_busy(thread)


def _schedstats(pid: int) -> dict[int, tuple[int, int, int]]:
    """By thread: nanoseconds on a CPU, nanoseconds in the queue for one, and how often it was put on one."""
    found = {}
    with suppress(OSError):
        for name in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - pathlib costs 15 ms to import
            with suppress(OSError):
                file = os.open(f"/proc/{pid}/task/{name}/schedstat", os.O_RDONLY | os.O_CLOEXEC)
                try:
                    ran_ns, queued_ns, slices = os.read(file, 128).split()
                finally:
                    os.close(file)
                found[int(name)] = int(ran_ns), int(queued_ns), int(slices)
    return found
