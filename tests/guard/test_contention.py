"""Threads that wait for the GIL of a real interpreter, in vain or in turn."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from gilgrid.guard.observe.contention import Contention

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE_S = 30.0
HELD = """
import ctypes, threading, time
pause = ctypes.PyDLL(None).pause  # holds the GIL
threading.Thread(target=time.sleep, args=(0.01,)).start()
print("ready", flush=True)
pause()
"""
FOUGHT_FOR = """
import threading
def work():
    while True: sum(range(1000))
for _ in range(3): threading.Thread(target=work, daemon=True).start()
print("ready", flush=True)
work()
"""
NO_GIL = """
import threading
lock = threading.Lock()
lock.acquire()
def work():
    while True: lock.acquire(timeout=0.005)
threading.Thread(target=work, daemon=True).start()
print("ready", flush=True)
lock.acquire()
"""


@contextmanager
def running(program: str) -> Iterator[int]:
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout
        try:
            assert process.stdout.readline() == b"ready\n"
            yield process.pid
        finally:
            process.kill()


def looks(pid: int) -> Iterator[tuple[set[int], frozenset[int]]]:
    """All threads of a process, and who of them waits in vain; once and again."""
    contention = Contention()
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        tids = {int(task.name) for task in Path(f"/proc/{pid}/task").iterdir()}
        yield tids, contention.in_vain(tids, {pid: tids})
        time.sleep(0.02)


def test_who_waits_for_a_gil_that_is_never_let_go_waits_in_vain() -> None:
    with running(HELD) as pid:
        found = (in_vain for _, in_vain in looks(pid) if in_vain)
        in_vain = next(found)
        assert len(in_vain) == 1
        assert pid not in in_vain  # it has the GIL, and waits for something else
        assert next(found) == in_vain


def test_who_waits_in_turn_does_not() -> None:
    with running(FOUGHT_FOR) as pid:
        seen = [in_vain for _, (_, in_vain) in zip(range(40), looks(pid), strict=False)]
    # On a machine that is starved it may not have moved for a moment.
    assert seen.count(frozenset()) > len(seen) // 2


def test_of_what_begins_to_wait_nobody_knows_yet() -> None:
    with running(HELD) as pid:
        assert next(looks(pid))[1] == frozenset()


def test_who_polls_something_else_is_none_of_them() -> None:
    with running(NO_GIL) as pid:
        seen = [in_vain for _, (_, in_vain) in zip(range(10), looks(pid), strict=False)]
    assert set(seen) == {frozenset()}


def test_a_process_that_has_ended_has_nobody() -> None:
    contention = Contention()
    with running(HELD) as pid:
        pass
    assert contention.in_vain({pid}, {pid: [pid]}) == frozenset()
