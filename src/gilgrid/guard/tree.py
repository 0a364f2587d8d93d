"""Owns a process tree and ends it whole: all that /proc, signals and waiting are needed for."""

from __future__ import annotations

import ctypes
import os
import resource
import select
import signal
import time
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
# A killed process goes in milliseconds, unless it has much memory to free or sleeps uninterruptibly. So long
# may pass without anybody coming or going, and so long in all.
_GIVE_UP_S = 3.0
_GIVE_UP_AT_LAST_S = 60.0
_PAUSE_S = 0.01
_WALKS = 10  # after so many that each met somebody new, kill all the same
_BATCH = 256  # descriptors open at a time


class Process:
    """One look at /proc/PID/stat (proc_pid_stat(5))."""

    __slots__ = ("cpu_ticks", "dead", "leader_ended", "name", "parent", "pid", "session", "since", "stopped")

    def __init__(self, stat: bytes) -> None:
        # The name may itself hold spaces, parentheses and newlines: it ends at the last parenthesis.
        pid, _, rest = stat.partition(b" (")
        name, _, rest = rest.rpartition(b") ")
        fields = rest.split()
        self.pid = int(pid)
        self.name = name.decode(errors="backslashreplace")
        # A zombie with threads is a process whose first thread has ended while others run.
        self.leader_ended = fields[0] in b"ZX"
        self.dead = self.leader_ended and int(fields[17]) <= 1
        self.stopped = fields[0] in b"Tt"
        self.parent = int(fields[1])
        self.session = int(fields[3])
        self.cpu_ticks = sum(map(int, fields[11:15]))  # of its own and of the children it has waited for
        self.since = int(fields[19])

    @property
    def identity(self) -> tuple[int, int]:
        """Equal for two looks at one process, different for another one that got its pid."""
        return self.pid, self.since


