"""Whoever dies, gilgrid or a supervisor: nothing of the command goes on, and nothing hangs."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gilgrid.guard import Command, End, run

if TYPE_CHECKING:
    from tests.guard.conftest import Witness

SOURCE = Path(__file__).parents[2] / "src"
PATIENCE_S = 60.0
# The fork is one that the guard knows nothing of, as multiprocessing makes them: it holds all that is open.
GILGRID = """
import os, signal, sys, threading
from gilgrid.guard import Command, run
if "fork" in sys.argv[1]:
    def fork(*_):
        if os.fork() == 0:
            signal.alarm(30)
            signal.pause()
    signal.signal(signal.SIGUSR1, fork)
print("now", flush=True)
run(Command(argv=tuple(sys.argv[2:])))
"""


def gilgrid(witness: Witness, shape: str, manner: str = "alone") -> subprocess.Popen[bytes]:
    env = witness.env | {"PYTHONPATH": str(SOURCE)}
    argv = [sys.executable, "-c", GILGRID, manner, *witness.shape(shape).argv]
    process = subprocess.Popen(argv, env=env, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"now\n"
    return process


def kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()  # not read to its end: a fork may hold the other


def wait_until_nothing_is_left(witness: Witness) -> None:
    until = time.monotonic() + PATIENCE_S
    # No event tells of the end of a stranger's processes. One that has just started has no mark for a moment.
    while (witness.marked() or witness.holders() or witness.marked()) and time.monotonic() < until:
        time.sleep(0.01)
    witness.assert_nothing_left()


@pytest.mark.parametrize("shape", ["respawner", "double fork", "root exited first"])
def test_gilgrid_killed_while_the_command_runs_leaves_nothing(witness: Witness, shape: str) -> None:
    process = gilgrid(witness, shape)
    witness.wait_for(2)
    kill(process)
    wait_until_nothing_is_left(witness)


@pytest.mark.parametrize("delay_ms", [*range(0, 40, 2), 50, 60, 80, 100, 150])
def test_gilgrid_killed_at_any_moment_of_the_start_leaves_nothing(witness: Witness, delay_ms: int) -> None:
    process = gilgrid(witness, "respawner")
    time.sleep(delay_ms / 1000)  # the moment is what is varied
    kill(process)
    wait_until_nothing_is_left(witness)


def test_gilgrid_killed_leaves_nothing_though_a_fork_of_it_lives_on(witness: Witness) -> None:
    process = gilgrid(witness, "ignores TERM", "fork")
    witness.wait_for(3)
    process.send_signal(signal.SIGUSR1)
    fork = wait_for_the_fork_of(process.pid)
    try:
        kill(process)
        until = time.monotonic() + PATIENCE_S
        while witness.holders() and time.monotonic() < until:
            time.sleep(0.01)
        assert not witness.holders()
    finally:
        os.kill(fork, signal.SIGKILL)


def wait_for_the_fork_of(parent: int) -> int:
    """Wait for the child of `parent` that is in its session: the supervisor is in another."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        for process in Path("/proc").glob("[0-9]*"):
            try:
                fields = (process / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == parent and int(fields[3]) == os.getsid(0):
                return int(process.name)
    pytest.fail("the fork has not come")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGSEGV])
def test_a_supervisor_that_dies_is_lost_and_takes_the_command_with_it(witness: Witness, number: int) -> None:
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run, witness.shape("plain"))
        entered = {name: (int(pid), int(parent)) for name, pid, parent in witness.wait_for(2)}
        os.kill(entered["root"][1], number)
        ending = running.result()
    assert ending.end is End.LOST
    assert "supervisor" in ending.detail
    wait_until_nothing_is_left(witness)


def test_the_command_dies_with_its_supervisor_though_gilgrid_cannot_see_to_it(witness: Witness) -> None:
    process = gilgrid(witness, "plain")
    entered = {name: (int(pid), int(parent)) for name, pid, parent in witness.wait_for(2)}
    root, supervisor = entered["root"]
    pidfd = os.pidfd_open(root)
    process.send_signal(signal.SIGSTOP)
    os.kill(supervisor, signal.SIGKILL)
    assert select.select([pidfd], [], [], PATIENCE_S)[0]  # the root has ended, its child cannot yet
    os.close(pidfd)
    process.send_signal(signal.SIGCONT)
    process.wait()
    kill(process)
    witness.assert_nothing_left()


def test_a_killpg_of_gilgrids_group_ends_the_command_too(witness: Witness) -> None:
    env = witness.env | {"PYTHONPATH": str(SOURCE)}
    argv = [sys.executable, "-c", GILGRID, "alone", *witness.shape("setsid").argv]
    process = subprocess.Popen(argv, env=env, stdout=subprocess.DEVNULL, start_new_session=True)
    witness.wait_for(2)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    wait_until_nothing_is_left(witness)


def test_a_supervisor_that_cannot_start_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    ending = run(Command(argv=("true",)))
    assert ending.end is End.LOST
    assert "/no/such/python" in ending.detail


def test_without_free_descriptors_the_command_is_lost_and_nothing_raises() -> None:
    taken = []
    try:
        while True:
            taken.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        pass
    try:
        endings = []
        for _ in range(12):
            endings.append(run(Command(argv=("true",))))
            os.close(taken.pop())
    finally:
        for fd in taken:
            os.close(fd)
    assert endings[0].end is End.LOST
    assert "Too many open files" in endings[0].detail
    assert {ending.end for ending in endings} == {End.LOST, End.EXITED}
    assert endings[-1].end is End.EXITED
