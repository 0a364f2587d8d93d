"""What each thread waits for, and who could release it; pure.

The rules are in docs/how-a-deadlock-is-proven.md. What no rule knows is taken to be alive.
"""

from __future__ import annotations

import signal
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from gilgrid.guard.proof.calls import POLLS
from gilgrid.guard.proof.picture import Channel, tids_of
from gilgrid.guard.proof.stack import is_openmp_library
from gilgrid.since.dataclasses import dataclass
from gilgrid.since.enum import StrEnum

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gilgrid.evidence import Frame
    from gilgrid.guard.proof.picture import Call, Futex, Picture, Process, Thread
    from gilgrid.guard.proof.stack import Stack

    Stacks = Mapping[int, Stack]

# The kernel sends these for what the thread itself does, which a blocked one does not; glibc uses 32 and 33
# between threads of one process.
_BY_FAULT = frozenset({signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, 32, 33})
# These as well, or a process of the tree.
_BY_TREE = frozenset({signal.SIGINT, signal.SIGABRT, signal.SIGTRAP, signal.SIGSYS, signal.SIGPIPE})
# By whom they are sent; see `handles_interrupt` as well.
_KNOWN = frozenset({signal.SIGCHLD, signal.SIGWINCH})
_ROBUST = 1 << 31  # FUTEX_WAITERS: the kernel wakes who waits when the owner's process ends


class Kind(StrEnum):
    """What a thread waits for, as a sentence says it after "waits"."""

    RUNNING = "for nothing: it runs"
    STOPPED = "to be continued: a signal or a debugger has stopped it"
    TIMED = "for some time to pass"
    OUTSIDE = "for something outside"
    IDLE = "for something outside to happen"
    HANDLER = "for something that a signal handler could bring"
    ALARM = "for something that the handler of a timer could bring"
    GIL = "for the GIL"
    MUTEX = "for a mutex"
    JOIN = "for a thread to end"
    BARRIER = "at an OpenMP barrier"
    INITIALISER = "for the initialisation of a static variable"
    ONCE = "for a call_once"
    LOCK = "for a lock, a condition or a semaphore"
    SHARED = "for a lock in shared memory"
    CHILD = "for a child process"
    READ = "to read"
    WRITE = "to write"


ALIVE = frozenset({Kind.RUNNING, Kind.STOPPED, Kind.TIMED, Kind.OUTSIDE, Kind.IDLE, Kind.HANDLER, Kind.ALARM})
# What waits like this may have a time limit, though none is seen.
ACTIVE = frozenset({Kind.RUNNING, Kind.STOPPED, Kind.TIMED, Kind.OUTSIDE, Kind.ALARM})
TIMERS = frozenset({signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF})
# Without a time limit these have none; a socket may have one of its own (SO_RCVTIMEO), and what is waited for
# by sigwait(3) may be a timer's signal.
_WITHOUT_LIMIT = frozenset({"epoll_wait", "epoll_pwait", "epoll_pwait2", "pause", *POLLS})
_INTERRUPTIBLE = frozenset({Kind.LOCK, Kind.SHARED, Kind.CHILD, Kind.READ, Kind.WRITE})


@dataclass(frozen=True, kw_only=True)
class Wait:
    """One thread's wait, which does not end while all of `released_by` are dead.

    Nor while `signalled_by` do nothing, who could send a signal: to it, or to a process that it waits for.
    """

    kind: Kind
    released_by: frozenset[int] = frozenset()
    signalled_by: frozenset[int] = frozenset()

    @property
    def is_alive(self) -> bool:
        """Whether it may end without any thread of the tree."""
        return self.kind in ALIVE


def waits(picture: Picture, stacks: Stacks) -> dict[int, Wait]:
    """The wait of each thread, by thread id. `stacks`, of any threads or none, make it more precise."""
    found = {}
    for process in picture.processes.values():
        in_process = _InProcess(picture, process, stacks)
        for thread in process.threads:
            found[thread.tid] = in_process.wait(thread)
    return found