def look(pid: int) -> Process | None:
    """Return the process, or None if there is none (any more)."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as stat:  # noqa: PTH123 - pathlib costs 15 ms to import
            return Process(stat.read())
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None


def folder(pid: int) -> str:
    """The folder in /proc that tells of the files and the memory of a process.

    Its own tells nothing once its first thread has ended, while others run on (pthread_exit(3)).
    """
    process = look(pid)
    if process is not None and process.leader_ended:
        with suppress(OSError):
            for name in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - as above
                if int(name) != pid:
                    return f"/proc/{pid}/task/{name}"
    return f"/proc/{pid}"


def everyone() -> Iterator[Process]:
    """All processes that /proc shows."""
    for entry in os.listdir("/proc"):  # noqa: PTH208 - as above
        if entry.isdigit():
            process = look(int(entry))
            if process is not None:
                yield process


class Tree:
    """All descendants of this process, which no descendant can leave while this one lives.

    It makes this process their child subreaper (PR_SET_CHILD_SUBREAPER(2const)): whoever loses its parent
    becomes its child, unless a subreaper in between takes it, which is a descendant itself. It reaps every
    child, so nothing else in this process may wait for one.
    """

    def __init__(self) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "cannot become a child subreaper")
        self.root: int | None = None
        self.root_status: int | None = None  # a wait status (waitpid(2)), once the root has ended
        self.changes, wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)  # readable when a signal has come
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # without a handler nothing is written to `wake`
        # Who started us may have blocked it.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})

    def reap(self) -> bool:
        """Take in the children that have ended; whether any process of the tree is left, dead or alive.

        Who has no children has no descendants: each has a parent that lives or is not yet reaped, and so on
        up to this process.
        """
        with suppress(BlockingIOError):
            os.read(self.changes, 4096)
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == self.root:
                self.root_status = status

    def processes(self) -> list[Process]:
        """All of the tree, parents before children, zombies too."""
        children: dict[int, list[Process]] = {}
        for process in everyone():
            children.setdefault(process.parent, []).append(process)
        found = children.get(os.getpid(), [])
        for process in found:  # grows while it is walked
            found += children.get(process.pid, ())
        return found

    def cpu_seconds(self) -> float:
        """CPU time that the tree has used so far, in steps of some 10 ms; lacks what nobody waited for."""
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        ticks = sum(process.cpu_ticks for process in self.processes())
        return usage.ru_utime + usage.ru_stime + ticks / _TICKS_PER_SECOND

    def end(self) -> tuple[list[Process], list[Process]]:
        """End all of it; returns whom that ended and, normally empty, who outlived it.

        It gives up after some seconds: a process in uninterruptible sleep, or of another user, may never go.
        """

        def pause() -> None:
            select.select([self.changes], [], [], _PAUSE_S)

        met = _end(self.processes, self.reap, pause)
        survivors = {process.identity for process in self.processes() if not process.dead}
        return [p for p in met if p.identity not in survivors], [p for p in met if p.identity in survivors]


def end_session(leader: int, since: int) -> None:
    """End what is left of a session, by the pid and the start time that its leader has or had.

    For when the owner of a tree is lost: it misses whoever has left the session.
    """

    def members() -> list[Process]:
        found = [process for process in everyone() if process.session == leader]
        # The kernel gives a pid to nobody while a session goes by it, so another leader is another session.
        return found if all(process.pid != leader or process.since == since for process in found) else []

    def left() -> bool:
        return not all(process.dead for process in members())

    _end(members, left, lambda: time.sleep(_PAUSE_S))


def end_descendants(pid: int) -> None:
    """End a process that is no child of this one, and all that descend from it, but this process.

    It misses whoever had lost its parent before.
    """
    known: dict[int, tuple[int, int]] = {}
    us = os.getpid()

    def members() -> list[Process]:
        found = []
        everybody = sorted(everyone(), key=lambda one: one.since)  # parents before their children
        identities = {process.pid: process.identity for process in everybody}
        for process in everybody:
            is_first = process.pid == pid and not known
            above = known.get(process.parent)  # whose pid may be another's by now
            is_child = above is not None and identities.get(process.parent, above) == above
            if process.pid != us and (is_first or is_child or known.get(process.pid) == process.identity):
                known[process.pid] = process.identity
                found.append(process)
        return found

    def left() -> bool:
        return not all(process.dead for process in members())

    _end(members, left, lambda: time.sleep(_PAUSE_S))


def _end(
    processes: Callable[[], list[Process]], left: Callable[[], bool], pause: Callable[[], None]
) -> list[Process]:
    """Stop, walk, kill until none is left; returns all that were met alive."""
    met: dict[tuple[int, int], Process] = {}
    before: set[tuple[int, int]] = set()
    walks = 0
    now = time.monotonic()
    give_up, give_up_at_last = now + _GIVE_UP_S, now + _GIVE_UP_AT_LAST_S
    while left() and now < min(give_up, give_up_at_last):
        living = {process.identity: process for process in processes() if not process.dead}
        fresh = living.keys() - met.keys()
        met |= living
        # Who is stopped cannot replace those that are killed. All of them every time: one that was not yet
        # stopped may have woken another.
        _send_all(living.values(), signal.SIGSTOP)
        walks += 1
        if not fresh or walks % _WALKS == 0:
            _send_all(living.values(), signal.SIGKILL)
            pause()
        # Else a fork may have been under way: look again before the first is killed.
        now = time.monotonic()
        if living.keys() != before:
            before, give_up = set(living), now + _GIVE_UP_S
    return list(met.values())


def _send_all(processes: Iterable[Process], number: int) -> None:
    """Send a signal to these very processes, and to none that has got one's pid since.

    Within microseconds of one another, so that the first has no time to answer for the last: all are aimed
    at before any is hit.
    """
    for batch in _batches(list(processes)):
        shots = [shot for process in batch if (shot := _aim(process)) is not None]
        for shoot, target in shots:
            with suppress(ProcessLookupError, PermissionError):
                shoot(target, number)
        for shoot, target in shots:
            if shoot is not os.kill:
                os.close(target)


def _batches(processes: list[Process]) -> Iterator[list[Process]]:
    for start in range(0, len(processes), _BATCH):
        yield processes[start : start + _BATCH]


def _aim(process: Process) -> tuple[Callable[[int, int], None], int] | None:
    """How to send this very process a signal; None when it has ended."""
    if process.parent == os.getpid():
        return os.kill, process.pid  # nobody gets a child's pid before it is reaped, which `reap` alone does
    try:
        pidfd = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return None
    except (AttributeError, OSError):
        pidfd = -1  # Linux before 5.3, or a seccomp profile of that age: a race of microseconds remains
    # What the descriptor refers to no longer changes: only now look whether it is the process meant.
    now = look(process.pid)
    if now is None or now.identity != process.identity:
        if pidfd >= 0:
            os.close(pidfd)
        return None
    return (signal.pidfd_send_signal, pidfd) if pidfd >= 0 else (os.kill, process.pid)
