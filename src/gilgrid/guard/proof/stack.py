"""The stack of one thread, and what it tells of its wait; pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gilgrid.evidence import Frame
    from gilgrid.guard.proof.picture import Call

# libgomp is often stripped: it is known by its file. libomp, libiomp5 and what wheels make of the names as
# well.
_OPENMP = re.compile(r"lib[gi]?omp\d*[-.]")
_SYSTEM = re.compile(
    r"(libc|libpthread|ld-linux[^.]*|ld|ld-musl[^.]*|libc\.musl[^.]*)[-.]|linux-vdso|\[vdso\]"
)
_GUARDS = {"__cxa_guard_acquire"}
_ONCE = re.compile(r"_?_?pthread_once(_slow)?$|__gthread_once|call_once")
_WAITS_WITH = 3  # frames of libc at most between futex(2) and pthread_once
# libgomp's mutexes wait with -1 and its semaphores with the highest bit; a barrier with its generation.
_LOWEST_OF_LOCKS = 0x80000000


@dataclass(frozen=True)
class Stack:
    """The frames of one thread, innermost first; `python` is empty for a thread that runs no Python."""

    native: tuple[Frame, ...] = ()
    python: tuple[Frame, ...] = ()

    @cached_property
    def _beyond_system(self) -> tuple[Frame, ...]:
        """The frames outward from the first that is not of libc."""
        index = next((i for i, frame in enumerate(self.native) if not is_system(frame)), len(self.native))
        return self.native[index:]

    @cached_property
    def _runs(self) -> list[bool]:
        """Runs of frames beyond libc, innermost first: whether each run is of an OpenMP runtime."""
        kinds = [is_openmp(frame) for frame in self._beyond_system if not is_system(frame)]
        return [kind for i, kind in enumerate(kinds) if i == 0 or kind != kinds[i - 1]]

    @property
    def is_whole(self) -> bool:
        """Whether it is known to its beginning; some assembly cannot be unwound."""
        return bool(self.native) and (is_system(self.native[-1]) or self.native[-1].function == "_start")

    @property
    def is_worker(self) -> bool:
        """Whether an OpenMP runtime has started this thread."""
        return bool(self._runs) and self._runs[-1]

    @property
    def is_worker_inside_region(self) -> bool:
        """Whether it is such a thread, in a parallel region and not (yet) at its end."""
        return self.is_worker and len(self._runs) > 1

    @property
    def is_master(self) -> bool:
        """Whether it is in a parallel region, or at its end, and has begun it."""
        return any(self._runs) and not self.is_worker

    def is_at_barrier(self, call: Call | None) -> bool:
        """Whether it waits in an OpenMP runtime for the others of its team; `call` is None while it spins."""
        if self._runs[:1] != [True] or self._runs == [True]:
            return False
        if call is not None and call.futex is not None and call.futex.expected >= _LOWEST_OF_LOCKS:
            return False
        runtime = []
        for frame in self._beyond_system:
            if not is_openmp(frame):
                break
            runtime.append(frame)
        # At the end of a region nothing of the region is on its master's stack any more.
        return not any(self._runs[1:]) or any("barrier" in frame.function for frame in runtime)

    @cached_property
    def _waits_in(self) -> int | None:
        """The index of the frame in which it waits for another thread to initialise something."""
        for index, frame in enumerate(self.native[: _WAITS_WITH + 1]):
            if frame.function in _GUARDS or _ONCE.match(frame.function):
                return index
            if not is_system(frame):
                break
        return None

    @cached_property
    def initialiser(self) -> Frame | None:
        """The function whose static variable, or once, it waits for another thread to initialise."""
        if self._waits_in is None:
            return None
        outward = (frame for frame in self.native[self._waits_in + 1 :] if not _ONCE.search(frame.function))
        found = next(outward, None)
        return found if found and found.function else None

    @property
    def waits_for_once(self) -> bool:
        """Whether that is a once and not a static variable."""
        return self._waits_in is not None and bool(_ONCE.match(self.native[self._waits_in].function))

    @property
    def runs_once(self) -> bool:
        """Whether it runs what a once is to run, and does not wait for another to do so."""
        return not self.waits_for_once and any(_ONCE.search(frame.function) for frame in self.native)

    def is_inside(self, function: Frame) -> bool:
        """Whether it is in that function and does not wait there for somebody else to leave it."""
        return self.initialiser != function and any(
            (frame.function, frame.library) == (function.function, function.library) for frame in self.native
        )


def is_openmp(frame: Frame) -> bool:
    """Whether the frame is of an OpenMP runtime."""
    return is_openmp_library(frame.library)


def is_openmp_library(path: str) -> bool:
    """Whether the file is an OpenMP runtime."""
    return bool(_OPENMP.match(path.rpartition("/")[2]))


def is_system(frame: Frame) -> bool:
    """Whether the frame is of libc, the loader or the kernel."""
    return bool(_SYSTEM.match(frame.library.rpartition("/")[2]))