class _InProcess:
    """The rules, for the threads of one process."""

    def __init__(self, picture: Picture, process: Process, stacks: Stacks) -> None:
        self._picture = picture
        self._process = process
        self._stacks = {tid: stacks[tid] for tid in process.tids if tid in stacks and stacks[tid].native}
        self._handled = process.handled - _BY_FAULT

    def wait(self, thread: Thread) -> Wait:
        if thread.stopped:
            return Wait(kind=Kind.STOPPED)
        plain = self._plain(thread)
        told = self._told_by_stack(thread, plain)
        if told.kind not in _INTERRUPTIBLE or not self._handled:
            return told
        if self._process.handles_interrupt or self._handled - _BY_TREE - _KNOWN:
            return Wait(kind=Kind.ALARM if self._handled & TIMERS else Kind.HANDLER)
        # Of these it is known who sends them: a child that ends, and a process of the tree. A person who
        # types Ctrl-C has given up on it; so has a parent, or it works, which `fixed_point.is_deadlock` asks.
        if signal.SIGCHLD in self._handled:
            children = tids_of(self._picture.children(self._process.pid))
            told = replace(told, released_by=told.released_by | children)
        if self._handled & _BY_TREE:
            told = replace(told, signalled_by=told.signalled_by | self._not_above - {thread.tid})
        return told

    @property
    def _knows_all_stacks(self) -> bool:
        return all(tid in self._stacks and self._stacks[tid].is_whole for tid in self._process.tids)

    @cached_property
    def _not_above(self) -> frozenset[int]:
        """The threads of this process and of those of the tree that are not above it."""
        above = {process.pid for process in self._picture.ancestors(self._process.pid)}
        return tids_of(other for pid, other in self._picture.processes.items() if pid not in above)

    def _plain(self, thread: Thread) -> Wait:
        """By its system call alone."""
        call = thread.call
        if call is None:
            return Wait(kind=Kind.RUNNING)
        if call.name == "futex":
            return self._futex(thread.tid, call, call.futex)
        if call.timed:
            return Wait(kind=Kind.TIMED)
        if call.who is not None:
            return self._child(thread.tid, call.who)
        if call.reads or call.writes:
            return self._files(thread.tid, call)
        return Wait(kind=Kind.IDLE if call.name in _WITHOUT_LIMIT else Kind.OUTSIDE)

    def _futex(self, tid: int, call: Call, futex: Futex | None) -> Wait:
        if futex is not None and futex.gil is not None:
            holder = futex.gil.holder
            return (
                Wait(kind=Kind.RUNNING)
                if holder is None
                else Wait(kind=Kind.GIL, released_by=frozenset({holder}))
            )
        if call.timed:
            return Wait(kind=Kind.TIMED)
        if futex is None or futex.shared == "?":
            return Wait(kind=Kind.OUTSIDE)
        if futex.shared and any(process.refused for process in self._picture.processes.values()):
            return Wait(kind=Kind.OUTSIDE)  # what they map is not known
        if futex.shared:
            mapping = (p for p in self._picture.processes.values() if futex.shared in p.mapped)
            ended_by = self._picture.tids - {tid} if futex.expected & _ROBUST else frozenset()
            return Wait(kind=Kind.SHARED, released_by=tids_of(mapping) - {tid}, signalled_by=ended_by)
        # A mutex that its own owner waits for may be a gate, which another thread opens by unlocking it.
        if futex.owner and not (futex.is_mutex and futex.owner == tid):
            kind = Kind.MUTEX if futex.is_mutex else Kind.JOIN
            return Wait(kind=kind, released_by=frozenset({futex.owner}))
        # Only who has this memory can see the word, and nobody else can wake who waits on it.
        kind = (
            Kind.MUTEX if futex.is_mutex else Kind.BARRIER if is_openmp_library(call.library) else Kind.LOCK
        )
        return Wait(kind=kind, released_by=self._picture.same_memory(self._process) - {tid})

    def _child(self, tid: int, who: int) -> Wait:
        children = [p for p in self._picture.children(self._process.pid) if who in (-1, p.pid)]
        if not children or not all(child.threads for child in children):
            return Wait(kind=Kind.OUTSIDE)  # one has just ended, or is none of the tree
        others = self._picture.tids - {tid}
        return Wait(kind=Kind.CHILD, released_by=tids_of(children), signalled_by=others)

    def _files(self, tid: int, call: Call) -> Wait:
        released_by: frozenset[int] = frozenset()
        for fd in {*call.reads, *call.writes}:
            holders = self._other_end(fd)
            if holders is None:
                is_pipe = fd in self._process.files and self._process.files[fd].channel is Channel.PIPE
                return Wait(kind=Kind.IDLE if is_pipe or call.name in _WITHOUT_LIMIT else Kind.OUTSIDE)
            released_by |= holders
        kind = Kind.READ if call.reads else Kind.WRITE
        return Wait(kind=kind, released_by=released_by - {tid}, signalled_by=self._picture.tids - {tid})

    def _other_end(self, fd: int) -> frozenset[int] | None:
        """The threads that could end a wait for this file; None where others could."""
        file = self._process.files.get(fd)
        if (
            file is None
            or file.outside
            or file.channel not in (Channel.PIPE, Channel.SOCKET, Channel.PROCESS)
        ):
            return None
        if file.channel is Channel.PROCESS:
            other = self._picture.processes.get(file.pid)
            return other.tids if other and other.threads else None
        if any(process.refused for process in self._picture.processes.values()):
            return None
        # Whatever poll(2) is asked for, who has one end of a pipe waits for who has the other.
        is_pipe = file.channel is Channel.PIPE
        other_end = (
            self._holders(file.identity, reads=file.writes, writes=file.reads)
            if is_pipe
            else self._holders(file.peer)
        )
        if not other_end:
            return None  # had nobody it, this would not wait: it is on its way through a socket (SCM_RIGHTS)
        # Who holds this end of a socket could shut it down (shutdown(2)).
        return other_end if is_pipe else other_end | self._holders(file.identity)

    def _holders(self, identity: str, *, reads: bool = True, writes: bool = True) -> frozenset[int]:
        """The threads of the processes that hold that file, and may read from it or write to it."""
        return tids_of(
            process
            for process in self._picture.processes.values()
            if any(
                held.identity == identity and ((reads and held.reads) or (writes and held.writes))
                for held in process.files.values()
            )
        )

    def _told_by_stack(self, thread: Thread, plain: Wait) -> Wait:
        """The same wait, as the native stacks tell it more precisely."""
        stack = self._stacks.get(thread.tid)
        if stack is None or plain.kind not in (Kind.LOCK, Kind.BARRIER, Kind.RUNNING):
            return plain
        if stack.is_at_barrier(thread.call):
            return self._at_barrier(thread.tid, plain)
        if stack.initialiser and plain.kind is not Kind.RUNNING:
            return self._for_initialiser(thread.tid, stack.initialiser, stack, plain)
        return plain

    def _at_barrier(self, tid: int, plain: Wait) -> Wait:
        inside = frozenset(tid for tid, stack in self._stacks.items() if stack.is_worker_inside_region)
        masters = [tid for tid, stack in self._stacks.items() if stack.is_master]
        # Those inside its region have not arrived. Without another master they are all of its own.
        if inside and masters == [tid] and self._knows_all_stacks:
            return Wait(kind=Kind.BARRIER, released_by=inside)
        return plain if plain.kind is Kind.RUNNING else replace(plain, kind=Kind.BARRIER)

    def _for_initialiser(self, tid: int, frame: Frame, stack: Stack, plain: Wait) -> Wait:
        others = {other: told for other, told in self._stacks.items() if other != tid}
        if stack.waits_for_once:
            kind, inside = Kind.ONCE, [other for other, told in others.items() if told.runs_once]
        else:
            kind = Kind.INITIALISER
            inside = [other for other, told in others.items() if told.is_inside(frame)]
            # One at a time initialises. Where more are in that function it may be either, or a third.
            inside = inside if len(inside) == 1 else []
        is_sure = inside and self._knows_all_stacks
        return Wait(kind=kind, released_by=frozenset(inside) if is_sure else plain.released_by)
