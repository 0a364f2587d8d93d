"""Pictures of real processes that do not stand still."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from gilgrid.guard.observe.collect import collect

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    Running = Callable[[str], AbstractContextManager[int]]

RESTING = 60
CHURNS = f"""
import threading, time
rest = threading.Event()
for _ in range({RESTING}): threading.Thread(target=rest.wait, daemon=True).start()
def churn():
    while True:
        thread = threading.Thread(target=time.sleep, args=(0.005,))
        thread.start()
        thread.join()
for _ in range(2): threading.Thread(target=churn, daemon=True).start()
print("ready", flush=True)
rest.wait()
"""
SLEEPS = "import time; print('ready', flush=True); time.sleep(60)"


def test_a_process_stays_in_the_picture_though_threads_of_it_come_and_go(running: Running) -> None:
    with running(CHURNS) as pid:
        seen = [collect([pid], pid, (), ()).processes.get(pid) for _ in range(40)]
    assert all(process is not None and len(process.threads) > RESTING for process in seen)


def test_of_a_process_that_has_ended_no_thread_is_left(running: Running) -> None:
    with running(SLEEPS) as pid:
        pass
    assert collect([pid], pid, (), ()).tids == frozenset()


def test_a_picture_is_not_complete_where_a_process_has_come_meanwhile(running: Running) -> None:
    with running(SLEEPS) as pid:
        assert collect([pid], pid, (), ()).is_complete
        assert not collect([pid], pid, (), (), lambda: {os.getpid()}).is_complete
