"""Pictures drawn by hand: a process is what its threads wait in, and these are numbered from its pid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gilgrid.evidence import Frame
from gilgrid.guard.proof.fixed_point import dead, is_deadlock
from gilgrid.guard.proof.picture import Call, Channel, File, Futex, Gil, Picture, Process, Thread
from gilgrid.guard.proof.stack import Stack
from gilgrid.guard.proof.waits import waits

if TYPE_CHECKING:
    from gilgrid.guard.proof.waits import Stacks, Wait

GOMP = "/usr/lib/libgomp.so.1"
OMP = "/usr/lib/libomp.so.5"
LIBC = "/usr/lib/libc.so.6"
PYTHON = "/usr/lib/libpython3.12.so.1.0"

RUNS = None
SLEEPS = Call(name="clock_nanosleep", timed=True)
SERVES = Call(name="epoll_wait")
POLLS = Call(name="poll", reads=(3,), timed=True)
LOCK = Call(name="futex", futex=Futex(expected=0, word=0), library=LIBC)
TIMED_LOCK = Call(name="futex", futex=Futex(expected=0, word=0), library=LIBC, timed=True)
BARRIER = Call(name="futex", futex=Futex(expected=8, word=8), library=GOMP)
FREE_GIL = Call(name="futex", futex=Futex(expected=0, word=0, gil=Gil(holder=None, switches=1)), timed=True)
ANY_CHILD = Call(name="wait4", who=-1)


def gil(holder: int) -> Call:
    return Call(name="futex", futex=Futex(expected=0, word=0, gil=Gil(holder=holder, switches=1)), timed=True)


def mutex(owner: int) -> Call:
    return Call(name="futex", futex=Futex(expected=2, word=2, owner=owner, is_mutex=True), library=LIBC)


def joins(tid: int) -> Call:
    return Call(name="futex", futex=Futex(expected=tid, word=tid, owner=tid), library=LIBC)


def shared(identity: str) -> Call:
    return Call(name="futex", futex=Futex(expected=0, word=0, shared=identity), library=LIBC)


def child(pid: int) -> Call:
    return Call(name="wait4", who=pid)


def reads(*files: int) -> Call:
    return Call(name="poll" if len(files) > 1 else "read", reads=files)


def writes(*files: int) -> Call:
    return Call(name="write", writes=files)


def read_end(name: str, **facts: Any) -> File:
    return File(channel=Channel.PIPE, identity=name, writes=False, **facts)


def write_end(name: str, **facts: Any) -> File:
    return File(channel=Channel.PIPE, identity=name, reads=False, **facts)


def socket(name: str, peer: str, **facts: Any) -> File:
    return File(channel=Channel.SOCKET, identity=name, peer=peer, **facts)


def pidfd(pid: int) -> File:
    return File(channel=Channel.PROCESS, identity="anon_inode:[pidfd]", pid=pid)


def process(pid: int, *calls: Call | None, parent: int = 1, **facts: Any) -> Process:
    """A process whose first thread is in the first call, and so on."""
    threads = tuple(Thread(tid=pid + index, call=call) for index, call in enumerate(calls))
    return Process(**{"pid": pid, "parent": parent, "threads": threads, "memory": pid, **facts})


def picture(*processes: Process) -> Picture:
    """A picture whose first process is the command."""
    return Picture(root=processes[0].pid, processes={process.pid: process for process in processes})


def wait(drawn: Picture, tid: int, stacks: Stacks | None = None) -> Wait:
    """What the rules say of one thread."""
    return waits(drawn, stacks or {})[tid]


def the_dead(drawn: Picture, stacks: Stacks | None = None) -> set[int]:
    return set(dead(waits(drawn, stacks or {})))


def deadlocked(drawn: Picture, stacks: Stacks | None = None) -> bool:
    told = waits(drawn, stacks or {})
    return is_deadlock(drawn, told, dead(told))


BEGINNING = "__clone3@/usr/lib/libc.so.6"


def stack(*native: str, python: tuple[tuple[str, str], ...] = ()) -> Stack:
    """Native frames are `function@library`, innermost first; Python's are function and file.

    The frame that every stack begins with is added.
    """
    frames = [frame.partition("@") for frame in [*native, *([BEGINNING] if native else [])]]
    return Stack(
        native=tuple(Frame(function=function, library=library) for function, _, library in frames),
        python=tuple(Frame(function=function, file=file, line=1) for function, file in python),
    )
