"""Targets of several processes: `processes.py SCENARIO [--fixed]`.

Each hangs every time; `--fixed` is its twin.
"""

from __future__ import annotations

import multiprocessing
import os
import socket
import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from multiprocessing.context import BaseContext

    from tests.guard.targets.programs.children import begin, ended_well
else:
    from children import begin, ended_well

fixed = "--fixed" in sys.argv
PRINTS_1MB = "print('x' * 1_000_000)"
LOCKS = [sys.executable, str(Path(__file__).with_name("locks.py"))]
fork: Any = multiprocessing.get_context("fork")


# ---- Pipes ----


def full_pipe() -> None:
    """A child writes more than the pipe takes, its parent waits for it before it reads."""
    with subprocess.Popen([sys.executable, "-c", PRINTS_1MB], stdout=subprocess.PIPE) as writer:
        if fixed:
            assert len(writer.communicate()[0]) == 1_000_001
        assert writer.wait() == 0


def full_stderr() -> None:
    """A child writes to the one pipe more than it takes, its parent reads the other to the end first."""
    program = f"import sys; sys.stderr.write('x' * 1_000_000); {PRINTS_1MB}"
    arguments = [sys.executable, "-c", program]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as writer:
        if fixed:
            output, errors = writer.communicate()
        else:
            assert writer.stdout
            assert writer.stderr
            output, errors = writer.stdout.read(), writer.stderr.read()
        assert (len(output), len(errors)) == (1_000_001, 1_000_000)


def full_stdin() -> None:
    """Parent and child both write more than the pipes take before they read."""
    program = "import sys; sys.stdout.write('x' * 1_000_000); sys.stdout.flush(); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        if fixed:
            output = other.communicate(b"y" * 1_000_000)[0]
        else:
            assert other.stdin
            assert other.stdout
            other.stdin.write(b"y" * 1_000_000)
            output = other.stdout.read()
        assert len(output) == 1_000_000


class Ends:
    """What a party of a ring reads from and writes to."""

    def __init__(self, reads: int, writes: int) -> None:
        self.reads = reads
        self.writes = writes

    def play(self, *, first: bool) -> None:
        """Read, then write; who is first writes, then reads."""
        if first:
            os.write(self.writes, b"x")
        assert os.read(self.reads, 1) == b"x"
        if not first:
            os.write(self.writes, b"x")


def ring(count: int) -> None:
    """As many processes as pipes, each reads what the one before it writes; fixed, one begins."""
    pipes = [os.pipe() for _ in range(count)]
    parties = [Ends(pipes[n][0], pipes[(n + 1) % count][1]) for n in range(count)]

    def only(mine: Ends) -> None:
        for descriptor in {end for pipe in pipes for end in pipe} - {mine.reads, mine.writes}:
            os.close(descriptor)

    def play(mine: Ends) -> None:
        only(mine)
        mine.play(first=False)

    children = [begin(lambda n=n: play(parties[n])) for n in range(1, count)]  # type: ignore[misc]
    only(parties[0])
    parties[0].play(first=fixed)
    assert all(map(ended_well, children))


def pipes() -> None:
    """Two processes, each reads first."""
    ring(2)


def pipes_of_three() -> None:
    """Three processes, each reads first."""
    ring(3)


def pipes_left_open() -> None:
    """As `pipes`, and each holds all ends."""
    there, back = os.pipe(), os.pipe()
    other = begin(lambda: Ends(there[0], back[1]).play(first=False))
    Ends(back[0], there[1]).play(first=fixed)
    assert ended_well(other)


def socket_pair() -> None:
    """Two processes over a socket pair, each reads first."""
    ours, theirs = socket.socketpair()

    def play() -> None:
        ours.close()
        Ends(theirs.fileno(), theirs.fileno()).play(first=False)

    other = begin(play)
    theirs.close()
    Ends(ours.fileno(), ours.fileno()).play(first=fixed)
    assert ended_well(other)


def socket_pair_full() -> None:
    """Two processes over a socket pair, each sends more than it takes before it receives."""
    ours, theirs = socket.socketpair()

    def send(end: socket.socket) -> None:
        end.sendall(b"x" * 4_000_000)

    def receive(end: socket.socket) -> None:
        left = 4_000_000
        while left:
            left -= len(end.recv(left))

    def run() -> None:
        ours.close()
        send(theirs)
        receive(theirs)

    other = begin(run)
    theirs.close()
    for step in (receive, send) if fixed else (send, receive):
        step(ours)
    assert ended_well(other)


def connection() -> None:
    """Two processes over multiprocessing's duplex pipe, each receives first."""
    ours, theirs = fork.Pipe(duplex=True)
    other = fork.Process(target=echo, args=(theirs, ours))
    other.start()
    theirs.close()
    if fixed:
        ours.send(1)
    assert ours.recv() == 1
    other.join()
    assert other.exitcode == 0


def echo(mine: Any, not_mine: Any) -> None:
    not_mine.close()
    mine.send(mine.recv())


