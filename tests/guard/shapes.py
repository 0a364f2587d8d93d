"""The shapes of process trees that are hard to end, as a program: `shapes.py SHAPE FIFO`.

Each process of a shape enters its name, pid and parent's pid in the FIFO and holds it open until it dies:
when all have entered, the shape stands; when the FIFO has no writer any more, the shape is gone.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

LIFE_S = 60  # none may outlive a failed test for long


def enter(name: str) -> None:
    signal.alarm(LIFE_S)
    os.write(roll, f"{name} {os.getpid()} {os.getppid()}\n".encode())


def child(then: Callable[[], None]) -> None:
    if os.fork() == 0:
        then()
        os._exit(0)


def stay(name: str) -> None:
    enter(name)
    while True:
        signal.pause()


def plain() -> None:
    child(lambda: stay("child"))
    stay("root")


def setsid() -> None:
    def leave() -> None:
        os.setsid()
        stay("child")

    child(leave)
    stay("root")


def daemon() -> None:
    def leave() -> None:
        os.setsid()
        child(lambda: stay("daemon"))

    child(leave)


def double_fork() -> None:
    daemon()
    stay("root")


def ignores_term() -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    child(lambda: child(lambda: stay("grandchild")))
    child(lambda: stay("child"))
    stay("root")


def stopped() -> None:
    def stop() -> None:
        enter("child")
        os.kill(os.getpid(), signal.SIGSTOP)

    child(stop)
    child(stop)
    stay("root")


def respawner(pairs: int = 3) -> None:
    """Pairs; in each, whoever finds the other dead makes a new one."""
    for _ in range(pairs):
        child(pair)
    stay("root")


def pair() -> None:
    until = time.monotonic() + LIFE_S
    enter("first")
    while time.monotonic() < until:
        mine, theirs = os.pipe(), os.pipe()
        if os.fork() == 0:
            mine, theirs = theirs, mine
            os.setsid()
            enter("mate")
        os.close(mine[0])
        os.close(theirs[1])
        os.read(theirs[0], 1)  # the mate holds its other end: this returns when it is dead
        os.close(theirs[0])
        os.close(mine[1])


def wakers() -> None:
    """Two that wake one another all the time, so that none stays stopped, and replace one another."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    pids = memoryview(mmap.mmap(-1, 4096)).cast("i")
    until = time.monotonic() + LIFE_S

    def wake(me: int) -> None:
        os.setsid()
        enter("waker")
        pids[me] = os.getpid()
        while time.monotonic() < until:
            try:
                if pids[1 - me]:
                    os.kill(pids[1 - me], signal.SIGCONT)
            except ProcessLookupError:
                child(lambda: wake(1 - me))

    child(lambda: wake(0))
    child(lambda: wake(1))
    stay("root")


def root_exited_first() -> None:
    daemon()
    child(lambda: stay("child"))


def subreaper() -> None:
    """A subreaper in a session of its own, whose orphans come to it and not to the guard."""

    def adopt() -> None:
        os.setsid()
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
        daemon()
        stay("subreaper")

    child(adopt)
    stay("root")


def threads_left() -> None:
    """Its first thread ends and the second goes on: a zombie to look at, yet alive."""

    def go_on() -> None:
        enter("root")
        time.sleep(LIFE_S)

    threading.Thread(target=go_on).start()
    ctypes.CDLL(None).pthread_exit(None)


def forks_on() -> None:
    """A short chain of generations that never stands still: each forks the next and dies."""
    enter("root")
    until = time.monotonic() + LIFE_S
    while time.monotonic() < until:
        if os.fork():
            os._exit(0)
        os.setsid()


SHAPES: dict[str, tuple[Callable[[], None], int]] = {
    "plain": (plain, 2),
    "setsid": (setsid, 2),
    "double fork": (double_fork, 2),
    "ignores TERM": (ignores_term, 3),
    "stopped": (stopped, 3),
    "respawner": (respawner, 7),
    "respawner, many": (lambda: respawner(40), 81),
    "wakers": (wakers, 3),
    "root exited first": (root_exited_first, 2),
    "subreaper": (subreaper, 3),
    "threads left": (threads_left, 1),
    "forks on": (forks_on, 1),
}

if __name__ == "__main__":
    roll = os.open(sys.argv[2], os.O_WRONLY)
    SHAPES[sys.argv[1]][0]()
