"""Two hundred tests: five hang, each in its own way, one crashes, one is slow but well.

It is copied to where it is run, with `openmp_gnu`, an extension of the guard's targets, on the path.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading
import time
from importlib import import_module

import pytest

IDS = ["plain", "a b", "[x]", "a[0]-b", "ü ß", "日本", "x::y", "a/b", "%20", "'quoted'"]


@pytest.fixture(scope="session")
def once() -> list[int]:
    return []


@pytest.fixture(scope="module")
def module(once: list[int]) -> list[int]:
    once.append(1)
    assert len(once) == 1
    return once


@pytest.mark.parametrize("number", range(193 - len(IDS)))
@pytest.mark.usefixtures("module")
def test_well(number: int) -> None:
    print("number", number)


def test_lock_order() -> None:
    first, second, ready = threading.Lock(), threading.Lock(), threading.Barrier(2)

    def take(one: threading.Lock, other: threading.Lock) -> None:
        with one:
            ready.wait()
            with other:
                pass

    threading.Thread(target=take, args=(first, second), daemon=True).start()
    take(second, first)


def test_fork() -> None:
    lock, held, go = threading.Lock(), threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            held.set()
            go.wait()

    threading.Thread(target=hold, daemon=True).start()
    held.wait()
    child = os.fork()
    if not child:
        lock.acquire()
        os._exit(0)
    go.set()
    os.waitpid(child, 0)


def test_full_pipe() -> None:
    print("before the pipe is full")
    child = subprocess.Popen([sys.executable, "-c", "print('x' * 1000000)"], stdout=subprocess.PIPE)
    child.wait()


@pytest.mark.timeout(2)
def test_spin() -> None:
    while True:
        pass


def test_segfault() -> None:
    print("before the crash")
    ctypes.string_at(0)


def test_slow_but_well() -> None:
    time.sleep(2.5)


def test_gil_against_openmp() -> None:
    import_module("openmp_gnu").barrier(2, True)  # noqa: FBT003 - an argument of C has no name


@pytest.mark.parametrize("text", IDS)
@pytest.mark.usefixtures("module")
def test_odd_ids(text: str) -> None:
    assert text in IDS
