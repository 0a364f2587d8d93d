"""The cause of a deadlock, from the threads that hold each other; pure. No evidence, no cause."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gilgrid.evidence import Cause
from gilgrid.guard.proof.cycle import IDLE
from gilgrid.guard.proof.stack import Stack, is_openmp_library
from gilgrid.guard.proof.waits import Kind
from gilgrid.since.dataclasses import dataclass

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from gilgrid.guard.proof.picture import Picture, Process, Thread
    from gilgrid.guard.proof.waits import Stacks, Wait

_GIL_VS = {
    Kind.BARRIER: Cause.GIL_VS_OPENMP_BARRIER,
    Kind.JOIN: Cause.GIL_VS_JOIN,
    Kind.MUTEX: Cause.GIL_VS_MUTEX,
    Kind.INITIALISER: Cause.GIL_VS_STATIC_INIT,
    Kind.ONCE: Cause.GIL_VS_CALL_ONCE,
}
_LOCKS = frozenset({Kind.LOCK, Kind.MUTEX, Kind.SHARED})
_FINALIZES = ("wait_for_thread_shutdown", "Py_Finalize", "_Py_Finalize", "atexit_callfuncs", "_PyAtExit")
_LOADER = ("dlopen", "dlsym", "dlclose", "_dl_", "dl_iterate_phdr")
_NOTIFIED = {"wait", "wait_for", "get", "put"}  # of threading.py and queue.py: somebody should have notified
_JOINS = {"join", "_wait_for_tstate_lock", "_join", "poll"}


@dataclass(frozen=True, kw_only=True)
class Member:
    """One thread of a cycle."""

    process: Process
    thread: Thread
    wait: Wait
    stack: Stack

    def is_in(self, file: str, *functions: str) -> bool:
        """Whether one of its Python frames is of that file, and of one of those functions."""
        return any(
            frame.file.endswith(file) and (not functions or frame.function.rpartition(".")[2] in functions)
            for frame in self.stack.python
        )

    @property
    def is_told(self) -> bool:
        """Whether it is known what it waits for: of a lock without an owner its stack must tell."""
        known = self.stack.native or self.stack.python
        return bool(known) or self.wait.kind not in {Kind.LOCK, Kind.SHARED}

    @property
    def cost(self) -> int:
        """How little it tells of a deadlock: threads that hold what others want come first."""
        is_main = self.thread.tid == self.process.pid
        if self.wait.kind is Kind.LOCK and not is_main and self.stack.native and not self.stack.python:
            return IDLE
        if self.wait.kind in (Kind.CHILD, Kind.JOIN) or self.is_joining:
            return 9
        return 3 if self.wait.kind in (Kind.READ, Kind.WRITE) or self.is_notified else 1

    @property
    def is_joining(self) -> bool:
        """Whether it waits in Python for a thread or a process to end."""
        return self._is_innermost(_JOINS)

    @property
    def is_notified(self) -> bool:
        """Whether it waits to be told of something, and not for a lock that somebody holds."""
        if self._is_innermost(_NOTIFIED) or any("SimpleQueue_get" in f.function for f in self.stack.native):
            return True
        innermost = self.stack.native[:4]
        return any(frame.function.startswith(("pthread_cond_", "sem_")) for frame in innermost) and not any(
            "PyThread_acquire_lock" in frame.function for frame in self.stack.native
        )

    def _is_innermost(self, functions: set[str]) -> bool:
        frame = self.stack.python[0] if self.stack.python else None
        return (
            frame is not None
            and frame.file.endswith(("threading.py", "queue.py", "synchronize.py", "popen_fork.py"))
            and frame.function.rpartition(".")[2] in functions
        )

    @property
    def waits_in_openmp(self) -> bool:
        """Whether it waits inside an OpenMP runtime, which its system call alone can tell."""
        call = self.thread.call
        return self.wait.kind is Kind.BARRIER or bool(call and is_openmp_library(call.library))


def members(
    picture: Picture, waits: Mapping[int, Wait], stacks: Stacks, tids: Collection[int]
) -> dict[int, Member]:
    """These threads with all that is known of each, by thread id."""
    return {
        thread.tid: Member(
            process=process, thread=thread, wait=waits[thread.tid], stack=stacks.get(thread.tid, Stack())
        )
        for process, thread in picture.threads()
        if thread.tid in tids
    }


def cause(picture: Picture, cycle: tuple[Member, ...]) -> Cause | None:
    """The cause that the cycle shows; None for a deadlock of a kind without a name."""
    if not cycle:
        return None
    for position, member in enumerate(cycle):
        if member.wait.kind is Kind.GIL:
            return _gil(member, cycle[(position + 1) % len(cycle)])
    if len({member.process.pid for member in cycle}) > 1:
        return _between_processes(cycle)
    return _in_process(picture, cycle)


def _gil(waiter: Member, holder: Member) -> Cause | None:
    if waiter.thread.tid == holder.thread.tid:
        return Cause.GIL_HELD_BY_WAITER
    if holder.waits_in_openmp:
        return Cause.GIL_VS_OPENMP_BARRIER
    if holder.wait.kind is Kind.MUTEX and any(_is_loader(member) for member in (holder, waiter)):
        return Cause.GIL_VS_LOADER_LOCK
    default = Cause.GIL_VS_CONDITION if holder.stack.native else None  # without its stack it may be anything
    return _GIL_VS.get(holder.wait.kind, default)


def _is_loader(member: Member) -> bool:
    return any(frame.function.startswith(_LOADER) for frame in member.stack.native)


def _between_processes(cycle: tuple[Member, ...]) -> Cause | None:
    kinds = {member.wait.kind for member in cycle}
    if any(member.is_in("multiprocessing/queues.py", "_feed", "_finalize_join", "join") for member in cycle):
        return Cause.QUEUE_JOIN
    if Kind.WRITE in kinds:
        return Cause.FULL_PIPE
    if Kind.READ in kinds:
        return Cause.PIPE_CYCLE
    if not all(member.is_told for member in cycle):
        return None
    if kinds <= _LOCKS:
        return Cause.LOCK_ORDER
    return Cause.JOIN if Kind.CHILD in kinds else None


def _in_process(picture: Picture, cycle: tuple[Member, ...]) -> Cause | None:
    process = cycle[0].process
    is_fork = process.is_fork
    if is_fork and any(member.waits_in_openmp for member in cycle):
        return Cause.OPENMP_AFTER_FORK
    if any(member.is_in("<frozen importlib._bootstrap>", "acquire", "__enter__") for member in cycle):
        return Cause.IMPORT_LOCK
    if any(member.is_in("queue.py", "join") or member.is_in("queues.py", "join") for member in cycle):
        return Cause.QUEUE_JOIN
    if any(_is_at_shutdown(member) for member in cycle):
        return Cause.JOIN_AT_SHUTDOWN
    kinds = {member.wait.kind for member in cycle}
    if kinds & {Kind.READ, Kind.WRITE}:
        return Cause.FULL_PIPE if Kind.WRITE in kinds else Cause.PIPE_CYCLE
    if len(cycle) == 1:
        return _alone(picture, cycle[0])
    if Kind.JOIN in kinds or any(member.is_joining for member in cycle):
        return Cause.JOIN
    if any(member.is_notified for member in cycle):
        return Cause.LOST_WAKEUP
    return Cause.LOCK_ORDER if kinds <= _LOCKS and all(member.is_told for member in cycle) else None


def _alone(picture: Picture, member: Member) -> Cause | None:
    """Of a thread that nobody else could release."""
    futex = member.thread.call.futex if member.thread.call else None
    if futex is not None and futex.owner == member.thread.tid:
        return Cause.SELF_DEADLOCK
    if not member.is_told:
        return None
    process = member.process
    parent = picture.processes.get(process.parent)
    had_threads = process.had_threads or (parent is not None and len(parent.threads) > 1)
    owner_may_be_left = member.wait.kind is Kind.MUTEX or had_threads
    if process.is_fork and len(process.threads) == 1 and owner_may_be_left:
        return Cause.FORK_LOST_LOCK
    # Whose owner has ended is never unlocked.
    if member.is_notified or member.is_joining or member.wait.kind is Kind.MUTEX:
        return Cause.LOST_WAKEUP
    return Cause.SELF_DEADLOCK if member.wait.kind in _LOCKS else None


def _is_at_shutdown(member: Member) -> bool:
    frames = member.stack.native
    return member.is_in("threading.py", "_shutdown") or any(
        frame.function.startswith(_FINALIZES) for frame in frames
    )
