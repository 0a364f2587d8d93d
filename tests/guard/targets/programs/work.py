"""Targets that are busy for some seconds and then end well: `work.py SCENARIO`.

They compute, fight for the GIL, and hand a turn to one another so often that each is mostly seen waiting.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.guard.targets.programs.children import LATER_S, begin, child, ended_well
    from tests.guard.targets.programs.subinterpreters import run_inside
else:
    from children import LATER_S, begin, child, ended_well
    from subinterpreters import run_inside

fork: Any = multiprocessing.get_context("fork")


def busy(seconds: float = LATER_S) -> int:
    """Python that computes."""
    return busy_until(time.monotonic() + seconds)


def busy_until(end: float) -> int:
    rounds = 0
    while time.monotonic() < end:
        rounds += 1
    return rounds


def in_threads(run: Callable[[], object], count: int) -> None:
    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


# ---- Computing ----


def one_thread() -> None:
    assert busy()


def four_threads() -> None:
    in_threads(busy, 4)


def sixty_four_threads() -> None:
    """They fight for the GIL."""
    until = time.monotonic() + LATER_S
    in_threads(lambda: busy_until(until), 64)


def sixty_four_threads_with_naps() -> None:
    """They fight for the GIL and sleep a little in between."""
    until = time.monotonic() + LATER_S

    def run() -> None:
        while time.monotonic() < until:
            busy(0.001)
            time.sleep(0.001)

    in_threads(run, 64)


def one_lock_for_all() -> None:
    """32 threads take a lock in turn and sleep with it: one sleeps, all others wait."""
    lock = threading.Lock()

    def run() -> None:
        with lock:
            time.sleep(LATER_S / 32)

    in_threads(run, 32)


def child_computes() -> None:
    subprocess.run([sys.executable, __file__, "one-thread"], check=True, stdout=subprocess.DEVNULL)


def thread_pool() -> None:
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(busy, [LATER_S / 4] * 16))


def process_pool() -> None:
    with fork.Pool(2) as pool:
        assert all(pool.map(busy, [0.1] * int(LATER_S * 20), chunksize=1))


def process_pool_executor() -> None:
    with ProcessPoolExecutor(2, mp_context=fork) as pool:
        assert all(pool.map(busy, [0.1] * int(LATER_S * 20)))


def subinterpreters() -> None:
    """Sub-interpreters that compute, each called by a thread."""
    program = f"import time\nwhile time.monotonic() < {time.monotonic() + LATER_S}: pass"
    in_threads(lambda: run_inside(program), 3)


def many_processes() -> None:
    """One short process after the other."""
    until = time.monotonic() + LATER_S
    while time.monotonic() < until:
        assert subprocess.call(["/bin/true"]) == 0


def many_forks() -> None:
    """One short fork after the other, each waited for."""
    until = time.monotonic() + LATER_S
    while time.monotonic() < until:
        assert ended_well(begin(lambda: None))


def many_threads() -> None:
    """One short thread after the other."""
    until = time.monotonic() + LATER_S
    while time.monotonic() < until:
        in_threads(lambda: None, 1)


# ---- Ping-pong ----


def pairs(play: Callable[[], None], count: int) -> None:
    """As many processes, each of which plays with one more."""
    children = [begin(play) for _ in range(count)]
    assert all(map(ended_well, children))


def pass_on(reads: int, writes: int) -> None:
    """Write what is read, until the other end is closed."""
    while ball := os.read(reads, 1):
        os.write(writes, ball)


def serve(reads: int, writes: int) -> None:
    until = time.monotonic() + LATER_S
    while time.monotonic() < until:
        os.write(writes, b"x")
        assert os.read(reads, 1) == b"x"


def play_over_pipes() -> None:
    (there, there_in), (back, back_in) = os.pipe(), os.pipe()

    def other() -> None:
        os.close(there_in)
        os.close(back)
        pass_on(there, back_in)

    with child(other, after_s=0):
        os.close(there)
        os.close(back_in)
        serve(back, there_in)
        os.close(there_in)


def play_over_sockets() -> None:
    ours, theirs = socket.socketpair()

    def other() -> None:
        ours.close()
        pass_on(theirs.fileno(), theirs.fileno())

    with child(other, after_s=0):
        theirs.close()
        serve(ours.fileno(), ours.fileno())
        ours.close()


def pipes() -> None:
    pairs(play_over_pipes, 8)


def one_pair_over_pipes() -> None:
    play_over_pipes()


def sockets() -> None:
    pairs(play_over_sockets, 8)


def one_pair_over_sockets() -> None:
    play_over_sockets()


def pipes_in_the_idle_class() -> None:
    """Processes that run only when nobody else wants to."""
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    pairs(play_over_pipes, 2)


def slow_pipes() -> None:
    """Whoever has the ball sleeps with it."""
    (there, there_in), (back, back_in) = os.pipe(), os.pipe()

    def other() -> None:
        os.close(there_in)
        while ball := os.read(there, 1):
            time.sleep(0.02)
            os.write(back_in, ball)

    with child(other, after_s=0):
        until = time.monotonic() + LATER_S
        while time.monotonic() < until:
            os.write(there_in, b"x")
            os.read(back, 1)
        os.close(there_in)


def connections() -> None:
    ours, theirs = fork.Pipe()

    def other() -> None:
        while theirs.recv():
            theirs.send(True)  # noqa: FBT003

    with child(other, after_s=0):
        until = time.monotonic() + LATER_S
        while time.monotonic() < until:
            ours.send(True)  # noqa: FBT003
            assert ours.recv()
        ours.send(False)  # noqa: FBT003


def process_locks() -> None:
    """Two processes hand a turn over by semaphores in shared memory."""
    ours, theirs, over = fork.Semaphore(0), fork.Semaphore(0), fork.Value("i", 0)

    def other() -> None:
        while not over.value:
            theirs.acquire()
            ours.release()

    with child(other, after_s=0):
        until = time.monotonic() + LATER_S
        while time.monotonic() < until:
            theirs.release()
            ours.acquire()
        over.value = 1
        theirs.release()


def signals() -> None:
    """Two processes wake one another by signals, and wait for them in `sigwait`."""
    play, over = signal.SIGUSR1, signal.SIGUSR2
    signal.pthread_sigmask(signal.SIG_BLOCK, {play, over})
    parent = os.getpid()

    def other() -> None:
        while signal.sigwait({play, over}) == play:
            os.kill(parent, play)

    with child(other, after_s=0) as pid:
        until = time.monotonic() + LATER_S
        while time.monotonic() < until:
            os.kill(pid, play)
            signal.sigwait({play})
        os.kill(pid, over)


def locks() -> None:
    """Two threads hand a turn over by two locks."""
    ours, theirs = threading.Semaphore(0), threading.Semaphore(0)
    over = threading.Event()

    def other() -> None:
        while not over.is_set():
            theirs.acquire()
            ours.release()

    thread = threading.Thread(target=other)
    thread.start()
    until = time.monotonic() + LATER_S
    while time.monotonic() < until:
        theirs.release()
        ours.acquire()
    over.set()
    theirs.release()
    thread.join()


def conditions() -> None:
    """Four threads hand a turn round by one condition; the main thread joins them."""
    condition, count = threading.Condition(), 4
    turn = [0]
    until = time.monotonic() + LATER_S

    def play(me: int) -> None:
        with condition:
            while time.monotonic() < until:
                condition.wait_for(lambda: turn[0] == me or time.monotonic() >= until)
                turn[0] = (me + 1) % count
                condition.notify_all()

    threads = [threading.Thread(target=play, args=(me,)) for me in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def queues() -> None:
    """Two threads hand a turn over by two queues."""
    ours: queue.Queue[bool] = queue.Queue()
    theirs: queue.Queue[bool] = queue.Queue()

    def other() -> None:
        while theirs.get():
            ours.put(True)  # noqa: FBT003

    thread = threading.Thread(target=other)
    thread.start()
    until = time.monotonic() + LATER_S
    while time.monotonic() < until:
        theirs.put(True)  # noqa: FBT003
        assert ours.get()
    theirs.put(False)  # noqa: FBT003
    thread.join()


if __name__ == "__main__":
    globals()[sys.argv[1].replace("-", "_")]()
    print("done")
