"""Targets that wait some seconds for another process and then end well: `neighbours.py SCENARIO`."""

from __future__ import annotations

import array
import ctypes
import fcntl
import multiprocessing
import os
import pty
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.guard.targets.programs.children import LATER_S, begin, child, ended_well
else:
    from children import LATER_S, begin, child, ended_well

fork: Any = multiprocessing.get_context("fork")


def pipe() -> None:
    ours, theirs = os.pipe()
    with child(lambda: os.write(theirs, b"x")):
        assert os.read(ours, 1) == b"x"


def pipe_end() -> None:
    """Read to the end, which comes when a child ends."""
    ours, theirs = os.pipe()
    with child(lambda: None):
        os.close(theirs)
        assert os.read(ours, 1) == b""


def pipe_full() -> None:
    """Write into a full pipe, until a child reads."""
    ours, theirs = os.pipe()
    with child(lambda: os.read(ours, 200_000)), open(theirs, "wb") as full:  # noqa: PTH123 - a descriptor
        full.write(b"x" * 100_000)


def pipe_through_two() -> None:
    """A child waits for another, which sleeps, and passes on what it gets."""
    (one, one_in), (two, two_in) = os.pipe(), os.pipe()
    relay = begin(lambda: os.write(two_in, os.read(one, 1)))
    with child(lambda: os.write(one_in, b"x")):
        assert os.read(two, 1) == b"x"
    assert ended_well(relay)


def socket_pair() -> None:
    ours, theirs = socket.socketpair()
    with child(lambda: theirs.send(b"x")):
        assert ours.recv(1) == b"x"


def descriptor_under_way() -> None:
    """A pipe's other end is held by nobody: it is in a socket's buffer, where a child fetches it, later."""
    ours, theirs = os.pipe()
    sender, receiver = socket.socketpair()
    right = array.array("i", [theirs])

    def receive_and_write() -> None:
        _, ancillary, _, _ = receiver.recvmsg(1, socket.CMSG_LEN(right.itemsize))
        received = array.array("i", ancillary[0][2])
        os.write(received[0], b"x")

    with child(receive_and_write):
        sender.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, right)])
        os.close(theirs)
        assert os.read(ours, 1) == b"x"


def pipe_opened_by_name() -> None:
    """A pipe of which this process alone has both ends; a child opens one by its name in /proc, later."""
    ours, theirs = os.pipe()

    def write() -> None:
        os.close(ours)
        os.close(theirs)
        time.sleep(LATER_S)
        write_to(f"/proc/{os.getppid()}/fd/{theirs}")

    with child(write, after_s=0):
        assert os.read(ours, 1) == b"x"


def event_descriptor() -> None:
    """An eventfd, which has no other end."""
    descriptor = ctypes.CDLL(None).eventfd(0, 0)
    with child(lambda: os.write(descriptor, (1).to_bytes(8, sys.byteorder))):
        assert len(os.read(descriptor, 8)) == 8


def semaphore() -> None:
    semaphore = fork.Semaphore(0)
    with child(semaphore.release):
        semaphore.acquire()


def event() -> None:
    event = fork.Event()
    with child(event.set):
        event.wait()


def condition() -> None:
    condition, ready = fork.Condition(), fork.Value("i", 0)

    def notify() -> None:
        with condition:
            ready.value = 1
            condition.notify()

    with child(notify), condition:
        condition.wait_for(lambda: ready.value)


def barrier() -> None:
    barrier = fork.Barrier(3)
    with child(barrier.wait, after_s=0), child(barrier.wait):
        barrier.wait()


def queue() -> None:
    items = fork.SimpleQueue()
    with child(lambda: items.put(1)):
        assert items.get() == 1


def joinable_queue() -> None:
    tasks = fork.JoinableQueue()
    tasks.put(1)
    with child(lambda: (tasks.get(), tasks.task_done())):
        tasks.join()


def process_lock() -> None:
    """A lock in shared memory; its owner sleeps."""
    lock, owned = fork.Lock(), fork.Event()

    def own() -> None:
        with lock:
            owned.set()
            time.sleep(LATER_S)

    with child(own, after_s=0):
        owned.wait()
        with lock:
            pass


def file_lock(take: Callable[[Any, int], object] = fcntl.flock) -> None:
    with tempfile.TemporaryFile() as file:
        ours, theirs = os.pipe()

        def own() -> None:
            with open(f"/proc/{os.getppid()}/fd/{file.fileno()}", "r+b") as mine:  # noqa: PTH123
                take(mine, fcntl.LOCK_EX)
                os.write(theirs, b"x")
                time.sleep(LATER_S)

        with child(own, after_s=0):
            os.read(ours, 1)
            take(file, fcntl.LOCK_EX)


def record_lock() -> None:
    file_lock(fcntl.lockf)


@contextmanager
def fifo() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "fifo")  # noqa: PTH118
        os.mkfifo(path)
        yield path


def write_to(path: str) -> None:
    Path(path).write_bytes(b"x")


def fifo_opened_late() -> None:
    """open(2) waits for a writer."""
    with fifo() as path, child(lambda: write_to(path)):
        assert Path(path).read_bytes() == b"x"


def fifo_of_nobody() -> None:
    """A FIFO whose ends this process alone holds; a child opens it by name, later."""
    with fifo() as path, child(lambda: write_to(path)):
        both_ends = os.open(path, os.O_RDWR)
        assert os.read(both_ends, 1) == b"x"


def terminal() -> None:
    """A pseudoterminal at which a child types, later."""
    ours, theirs = pty.openpty()
    with child(lambda: os.write(theirs, b"x")):
        assert os.read(ours, 1) == b"x"


def standard_input() -> None:
    """Somebody outside writes to the standard input."""
    assert sys.stdin.readline() == "go\n"


def standard_input_of_a_child() -> None:
    """As above, read by a child, while a pipeline waits for it."""
    line = subprocess.run(["/bin/sh", "-c", "head -n1 | cat"], check=True, stdout=subprocess.PIPE).stdout
    assert line == b"go\n"


def child_ends() -> None:
    pid = begin(lambda: time.sleep(LATER_S))
    assert os.wait() == (pid, 0)


def child_of_child_ends() -> None:
    subprocess.run(["/bin/sh", "-c", f"sh -c 'sleep {LATER_S}; true'; true"], check=True)


def stops_itself() -> None:
    """Stopped as a whole; a child wakes it."""
    parent = os.getpid()
    with child(lambda: os.kill(parent, signal.SIGCONT)):
        os.kill(parent, signal.SIGSTOP)


def child_stopped() -> None:
    """A child that is stopped; another wakes it."""
    stopped = begin(lambda: os.kill(os.getpid(), signal.SIGSTOP))
    with child(lambda: os.kill(stopped, signal.SIGCONT)):
        assert ended_well(stopped)


def thread_beside_stopped_child() -> None:
    """A thread reads from a child that is stopped, which another wakes."""
    ours, theirs = os.pipe()

    def stop_and_write() -> None:
        os.kill(os.getpid(), signal.SIGSTOP)
        os.write(theirs, b"x")

    with child(stop_and_write, after_s=0) as stopped, child(lambda: os.kill(stopped, signal.SIGCONT)):
        results: list[bytes] = []
        thread = threading.Thread(target=lambda: results.append(os.read(ours, 1)))
        thread.start()
        thread.join()
        assert results == [b"x"]


if __name__ == "__main__":
    globals()[sys.argv[1].replace("-", "_")]()
    print("done")
