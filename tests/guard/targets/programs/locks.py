"""Targets in one Python process: `locks.py SCENARIO [--fixed]`.

Each hangs every time; `--fixed` is its twin.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import queue
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.guard.targets.programs.subinterpreters import run_inside
else:
    from subinterpreters import run_inside

fixed = "--fixed" in sys.argv


def take_in_turn(kind: Callable[[], Any], count: int) -> None:
    """As many threads as locks, each has one and wants the next; fixed, they take them in one order."""
    locks = [kind() for _ in range(count)]
    all_have_one = threading.Barrier(count)
    taken = []

    def take(first: int, second: int) -> None:
        if fixed:
            first, second = sorted((first, second))
        with locks[first]:
            if not fixed:
                all_have_one.wait()
            with locks[second]:
                taken.append(first)

    threads = [threading.Thread(target=take, args=(n, (n + 1) % count)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == count


def lock_order() -> None:
    """Two threads, two locks."""
    take_in_turn(threading.Lock, 2)


def lock_order_rlock() -> None:
    """Two threads, two reentrant locks."""
    take_in_turn(threading.RLock, 2)


def lock_order_of_five() -> None:
    """Five threads in a ring."""
    take_in_turn(threading.Lock, 5)


def lock_order_with_main() -> None:
    """The main thread is one of the two."""
    left, right = threading.Lock(), threading.Lock()
    main_has_left, other_has_right = threading.Event(), threading.Event()

    def other() -> None:
        with right:
            other_has_right.set()
            main_has_left.wait()
            with left:
                pass

    thread = threading.Thread(target=other, daemon=True)
    with left:
        if not fixed:
            thread.start()
            main_has_left.set()
            other_has_right.wait()
        with right:
            pass
    if fixed:
        main_has_left.set()
        thread.start()
        thread.join()


def lock_order_condition() -> None:
    """One waits on a condition with another lock in hand, which the one who would notify it wants first."""
    lock, condition, waits = threading.Lock(), threading.Condition(), threading.Event()
    ready = []

    def notify() -> None:
        waits.wait()
        with lock, condition:
            ready.append(1)
            condition.notify()

    thread = threading.Thread(target=notify)
    thread.start()
    if fixed:
        with condition:
            waits.set()
            condition.wait_for(lambda: ready)
    else:
        with lock, condition:
            waits.set()
            condition.wait_for(lambda: ready)
    thread.join()


def lock_twice() -> None:
    """The only thread wants the lock that it has."""
    lock = threading.RLock() if fixed else threading.Lock()
    with lock, lock:
        pass


def lock_of_an_ended_thread() -> None:
    """Who had the lock has ended without giving it back."""
    taken_by_a_thread(threading.Lock())


def rlock_of_an_ended_thread() -> None:
    """As above, with a reentrant lock."""
    taken_by_a_thread(threading.RLock())


def taken_by_a_thread(lock: Any) -> None:
    def take() -> None:
        lock.acquire()
        if fixed:
            lock.release()

    thread = threading.Thread(target=take)
    thread.start()
    thread.join()
    with lock:
        pass


def condition_unnotified() -> None:
    """Nobody is left to notify."""
    condition = threading.Condition()
    ready = [1] if fixed else []
    with condition:
        condition.wait_for(lambda: ready)


def event_unset() -> None:
    """Three wait for an event that none of them sets."""
    event = threading.Event()
    threads = [threading.Thread(target=event.wait) for _ in range(2)]
    for thread in threads:
        thread.start()
    if fixed:
        event.set()
    event.wait()
    for thread in threads:
        thread.join()


def semaphore_unreleased() -> None:
    """A semaphore of two, three want it and none gives it back."""
    semaphore = threading.Semaphore(3 if fixed else 2)
    threads = [threading.Thread(target=semaphore.acquire) for _ in range(2)]
    for thread in threads:
        thread.start()
        thread.join()
    semaphore.acquire()


def barrier_short() -> None:
    """A barrier for three at which two come."""
    barrier = threading.Barrier(2 if fixed else 3)
    thread = threading.Thread(target=barrier.wait)
    thread.start()
    barrier.wait()
    thread.join()


def queue_join() -> None:
    """A worker that does not call `task_done`, then waits for more; `Queue.join` waits for the call."""
    tasks: queue.Queue[int] = queue.Queue()

    def work() -> None:
        while True:
            tasks.get()
            if fixed:
                tasks.task_done()

    threading.Thread(target=work, daemon=True).start()
    tasks.put(1)
    tasks.join()


def queue_join_without_worker() -> None:
    """As above, and the worker has ended."""
    tasks: queue.Queue[int] = queue.Queue()

    def work() -> None:
        tasks.get()
        if fixed:
            tasks.task_done()

    thread = threading.Thread(target=work)
    tasks.put(1)
    thread.start()
    thread.join()
    tasks.join()


def queue_empty() -> None:
    """The only thread waits for something that nobody puts."""
    tasks: queue.Queue[int] = queue.Queue()
    if fixed:
        tasks.put(1)
    tasks.get()


def simple_queue_empty() -> None:
    """As above, with a queue in C."""
    tasks: queue.SimpleQueue[int] = queue.SimpleQueue()
    if fixed:
        tasks.put(1)
    tasks.get()


def queue_full() -> None:
    """The only thread puts more into a queue than it takes."""
    tasks: queue.Queue[int] = queue.Queue(2 if fixed else 1)
    tasks.put(1)
    tasks.put(2)


def pool_waits_for_itself() -> None:
    """A pool of one thread whose task waits for another task of the pool."""
    with ThreadPoolExecutor(2 if fixed else 1) as pool:
        assert pool.submit(lambda: pool.submit(int, "7").result()).result() == 7


def loop_waits_for_itself() -> None:
    """A coroutine that waits, without await, for another of the same loop."""

    async def seven() -> int:
        return 7

    async def main() -> int:
        loop = asyncio.get_running_loop()
        future = asyncio.run_coroutine_threadsafe(seven(), loop)
        return await asyncio.wrap_future(future) if fixed else future.result()

    # What a shell starts in the background ignores it, and then asyncio has no handler for it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    assert asyncio.run(main()) == 7


def import_lock() -> None:
    """A module's body joins a thread that imports the module."""
    module = import_module("joins_importer")
    module.thread.join()
    assert module.seen == [1]


