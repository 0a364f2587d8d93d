"""Threads that wait for the GIL of a real interpreter, in vain or in turn."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from gilgrid.guard.observe import contention
from gilgrid.guard.observe.contention import Contention

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    import pytest

    Running = Callable[[str], AbstractContextManager[int]]

PATIENCE_S = 30.0
HELD = """
import ctypes, threading, time
pause = ctypes.PyDLL(None).pause  # holds the GIL
def wake():
    while True: time.sleep(0.01)
threading.Thread(target=wake, daemon=True).start()
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


def looks(pid: int) -> Iterator[tuple[set[int], frozenset[int]]]:
    """All threads of a process, and who of them waits in vain; once and again."""
    sampled = Contention()
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        tids = {int(task.name) for task in Path(f"/proc/{pid}/task").iterdir()}
        yield tids, sampled.in_vain(tids, {pid: tids})
        time.sleep(0.02)


def test_who_waits_for_a_gil_that_is_never_let_go_waits_in_vain(running: Running) -> None:
    with running(HELD) as pid:
        found = (in_vain for _, in_vain in looks(pid) if in_vain)
        in_vain = next(found, frozenset())
        assert len(in_vain) == 1
        assert pid not in in_vain  # it has the GIL, and waits for something else
        assert next(found, frozenset()) == in_vain


def test_who_waits_in_turn_does_not(running: Running) -> None:
    with running(FOUGHT_FOR) as pid:
        seen = [in_vain for _, (_, in_vain) in zip(range(40), looks(pid), strict=False)]
    # On a machine that is starved it may not have moved for a moment.
    assert seen.count(frozenset()) > len(seen) // 2


def test_a_gil_that_was_not_seen_before_may_have_moved(running: Running) -> None:
    with running(HELD) as pid:
        for tids, in_vain in looks(pid):
            if in_vain:
                assert Contention().in_vain(tids, {pid: tids}) == frozenset()
                return
    raise AssertionError("nobody waited")


def test_where_memory_may_not_be_read_all_who_poll_are_looked_at(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: int) -> None:
        raise PermissionError

    monkeypatch.setattr(contention, "Memory", refuse)
    with running(HELD) as pid:
        assert any(in_vain == tids for tids, in_vain in looks(pid))


def test_in_a_pid_namespace_of_its_own_all_who_poll_are_looked_at(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contention, "_namespace", str)
    with running(HELD) as pid:
        tids, in_vain = next(looks(pid))
    assert in_vain == tids


def test_a_process_that_has_ended_has_nobody(running: Running) -> None:
    with running(HELD) as pid:
        pass
    assert Contention().in_vain({pid}, {pid: [pid]}) == frozenset()
