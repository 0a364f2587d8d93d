"""Targets that wait some seconds for a signal and then end well: `signals.py SCENARIO`.

Where it is not said otherwise, the wait itself has no timeout, and a handler ends it.
"""

from __future__ import annotations

import _thread
import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.guard.targets.programs.children import LATER_S, child
else:
    from children import LATER_S, child

LOCK_TWICE = [sys.executable, str(Path(__file__).with_name("locks.py")), "lock-twice"]


class Gate:
    """A lock that is taken, and let go by a signal's handler."""

    def __init__(self, number: int) -> None:
        self.lock = threading.Lock()
        self.lock.acquire()
        signal.signal(number, lambda *_: self.lock.release())

    def wait(self) -> None:
        self.lock.acquire()


def event_by_setitimer() -> None:
    event = threading.Event()
    signal.signal(signal.SIGALRM, lambda *_: event.set())
    signal.setitimer(signal.ITIMER_REAL, LATER_S)
    event.wait()


def lock_by_alarm() -> None:
    gate = Gate(signal.SIGALRM)
    signal.alarm(int(LATER_S))
    gate.wait()


def read_by_alarm() -> None:
    """A pipe of its own, which the handler writes to."""
    ours, theirs = os.pipe()
    signal.signal(signal.SIGALRM, lambda *_: os.write(theirs, b"x"))
    signal.alarm(int(LATER_S))
    assert os.read(ours, 1) == b"x"


def raising_by_alarm() -> None:
    """The handler raises, as a timeout does that is made of alarm(2)."""

    def stop(*_: object) -> None:
        raise TimeoutError

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(int(LATER_S))
    with suppress(TimeoutError):
        threading.Event().wait()


def wait_by_alarm() -> None:
    """wait(2) for a child that is deadlocked, which the handler ends."""
    with subprocess.Popen(LOCK_TWICE) as hung:
        signal.signal(signal.SIGALRM, lambda *_: hung.kill())
        signal.alarm(int(LATER_S) + 1)
        assert hung.wait() == -signal.SIGKILL


def lock_by_posix_timer() -> None:
    """A timer of timer_create(2), which has no module in Python."""
    gate = Gate(signal.SIGALRM)
    timer = ctypes.c_void_p()
    libc = ctypes.CDLL("librt.so.1", use_errno=True)
    assert libc.timer_create(time.CLOCK_MONOTONIC, None, ctypes.byref(timer)) == 0
    when = (ctypes.c_long * 4)(0, 0, int(LATER_S), 0)
    assert libc.timer_settime(timer, 0, when, None) == 0
    gate.wait()


def lock_by_child_signal() -> None:
    gate = Gate(signal.SIGUSR1)
    parent = os.getpid()
    with child(lambda: os.kill(parent, signal.SIGUSR1)):
        gate.wait()


def lock_by_child_end() -> None:
    """The handler is SIGCHLD's."""
    gate = Gate(signal.SIGCHLD)
    with child(lambda: None):
        gate.wait()


def lock_by_stranger() -> None:
    """SIGTERM from a process whose parent has gone, in a session of its own."""
    gate = Gate(signal.SIGTERM)
    waiting = os.getpid()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(LATER_S)
            os.kill(waiting, signal.SIGTERM)
        os._exit(0)
    os.wait()
    gate.wait()


def lock_by_interrupt() -> None:
    """SIGINT with a handler of one's own, by a child."""
    gate = Gate(signal.SIGINT)
    parent = os.getpid()
    with child(lambda: os.kill(parent, signal.SIGINT)):
        gate.wait()


def keyboard_interrupt() -> None:
    """SIGINT with Python's own handler, by a child."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    parent = os.getpid()
    with child(lambda: os.kill(parent, signal.SIGINT)), suppress(KeyboardInterrupt):
        threading.Event().wait()


def keyboard_interrupt_by_thread() -> None:
    """SIGINT with Python's own handler, by a thread that sleeps until then."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    main = threading.get_ident()
    threading.Timer(LATER_S, lambda: signal.pthread_kill(main, signal.SIGINT)).start()
    with suppress(KeyboardInterrupt):
        threading.Event().wait()


def interrupt_by_alarm() -> None:
    """SIGALRM's handler interrupts the main thread by the function for it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGALRM, lambda *_: _thread.interrupt_main())
    signal.setitimer(signal.ITIMER_REAL, LATER_S)
    with suppress(KeyboardInterrupt):
        threading.Event().wait()


def join_by_alarm() -> None:
    """The main thread joins one that waits for an event, which a handler in the main thread sets."""
    event = threading.Event()
    thread = threading.Thread(target=event.wait)
    thread.start()
    signal.signal(signal.SIGALRM, lambda *_: event.set())
    signal.alarm(int(LATER_S))
    thread.join()


def sigwait() -> None:
    """The signal is blocked and fetched; there is no handler."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
    signal.setitimer(signal.ITIMER_REAL, LATER_S)
    assert signal.sigwait({signal.SIGALRM}) == signal.SIGALRM


def sigwait_in_a_thread() -> None:
    """A thread fetches the signal and lets the main thread go."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
    event = threading.Event()

    def fetch() -> None:
        signal.sigwait({signal.SIGALRM})
        event.set()

    threading.Thread(target=fetch).start()
    signal.setitimer(signal.ITIMER_REAL, LATER_S)
    event.wait()


def pause() -> None:
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.alarm(int(LATER_S))
    signal.pause()


def wakeup_descriptor() -> None:
    """The signal's number comes through a socket pair of the process's own."""
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)  # noqa: FBT003
    signal.set_wakeup_fd(theirs.fileno())
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.alarm(int(LATER_S))
    assert ours.recv(1) == bytes([signal.SIGALRM])


def child_ended_by_its_alarm() -> None:
    """A deadlocked child that SIGALRM ends, for which it has no handler."""
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(int(LATER_S))
        lock = threading.Lock()
        with lock, lock:
            os._exit(1)
    assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGALRM


if __name__ == "__main__":
    globals()[sys.argv[1].replace("-", "_")]()
    print("done")
