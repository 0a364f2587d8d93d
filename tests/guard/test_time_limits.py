"""What the usual ways to run a command with a time limit leave running, and what gilgrid leaves of the same.

The ways are in targets/programs/limits.py, and their hangs in the catalogue. How a tree is ended whole is
tested in test_ending_a_tree.py; docs/ending-a-command.md names the tests of both.
"""

from __future__ import annotations

import os
import re
import runpy
import select
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gilgrid.evidence import Evidence
from gilgrid.guard import Command, End, run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.guard.conftest import Witness

ROOT = Path(__file__).parents[2]
LIMITS = str(Path(__file__).with_name("targets") / "programs" / "limits.py")
SHAPES = runpy.run_path(str(Path(__file__).with_name("shapes.py")))["SHAPES"]
PATIENCE_S = 60.0
LIMITS_S = (0.5, 2.0, 8.0, 30.0)  # to be tried, until one was enough for the shape to stand
# Who lives on when its process group has been killed. Of "forks on" nobody has a name.
LEFT = {
    "plain": [],
    "setsid": ["child"],
    "double fork": ["daemon"],
    "ignores TERM": [],
    "stopped": [],
    "respawner": ["mate"] * 6,
    "wakers": ["waker"] * 2,
    "root exited first": ["child", "daemon"],
    "subreaper": ["daemon", "subreaper"],
    "threads left": [],
}
LEAVES = [shape for shape, names in LEFT.items() if names]
ENDS_ITSELF = ("root exited first", "forks on")
REPLACES_ITSELF = ("respawner", "respawner, many", "wakers", "forks on")


def limited_command(witness: Witness, way: str, shape: str, limit_s: float) -> tuple[str, ...]:
    return (sys.executable, LIMITS, way, str(limit_s), *witness.shape(shape).argv)


@contextmanager
def limited(witness: Witness, way: str, shape: str) -> Iterator[subprocess.Popen[bytes]]:
    """A shape that runs with a time limit, and stood before that had passed."""
    for limit_s in LIMITS_S:
        until = time.monotonic() + limit_s
        before = len(witness.entered())
        command = limited_command(witness, way, shape, limit_s)
        with subprocess.Popen(command, env=witness.env, stdout=subprocess.PIPE, bufsize=0) as process:
            try:
                while len(witness.entered()) - before < SHAPES[shape][1] and time.monotonic() < until:
                    time.sleep(0.01)
                if time.monotonic() < until:
                    yield process
                    return
            finally:
                witness.end()
    pytest.fail(f"{shape} has not come to stand")


def line(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout is not None
    assert select.select([process.stdout], [], [], PATIENCE_S)[0], "nothing was printed"
    return process.stdout.readline()


# ---- What is left ----


@pytest.mark.parametrize("shape", LEFT)
def test_who_has_left_the_process_group_outlives_its_kill(witness: Witness, shape: str) -> None:
    with limited(witness, "group", shape) as process:
        assert line(process) == b"over\n"
        witness.wait_until_left(LEFT[shape])


def test_who_forks_on_in_new_sessions_outlives_the_end_of_the_first(witness: Witness) -> None:
    with limited(witness, "group", "forks on") as process:
        assert line(process) == b"over\n"
        assert witness.holders()


@pytest.mark.parametrize(("way", "said"), [("child", b"over\n"), ("run", b"returned\n")])
def test_who_was_begun_by_a_killed_child_outlives_it(witness: Witness, way: str, said: bytes) -> None:
    with limited(witness, way, "plain") as process:
        assert line(process) == said
        witness.wait_until_left(["child"])


@pytest.mark.parametrize(("way", "shape"), [("group", "setsid"), ("child", "plain")])
def test_a_pipe_is_not_at_its_end_before_all_are_gone_that_hold_it(
    witness: Witness, way: str, shape: str
) -> None:
    with limited(witness, way, shape) as process:
        assert line(process) == b"over\n"
        witness.wait_until_left(["child"])
        assert process.stdout is not None
        assert not select.select([process.stdout], [], [], 0)[0]
        (child,) = (int(pid) for name, pid, _ in witness.entered() if name == "child")
        os.kill(child, signal.SIGKILL)
        assert line(process) == b"returned\n"


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape not in REPLACES_ITSELF])
def test_who_adopts_all_that_a_command_leaves_can_end_it(witness: Witness, shape: str) -> None:
    with limited(witness, "tree", shape) as process:
        while line(process) != b"returned\n":
            pass
        witness.wait_until_left([])


# ---- What gilgrid leaves of the same ----


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape not in ENDS_ITSELF])
def test_watch_leaves_nothing_of_what_it_ends(witness: Witness, shape: str) -> None:
    for limit_s in LIMITS_S:
        before = len(witness.entered())
        watch = [sys.executable, "-m", "gilgrid.cli", "watch", f"--deadline={limit_s}", "--"]
        env = witness.env | {"PYTHONPATH": str(ROOT / "src")}
        command = [*watch, *witness.shape(shape).argv]
        watched = subprocess.run(command, env=env, capture_output=True, timeout=PATIENCE_S, check=False)
        witness.assert_nothing_left()
        # Who waits for one another's end, as the respawners, may be proven to be deadlocked before.
        assert watched.returncode in (121, 124), watched.stderr
        if len(witness.entered()) - before >= SHAPES[shape][1]:
            return
    pytest.fail(f"{shape} has not come to stand")


@pytest.mark.parametrize("shape", LEAVES)
def test_the_guard_ends_what_a_kill_inside_of_it_has_missed(witness: Witness, shape: str) -> None:
    for limit_s in LIMITS_S:
        before = len(witness.entered())
        command = limited_command(witness, "group", shape, limit_s)
        ending = run(Command(argv=command, env=witness.env, deadline_s=2 * limit_s + 1))
        witness.assert_nothing_left()
        names = {int(pid): name for name, pid, _ in witness.entered()[before:]}
        missed = sorted(names[process.pid] for process in ending.ended if process.pid in names)
        if missed == LEFT[shape]:  # else it had not come to stand
            break
    assert (ending.end, ending.output) == (End.DEADLINE, "over\n")
    assert missed == LEFT[shape]


# ---- What it says of them ----


def test_who_polls_a_writer_into_a_full_pipe_is_told_of_and_not_called_deadlocked() -> None:
    ending = run(Command(argv=(sys.executable, LIMITS, "polled"), prove=True, deadline_s=2.0))
    assert ending.end is End.DEADLINE
    assert ending.evidence
    evidence = Evidence.from_json(ending.evidence)
    assert not evidence.is_proof
    assert evidence.cause is None
    poller, writer = evidence.threads
    assert poller.waits_for in ("for some time to pass", "for nothing: it runs")  # it wakes 20 times a second
    assert not poller.dead
    assert (writer.waits_for, writer.released_by, writer.dead) == ("to write", (poller.tid,), False)


def test_the_page_about_it_names_tests_that_there_are() -> None:
    page = (ROOT / "docs" / "ending-a-command.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(test_\w+)`", page))
    there = {
        name
        for file in Path(__file__).parent.glob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", file.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert named
    assert named <= there
