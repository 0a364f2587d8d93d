"""Targets in native code without OpenMP: `in_native_code.py SCENARIO [--fixed]`, functions of native.cpp.

Where a scenario hangs, `--fixed` is its twin: the same, but the GIL is given back before the wait.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import time
from importlib import import_module
from pathlib import Path

ALIVE_S = 4.0

# Those that hang, each with what it counts when it does not.
HANGS = {
    "join_pthread": 1,
    "join_std": 1,
    "future": 1,
    "mutex": 1,
    "rwlock": 1,
    "condition": 1,
    "semaphore": 1,
    "thread_barrier": 1,
    "static_init": 1,
    "call_once": 1,
    "once": 1,
    "second_state": 1,
    "ensure_in_subinterpreter": 1,
    "own_gil_join": 1,
    "lock_order": None,
    "mutex_twice": None,
    "mutex_of_ended_thread": None,
    "condition_unnotified": None,
    "spin_on_flag": 1,
}

# Those that end by themselves.
LIVE = {
    "join_computes": 1,
    "mutex_owner_sleeps": 1,
    "condition_fulfilled_late": 1,
    "static_init_sleeps": 1,
    "polls_like_the_gil": None,
    "hand_over": True,
    "completion_queue": None,
    "own_gil_computes": 2,
    "posted_by_signal": None,
    "posted_by_timer_thread": None,
    "futex_like_a_mutex": None,
    "woken_by_process_with_same_memory": None,
    "vfork_child_sleeps": None,
    "mutex_of_sleeping_child": None,
}


def plugin() -> str:
    """The library of plugin.cpp."""
    return next(str(path) for folder in sys.path for path in Path(folder).glob("plugin.so"))


def loader() -> None:
    """The GIL holder wants the loader's lock; the thread that has it wants the GIL."""
    assert native.loader(plugin(), hangs) == 1


def loader_join() -> None:
    """A library's initialisation joins a thread that wants the loader's lock."""
    assert native.loader_join(plugin(), hangs) is None


def mutex_lost_in_fork() -> None:
    """A child wants a mutex whose owner the fork did not take along; fixed, nobody owns it."""
    if hangs:
        native.hold_mutex(3600)
    child = os.fork()
    if child == 0:
        native.use_mutex(False)  # noqa: FBT003
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


def join_in_a_thread() -> None:
    """As `join_std`, in a Python thread, while the main thread sleeps and then wants the GIL."""
    results = []
    thread = threading.Thread(target=lambda: results.append(native.join_std(hangs)))
    thread.start()
    time.sleep(0.05)
    thread.join()
    assert results == [1]


def spin() -> None:
    """A thread turns in C for ever with the GIL."""
    native.compute_held(1e9)


def spin_released() -> None:
    """A thread turns in C for ever without the GIL, which the main thread waits for to end."""
    thread = threading.Thread(target=ctypes.CDLL(native.__file__).spin_for_ever)
    thread.start()
    thread.join()


def sleep_held() -> None:
    """C sleeps with the GIL, while Python threads want it."""
    with wanting_the_gil():
        ctypes.PyDLL(None).sleep(int(ALIVE_S))


def sleep_released() -> None:
    """C sleeps without the GIL."""
    assert ctypes.CDLL(None).sleep(int(ALIVE_S)) == 0


def read_held() -> None:
    """C reads from a pipe with the GIL, while Python threads want it; a child writes after some seconds."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        time.sleep(ALIVE_S)
        os.write(theirs, b"x")
        os._exit(0)
    with wanting_the_gil():
        assert ctypes.PyDLL(None).read(ours, ctypes.create_string_buffer(1), 1) == 1
    os.waitpid(child, 0)


def compute_held() -> None:
    """C computes with the GIL, while Python threads want it."""
    with wanting_the_gil():
        native.compute_held(ALIVE_S)


def hand_over_beside_python() -> None:
    """Two threads hand a turn over, counting under the GIL, beside Python threads that want it as well."""
    with wanting_the_gil():
        assert native.hand_over(ALIVE_S)


class wanting_the_gil:  # noqa: N801 - reads as what it is where it is used
    """Two Python threads that always want the GIL."""

    def __enter__(self) -> None:
        self.over = False
        started = threading.Barrier(3)
        self.threads = [threading.Thread(target=self.run, args=(started,)) for _ in range(2)]
        for thread in self.threads:
            thread.start()
        started.wait()

    def run(self, started: threading.Barrier) -> None:
        started.wait()
        while not self.over:
            pass

    def __exit__(self, *_: object) -> None:
        self.over = True
        for thread in self.threads:
            thread.join()


def compute() -> None:
    while True:
        sum(range(1000))


def wake() -> None:
    while True:
        time.sleep(0.01)


if __name__ == "__main__":
    native = import_module("native")
    scenario = sys.argv[1].replace("-", "_")
    hangs = "--fixed" not in sys.argv
    if "--beat" in sys.argv:
        native.heartbeat(0)
    if "--work" in sys.argv:
        threading.Thread(target=compute, daemon=True).start()
        threading.Thread(target=wake, daemon=True).start()
    if scenario in HANGS:
        assert getattr(native, scenario)(hangs) == HANGS[scenario]
    elif scenario in LIVE:
        assert getattr(native, scenario)(ALIVE_S) == LIVE[scenario]
    else:
        globals()[scenario]()
    print("done")