def own_write_end() -> None:
    """The only process reads to the end of a pipe that it could itself write to."""
    ours, theirs = os.pipe()
    os.write(theirs, b"x")
    if fixed:
        os.close(theirs)
    with open(ours, "rb") as pipe:  # noqa: PTH123 - a descriptor
        assert pipe.read() == b"x"


def write_end_of_the_waiting() -> None:
    """A child reads to the end of a pipe whose other end its parent holds, who waits for the child."""
    ours, theirs = os.pipe()

    def read() -> None:
        os.close(theirs)
        with open(ours, "rb") as pipe:  # noqa: PTH123 - a descriptor
            assert pipe.read() == b"x"

    reader = begin(read)
    os.close(ours)
    os.write(theirs, b"x")
    if fixed:
        os.close(theirs)
    assert ended_well(reader)


# ---- multiprocessing's queues and locks ----


def queue_joined_before_it_is_read() -> None:
    """A child cannot end before its items are read, its parent reads when the child has ended."""
    items = fork.Queue()
    writer = fork.Process(target=items.put, args=("x" * 1_000_000,))
    writer.start()
    if fixed:
        assert len(items.get()) == 1_000_000
        writer.join()
    else:
        writer.join()
        assert len(items.get()) == 1_000_000
    assert writer.exitcode == 0


def joinable_queue() -> None:
    """A child takes an item and ends without `task_done`; `JoinableQueue.join` waits for the call."""
    tasks = fork.JoinableQueue()
    tasks.put(1)
    worker = fork.Process(target=take, args=(tasks, fixed))
    worker.start()
    worker.join()
    tasks.join()


def take(tasks: Any, is_done: bool) -> None:  # noqa: FBT001 - an argument of a process
    tasks.get()
    if is_done:
        tasks.task_done()


def lock_order() -> None:
    """Two processes have one of two locks in shared memory each and want the other's."""
    left, right, both = fork.Lock(), fork.Lock(), fork.Barrier(2)
    pairs = [(left, right), (left, right) if fixed else (right, left)]
    workers = [fork.Process(target=take_both, args=(*pair, None if fixed else both)) for pair in pairs]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]


def take_both(first: Any, second: Any, both: Any) -> None:
    with first:
        if both:
            both.wait()
        with second:
            pass


# ---- A hang in a child, while the parent waits ----


def hang() -> None:
    """Hang in a worker: a lock locked twice."""
    lock = threading.Lock()
    with lock, lock:
        pass


def hang_on_the_gil() -> int:
    """Hang in a worker: the GIL against OpenMP's barrier."""
    return int(import_module("openmp_gnu").barrier(2, True))  # noqa: FBT003


def work() -> int:
    """What a worker does that does not hang."""
    return 2


def subprocess_run() -> None:
    """`subprocess.run` of what hangs."""
    subprocess.run([*LOCKS, "lock-twice", *sys.argv[2:]], check=True)


def subprocess_captured() -> None:
    """As above, with its output captured."""
    arguments = [*LOCKS, "lock-twice", *sys.argv[2:]]
    assert subprocess.run(arguments, check=True, capture_output=True).stdout == b"done\n"


def grandchild() -> None:
    """`subprocess.run` of `subprocess.run` of what hangs."""
    subprocess.run([sys.executable, __file__, "subprocess-run", *sys.argv[2:]], check=True)


def waitpid() -> None:
    """`os.waitpid` of a fork that hangs."""
    assert ended_well(begin(hang if not fixed else lambda: None))


def process_join(context: BaseContext = fork) -> None:
    """`Process.join` of a process that hangs."""
    worker = context.Process(target=work if fixed else hang)  # type: ignore[attr-defined]
    worker.start()
    worker.join()
    assert worker.exitcode == 0


def process_join_spawn() -> None:
    """As above, with the start method spawn, whose resource tracker is one process more."""
    process_join(multiprocessing.get_context("spawn"))


def process_join_forkserver() -> None:
    """As above, with the start method forkserver."""
    process_join(multiprocessing.get_context("forkserver"))


def process_pool_executor() -> None:
    """A `ProcessPoolExecutor` whose worker hangs with the GIL."""
    with ProcessPoolExecutor(2, mp_context=fork) as pool:
        assert pool.submit(work if fixed else hang_on_the_gil).result() == 2


def pool() -> None:
    """A `multiprocessing.Pool` whose worker hangs with the GIL."""
    with fork.Pool(2) as workers:
        assert workers.apply(work if fixed else hang_on_the_gil) == 2


def pool_lock() -> None:
    """A `multiprocessing.Pool` whose worker hangs on a lock."""
    with fork.Pool(2) as workers:
        assert workers.apply(work if fixed else hang) == (2 if fixed else None)


def many_children() -> None:
    """Eight children, one of which hangs."""
    children = [begin(lambda: None) for _ in range(7)]
    children.append(begin(hang if not fixed else lambda: None))
    assert all(map(ended_well, children))


if __name__ == "__main__":
    globals()[sys.argv[1].replace("-", "_")]()
    print("done")
