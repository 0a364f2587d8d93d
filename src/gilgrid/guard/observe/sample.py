"""Watches, at little cost, which threads of a tree run: from /proc/PID/task/TID/schedstat, every 50 ms.

It watches whatever is well for as long as it runs: dataclasses, and the 15 ms that they take to import, are
left to the prover, which most commands never need.
"""

from __future__ import annotations

import os
import resource
import time
from collections import deque

from gilgrid.guard.observe.contention import Contention
from gilgrid.guard.tree import look

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

_SAMPLE_S = 0.05
_SAMPLE_SHARE = 0.007  # of one CPU: the more threads there are, the rarer are the samples
_MOST_OPEN = 256  # files; to open one anew for each sample takes twice as long as to read it
_WINDOW = 6  # samples that tell
_HALF_A_WINDOW = _WINDOW // 2
_BUSY_SHARE = 0.03  # of one CPU
_SPINS_SHARE = 0.8
_POLLS_PER_S = 60.0  # a thread that waits for the GIL wakes 200 times a second, on a starved machine fewer
_QUIET_S = 1.0


class _Thread:
    """How one thread ran, sample by sample."""

    __slots__ = ("_file", "last_busy", "last_ran", "ran_ns", "slices", "wanted_ns")

    def __init__(self) -> None:
        self.ran_ns: deque[int] = deque(maxlen=_WINDOW + 1)
        self.wanted_ns: deque[int] = deque(maxlen=_WINDOW + 1)
        self.slices: deque[int] = deque(maxlen=_WINDOW + 1)
        self.last_ran = self.last_busy = 0.0
        self._file: int | None = None

    def sample(self, path: str, at: float, interval_s: float) -> None:
        """Read its schedstat: ns on a CPU, ns in the queue for one, times put on one. Raises `OSError`."""
        if self._file is None:
            self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        ran_ns, queued_ns, slices = map(int, os.pread(self._file, 128, 0).split())
        # Who has a CPU for itself is put on it once: that alone does not tell whether it runs.
        if not self.slices or (ran_ns, slices) != (self.ran_ns[-1], self.slices[-1]):
            self.last_ran = at
        if not self.ran_ns or ran_ns - self.ran_ns[-1] > _BUSY_SHARE * interval_s * 1e9:
            self.last_busy = at
        self.ran_ns.append(ran_ns)
        self.wanted_ns.append(ran_ns + queued_ns)
        self.slices.append(slices)

    def close(self) -> None:
        """It is not looked at again, or not soon."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    @property
    def last_progress(self) -> float:
        """When it last used a CPU, or, where it has never been seen to poll, ran at all."""
        return self.last_busy if self.slices[-1] != self.slices[0] else self.last_ran

    def is_frozen(self, samples: int) -> bool:
        """Whether it has not run at all between the last so many samples."""
        before = -1 - samples
        return len(self.slices) > samples and (self.ran_ns[before], self.slices[before]) == (
            self.ran_ns[-1],
            self.slices[-1],
        )

    def share(self, samples: int, window_s: float) -> float | None:
        """How much of one CPU it used between the last so many samples; None where it is too new."""
        if len(self.ran_ns) <= samples:
            return None
        return (self.ran_ns[-1] - self.ran_ns[-1 - samples]) / (window_s * 1e9)

    def polls(self, samples: int, window_s: float) -> bool:
        """Whether it ran again and again between the last so many samples, and did nothing."""
        share = self.share(samples, window_s)
        if share is None or share > _BUSY_SHARE:
            return False
        return self.slices[-1] - self.slices[-1 - samples] >= _POLLS_PER_S * window_s


class Sampler:
    """The threads of a tree: of all that descend from `above`, and of `above` itself where `included`.

    Call `sample` again once `time.monotonic` is past `next_sample`.
    """

    def __init__(self, above: int, *, included: bool = False) -> None:
        self._above = above
        self._included = included
        self.next_sample = 0.0
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 4
        self._most_open = self._may_stay_open = min(_MOST_OPEN, most)
        self._used: deque[tuple[float, float]] = deque()
        self._at: deque[float] = deque(maxlen=_WINDOW + 1)
        self._threads: dict[int, dict[str, _Thread]] = {}
        self._strangers: set[int] = set()
        self._contention = Contention()
        self._polling: dict[int, frozenset[int]] = {_HALF_A_WINDOW: frozenset(), _WINDOW: frozenset()}
        self._in_vain: frozenset[int] = frozenset()

    @property
    def pids(self) -> list[int]:
        """The processes that are known."""
        return list(self._threads)

    @property
    def pollers(self) -> frozenset[int]:
        """The threads that run again and again and do nothing, as one does that waits for the GIL."""
        return self._polling[_WINDOW]

    @property
    def in_vain(self) -> frozenset[int]:
        """The pollers that may wait for a GIL which did not move between the last two samples."""
        return self._in_vain

    @property
    def spinners(self) -> frozenset[int]:
        """The threads that have done nothing but run, or queue for a CPU."""
        enough_ns = _SPINS_SHARE * (self._at[-1] - self._at[0]) * 1e9
        return frozenset(
            tid for tid, thread in self._each() if thread.wanted_ns[-1] - thread.wanted_ns[0] > enough_ns
        )

    @property
    def is_worth_a_look(self) -> bool:
        """Whether the tree hardly works, or somebody polls in vain, or nobody of some process runs."""
        return self._seems_stuck(_WINDOW)

    @property
    def may_be_worth_a_look_soon(self) -> bool:
        """The same, by what the last samples say."""
        return self._seems_stuck(_HALF_A_WINDOW)

    def _seems_stuck(self, samples: int) -> bool:
        if not self._threads or len(self._at) <= samples:
            return False
        polling = self._polling[samples]
        if self._in_vain & polling:
            return True
        is_still = {
            pid: [thread.is_frozen(samples) or int(tid) in polling for tid, thread in threads.items()]
            for pid, threads in self._threads.items()
        }
        if any(map(all, is_still.values())):
            return True
        window_s = self._window_s(samples)
        shares = [thread.share(samples, window_s) for _, thread in self._each()]
        return all(share is not None and share <= _BUSY_SHARE for share in shares)

    def _pollers(self, samples: int) -> frozenset[int]:
        if len(self._at) <= samples:
            return frozenset()
        window_s = self._window_s(samples)
        return frozenset(tid for tid, thread in self._each() if thread.polls(samples, window_s))

    @property
    def last_ran(self) -> float:
        """When somebody last ran who does not poll; as `time.monotonic` has it."""
        pollers = self.pollers
        return max((thread.last_ran for tid, thread in self._each() if tid not in pollers), default=0.0)

    def last_progress(self, tids: Collection[int]) -> float:
        """When one of these threads last did something."""
        return max((thread.last_progress for tid, thread in self._each() if tid in tids), default=0.0)

    @property
    def cpus_used(self) -> float | None:
        """How many CPUs the threads that live have kept busy over the last samples; None after too few."""
        if len(self._at) <= _HALF_A_WINDOW:
            return None
        window_s = self._window_s(_HALF_A_WINDOW)
        return sum(thread.share(_HALF_A_WINDOW, window_s) or 0.0 for _, thread in self._each())

    @property
    def is_quiet(self) -> bool:
        """Whether the tree has used hardly anything of a CPU over the last second."""
        (since, then_s), (until, now_s) = self._used[0], self._used[-1]
        return until - since >= _QUIET_S and abs(now_s - then_s) < _BUSY_SHARE * (until - since)

    def walk(self, *, whole: bool = False) -> set[int]:
        """Find the processes that have come.

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
        return fresh

    def _descends(self, pid: int, parents: Mapping[int, int]) -> bool:
        if pid == self._above:
            return self._included
        while pid in parents and pid != self._above:
            pid = parents[pid]
        return pid == self._above or pid in self._threads

    def sample(self) -> None:
        """Look at every thread of every known process; forget those that have gone."""
        if not self._threads:
            self.walk()
        now, used_s = time.monotonic(), time.process_time()
        interval_s = now - self._at[-1] if self._at else 0.0
        self._at.append(now)
        self._may_stay_open = self._most_open
        for pid, threads in list(self._threads.items()):
            self._threads[pid] = self._sampled(pid, threads, interval_s)
            if not self._threads[pid]:
                del self._threads[pid]
        self._used.append((now, sum(thread.ran_ns[-1] for _, thread in self._each()) / 1e9))
        while len(self._used) > 1 and self._used[1][0] <= now - _QUIET_S:
            self._used.popleft()
        tids = {pid: list(map(int, threads)) for pid, threads in self._threads.items()}
        self._polling = {samples: self._pollers(samples) for samples in self._polling}
        self._in_vain = self._contention.in_vain(frozenset().union(*self._polling.values()), tids)
        self.next_sample = now + max(_SAMPLE_S, (time.process_time() - used_s) / _SAMPLE_SHARE)

    def _sampled(self, pid: int, threads: dict[str, _Thread], interval_s: float) -> dict[str, _Thread]:
        """Those of these threads, and of newcomers, that still live."""
        present: dict[str, _Thread] = {}
        for name in _tasks(pid):
            thread = threads.pop(name, None) or _Thread()
            try:
                thread.sample(f"/proc/{pid}/task/{name}/schedstat", self._at[-1], interval_s)
            except OSError:  # it has ended, and this may be the name of another by now
                thread.close()
                continue
            present[name] = thread
            self._may_stay_open -= 1
            if self._may_stay_open < 0:
                thread.close()
        for thread in threads.values():
            thread.close()
        return present

    def close(self) -> None:
        """Give back what is open."""
        for _, thread in self._each():
            thread.close()

    def _each(self) -> Iterator[tuple[int, _Thread]]:
        for threads in self._threads.values():
            for name, thread in threads.items():
                yield int(name), thread

    def _window_s(self, samples: int) -> float:
        return max(self._at[-1] - self._at[-1 - samples], 1e-9)


def _tasks(pid: int) -> list[str]:
    """The ids of the threads of a process; none where it has ended."""
    try:
        return os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 - pathlib costs 15 ms to import
    except OSError:
        return []
