"""A process tree at one instant, as plain data: what `waits` and `proof` reason about.

`collect` takes pictures of real processes; tests keep some of them as files. Thread ids are unique in a tree.
"""

from __future__ import annotations

from dataclasses import field
from functools import cached_property
from typing import TYPE_CHECKING

from gilgrid.since.dataclasses import dataclass
from gilgrid.since.enum import StrEnum

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


class Channel(StrEnum):
    """What an open file lets processes say to each other through."""

    PIPE = "pipe"
    SOCKET = "socket"  # of one Unix socket pair
    PROCESS = "process"  # a pidfd
    TIMER = "timer"
    OTHER = "other"


@dataclass(frozen=True, kw_only=True)
class File:
    """One open file descriptor.

    `identity` is equal for two descriptors of one pipe, or of one end of a socket pair; `peer` is the
    identity of the other end. `outside`: a process that is not of the tree holds it, or may hold it. `pid` is
    whom a pidfd refers to.
    """

    channel: Channel
    identity: str = ""
    peer: str = ""
    reads: bool = True
    writes: bool = True
    outside: bool = False
    pid: int = 0


@dataclass(frozen=True, kw_only=True)
class Gil:
    """A GIL as its memory shows it: `holder` is a thread id, None while it is free."""

    holder: int | None
    switches: int


@dataclass(frozen=True, kw_only=True)
class Futex:
    """What a thread in futex(2) waits on.

    `expected` is the value with which it began to wait, `word` the one that is there now. `owner` is the
    thread that has the mutex, where `is_mutex`, or else the one that is joined; 0 for none of the process.
    `shared` is the identity of the shared mapping that the word lies in: "" where only this process can see
    it, "?" where nobody knows who can.
    """

    expected: int
    word: int
    owner: int = 0
    is_mutex: bool = False
    shared: str = ""
    gil: Gil | None = None


@dataclass(frozen=True, kw_only=True)
class Call:
    """The system call that a thread is blocked in; `timed` where it ends by itself.

    `reads` and `writes` are the descriptors that it waits on. `who` is the process that is waited for, -1 for
    any child. `stack` and `code` are the addresses of its stack pointer and of its instruction; `library` is
    what that instruction is of.
    """

    name: str
    timed: bool = False
    futex: Futex | None = None
    reads: tuple[int, ...] = ()
    writes: tuple[int, ...] = ()
    who: int | None = None
    stack: int = 0
    code: int = 0
    library: str = ""


@dataclass(frozen=True, kw_only=True)
class Thread:
    """One thread. `call` is None while it runs or is about to; `stopped` by a signal or a debugger."""

    tid: int
    name: str = ""
    call: Call | None = None
    stopped: bool = False


@dataclass(frozen=True, kw_only=True)
class Process:
    """One process.

    `handled` are signals that have a handler and that some thread does not block; `handles_interrupt`:
    the one of SIGINT is not CPython's, which raises KeyboardInterrupt, or Python has one for SIGWINCH.
    `mapped` are the identities of the shared memory that it maps. `memory` is the pid of the first
    process that has the very same memory, mostly its own. `is_fork`: it runs the program of its parent,
    by fork(2) alone, and `had_threads` that it does not have any more, or its parent had before the fork.
    `has_timers`: POSIX timers. `refused` says what of it may not be looked at.
    """

    pid: int
    parent: int
    name: str = ""
    threads: tuple[Thread, ...] = ()
    handled: frozenset[int] = frozenset()
    handles_interrupt: bool = False
    files: Mapping[int, File] = field(default_factory=dict)
    mapped: frozenset[str] = frozenset()
    memory: int = 0
    has_timers: bool = False
    is_fork: bool = False
    had_threads: bool = False
    has_openmp: bool = False
    refused: str = ""

    @property
    def tids(self) -> frozenset[int]:
        """Its threads."""
        return frozenset(thread.tid for thread in self.threads)


def tids_of(processes: Iterable[Process]) -> frozenset[int]:
    """The threads of several processes."""
    return frozenset(tid for process in processes for tid in process.tids)


@dataclass(frozen=True, kw_only=True)
class Picture:
    """All processes of a tree; `root` is the pid of the command itself.

    It is not complete where one has come before it was finished.
    """

    root: int
    processes: Mapping[int, Process]
    is_complete: bool = True

    def threads(self) -> Iterator[tuple[Process, Thread]]:
        """Every thread, with its process."""
        for process in self.processes.values():
            for thread in process.threads:
                yield process, thread

    @cached_property
    def tids(self) -> frozenset[int]:
        """All threads."""
        return tids_of(self.processes.values())

    def gils(self) -> Iterator[Gil]:
        """The GILs that some thread waits for."""
        for _, thread in self.threads():
            if thread.call and thread.call.futex and thread.call.futex.gil:
                yield thread.call.futex.gil

    def ancestors(self, pid: int) -> list[Process]:
        """The parent of a process and so on, as far as they are of the tree."""
        found = []
        process = self.processes.get(self.processes[pid].parent)
        while process is not None:
            found.append(process)
            process = self.processes.get(process.parent)
        return found

    def same_memory(self, process: Process) -> frozenset[int]:
        """The threads that have the memory of that process: its own, and those of clone(2) with CLONE_VM."""
        return tids_of(other for other in self.processes.values() if other.memory == process.memory)

    def children(self, pid: int) -> list[Process]:
        """The children of a process."""
        return [process for process in self.processes.values() if process.parent == pid]
