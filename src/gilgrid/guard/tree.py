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
    from collections.abc import Callable, Iterator

_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_GIVE_UP_S = (
    3.0  # a killed process goes in milliseconds, or has much memory to free, or sleeps uninterruptibly
)
_PAUSE_S = 0.01
_WALKS = 10  # after so many that each met somebody new, kill all the same


class Process:
    """One look at /proc/PID/stat (proc_pid_stat(5))."""

    __slots__ = ("cpu_ticks", "dead", "name", "parent", "pid", "session", "since")

    def __init__(self, stat: bytes) -> None:
        # The name may itself hold spaces, parentheses and newlines: it ends at the last parenthesis.
        pid, _, rest = stat.partition(b" (")
        name, _, rest = rest.rpartition(b") ")
        fields = rest.split()
        self.pid = int(pid)
        self.name = name.decode(errors="backslashreplace")
        # A zombie with threads is a process whose first thread has ended while others run.
        self.dead = fields[0] in b"ZX" and int(fields[17]) <= 1
        self.parent = int(fields[1])
        self.session = int(fields[3])
        self.cpu_ticks = sum(map(int, fields[11:15]))  # of its own and of the children it has waited for
        self.since = int(fields[19])

    @property
    def identity(self) -> tuple[int, int]:
        """Equal for two looks at one process, different for another one that got its pid."""
        return self.pid, self.since

    def send(self, number: int) -> None:
        """Send a signal to this very process; to none if it has ended or may not be signalled."""
        try:
            pidfd = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        except (AttributeError, OSError):
            pidfd = None  # Linux before 5.3, or a seccomp profile of that age: a race of microseconds remains
        try:
            # What the descriptor refers to no longer changes: only now look whether it is the process meant.
            now = look(self.pid)
            if now is None or now.identity != self.identity:
                return
            if pidfd is None:
                os.kill(self.pid, number)
            else:
                signal.pidfd_send_signal(pidfd, number)
        except (ProcessLookupError, PermissionError):
            pass
        finally:
            if pidfd is not None:
                os.close(pidfd)


def look(pid: int) -> Process | None:
    """Return the process, or None if there is none (any more)."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as stat:  # noqa: PTH123 - pathlib costs 15 ms to import
            return Process(stat.read())
    except (FileNotFoundError, ProcessLookupError):
        return None


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
        signal.pthread_sigmask(signal.SIG_SETMASK, ())  # the thread that started us may have blocked it

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


def _end(
    processes: Callable[[], list[Process]], left: Callable[[], bool], pause: Callable[[], None]
) -> list[Process]:
    """Stop, walk, kill until none is left; returns all that were met alive."""
    met: dict[tuple[int, int], Process] = {}
    give_up = time.monotonic() + _GIVE_UP_S
    walks = 0
    while left() and time.monotonic() < give_up:
        living = [process for process in processes() if not process.dead]
        fresh = [process for process in living if process.identity not in met]
        met.update((process.identity, process) for process in fresh)
        # Who is stopped cannot replace those that are killed. All of them every time: one that was not yet
        # stopped may have woken another.
        for process in living:
            process.send(signal.SIGSTOP)
        walks += 1
        if fresh and walks % _WALKS:
            continue  # a fork may have been under way: look again before the first is killed
        for process in living:
            process.send(signal.SIGKILL)
        pause()
    return list(met.values())