def import_lock_future() -> None:
    """A module's body waits for a future that imports the module."""
    assert import_module("awaits_importer").future.result() == 1


def thread_left_at_exit() -> None:
    """The main thread has ended; a thread that waits for ever holds up the interpreter's end."""
    event = threading.Event()
    threading.Thread(target=event.wait).start()
    if fixed:
        event.set()


def join_at_exit() -> None:
    """A function called at exit joins a daemon thread that waits for ever."""
    event = threading.Event()
    thread = threading.Thread(target=event.wait, daemon=True)
    thread.start()
    atexit.register(thread.join)
    if fixed:
        event.set()


def pool_at_exit() -> None:
    """A pool's thread that waits for ever holds up the interpreter's end."""
    event = threading.Event()
    ThreadPoolExecutor(1).submit(event.wait)
    if fixed:
        event.set()


def lock_lost_in_fork() -> None:
    """A child wants a lock whose owner its fork left behind; fixed, it is given back before."""
    lock, owned, over = threading.Lock(), threading.Event(), threading.Event()

    def own() -> None:
        with lock:
            owned.set()
            over.wait()

    thread = threading.Thread(target=own, daemon=True)
    thread.start()
    owned.wait()
    if fixed:
        over.set()
        thread.join()
    child = os.fork()
    if child == 0:
        with lock:
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


def lock_twice_in_subinterpreter() -> None:
    """As `lock_twice`, in a sub-interpreter."""
    kind = "RLock" if fixed else "Lock"
    run_inside(f"import threading; lock = threading.{kind}()\nwith lock, lock: pass")


def import_lock_in_subinterpreter() -> None:
    """As `import_lock`, in a sub-interpreter."""
    run_inside("import joins_importer; joins_importer.thread.join()")


def spin() -> None:
    """Python that turns for ever."""
    while True:
        pass


def spin_in_a_thread() -> None:
    """As above, in a thread that the main thread joins."""
    thread = threading.Thread(target=spin)
    thread.start()
    thread.join()


if __name__ == "__main__":
    globals()[sys.argv[1].replace("-", "_")]()
    print("done")
