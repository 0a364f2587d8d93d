"""A process that runs already is judged once, and lives on."""

from __future__ import annotations

import subprocess
import sys

import pytest

from gilgrid.evidence import Cause
from gilgrid.guard import examine

LOCKED_OUT = (
    "import threading; lock = threading.Lock(); lock.acquire(); print('now', flush=True); lock.acquire()"
)
SLEEPS = "import time; print('now', flush=True); time.sleep(60)"


@pytest.mark.parametrize(("program", "cause"), [(LOCKED_OUT, Cause.SELF_DEADLOCK), (SLEEPS, None)])
def test_it_is_judged_and_lives_on(program: str, cause: Cause | None) -> None:
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"now\n"
        evidence = examine(process.pid)
        still_runs = process.poll() is None
        process.kill()
    assert still_runs
    assert evidence is not None
    assert evidence.cause == cause
    assert (evidence.detected_after is not None) == (cause is not None)
    assert evidence.threads[0].python[-1].function == "<module>"


def test_where_there_is_no_process_nothing_is_said() -> None:
    with subprocess.Popen(["/bin/true"]) as process:
        process.wait()
    assert examine(process.pid) is None
