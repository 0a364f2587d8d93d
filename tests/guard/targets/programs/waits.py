"""Targets that wait some seconds for a thread of their own and then end well: `waits.py SCENARIO`.

To a hasty look they are dead; some were, but for one who gives up.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.guard.targets.programs.children import LATER_S, child
else:
    from children import LATER_S, child

LOCK_TWICE = [sys.executable, str(Path(__file__).with_name("locks.py")), "lock-twice"]
fork: Any = multiprocessing.get_context("fork")


def sleep() -> None:
    time.sleep(LATER_S)


def event_by_timer() -> None:
    event = threading.Event()
    threading.Timer(LATER_S, event.set).start()
    event.wait()


def chain_of_joins() -> None:
    """Each of ten threads joins the next, the last sleeps."""
    threads = [threading.Thread(target=time.sleep, args=(LATER_S,))]
    for _ in range(10):
        threads.append(threading.Thread(target=threads[-1].join))
    for thread in threads:
        thread.start()
    threads[-1].join()


def timed_lock() -> None:
    lock = threading.Lock()
    lock.acquire()
    assert not lock.acquire(timeout=LATER_S)


def lock_released_by_another() -> None:
    """A lock may be let go by who did not take it."""
    lock = threading.Lock()
    lock.acquire()
    threading.Timer(LATER_S, lock.release).start()
    lock.acquire()


def descriptor_of_a_thread() -> None:
    """A pipe's other end is in a table of descriptors that one thread has for itself."""
    ours, theirs = os.pipe()
    apart = threading.Event()

    def write() -> None:
        clone_files = 0x400
        assert ctypes.CDLL(None).unshare(clone_files) == 0
        apart.set()
        time.sleep(LATER_S)
        os.write(theirs, b"x")

    threading.Thread(target=write).start()
    apart.wait()
    os.close(theirs)
    assert os.read(ours, 1) == b"x"


def exec_by_thread() -> None:
    """The main thread wants a lock that it has; another thread executes a program in place of it."""
    arguments = [sys.executable, "-c", f"import time; time.sleep({LATER_S / 2}); print('done')"]
    threading.Timer(LATER_S / 2, os.execv, (sys.executable, arguments)).start()
    hang()


def main_thread_gone() -> None:
    """A zombie to look at, while another thread sleeps."""

    def go_on() -> None:
        time.sleep(LATER_S)
        os.write(sys.stdout.fileno(), b"done\n")
        os._exit(0)

    threading.Thread(target=go_on).start()
    ctypes.CDLL(None).pthread_exit(None)


def polled_event() -> None:
    """An event polled with a timeout, as many programs do."""
    event = threading.Event()
    until = time.monotonic() + LATER_S
    while time.monotonic() < until:
        event.wait(0.3)


def lock_order_with_timeout() -> None:
    """Two threads have one of two locks each and want the other's; one of them gives up."""
    left, right = threading.Lock(), threading.Lock()
    both = threading.Barrier(2)

    def give_up() -> None:
        with right:
            both.wait()
            assert not left.acquire(timeout=LATER_S)

    thread = threading.Thread(target=give_up)
    thread.start()
    with left:
        both.wait()
        with right:
            pass
    thread.join()


def daemons_deadlocked() -> None:
    """Two daemon threads have one of two locks each and want the other's; nobody waits for them."""
    left, right = threading.Lock(), threading.Lock()
    both = threading.Barrier(3)

    def take(first: threading.Lock, second: threading.Lock) -> None:
        with first:
            both.wait()
            with second:
                pass

    threading.Thread(target=take, args=(left, right), daemon=True).start()
    threading.Thread(target=take, args=(right, left), daemon=True).start()
    both.wait()
    time.sleep(LATER_S)


# ---- A hang from which something alive recovers ----


def gives_up_on_child() -> None:
    """A deadlocked child that its parent gives up."""
    with suppress(subprocess.TimeoutExpired):
        subprocess.run(LOCK_TWICE, check=True, timeout=4)


def gives_up_on_process() -> None:
    """As above, with multiprocessing."""
    worker = fork.Process(target=hang)
    worker.start()
    worker.join(4)
    assert worker.exitcode is None
    worker.terminate()
    worker.join()
    assert worker.exitcode == -signal.SIGTERM


def gives_up_on_pool() -> None:
    """As above, with a pool."""
    with fork.Pool(2) as pool, suppress(multiprocessing.TimeoutError):
        pool.apply_async(hang).get(4)


def thread_gives_up_on_child() -> None:
    """The main thread waits for a deadlocked child, a thread that sleeps ends it."""
    with subprocess.Popen(LOCK_TWICE) as hung:
        threading.Timer(4, hung.kill).start()
        assert hung.wait() == -signal.SIGKILL


def sibling_gives_up_on_child() -> None:
    """The main thread waits for a deadlocked child, another child ends it."""
    with subprocess.Popen(LOCK_TWICE) as hung, child(lambda: os.kill(hung.pid, signal.SIGKILL), after_s=4):
        assert hung.wait() == -signal.SIGKILL


def hang() -> None:
    lock = threading.Lock()
    with lock, lock:
        pass


if __name__ == "__main__":
    globals()[sys.argv[1].replace("-", "_")]()
    print("done")
