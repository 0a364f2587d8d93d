"""Whatever a command does to stay, nothing of it is left."""

from __future__ import annotations

import runpy
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gilgrid.guard import Command, End, run, tree

if TYPE_CHECKING:
    from tests.guard.conftest import Witness

SHAPES = runpy.run_path(str(Path(__file__).with_name("shapes.py")))["SHAPES"]


@pytest.mark.parametrize("shape", SHAPES)
def test_nothing_is_left_of_a_tree(witness: Witness, shape: str) -> None:
    stands = SHAPES[shape][1]
    for deadline_s in (0.5, 2.0, 8.0, 30.0):  # until it was enough for the shape to stand
        before = len(witness.entered())
        ending = run(witness.shape(shape, deadline_s))
        witness.assert_nothing_left()
        entered = witness.entered()[before:]
        if len(entered) >= stands:
            break
    assert len(entered) >= stands
    assert ending.end == (End.EXITED if shape in ("root exited first", "forks on") else End.DEADLINE)
    assert ending.survivors == ()
    if shape not in ("forks on", "wakers"):
        assert {int(pid) for _, pid, _ in entered} <= {left.pid for left in ending.ended}
        assert len(entered) == stands, "somebody was replaced: all must be stopped before the first is killed"


@pytest.mark.parametrize("deadline_s", [0.0, 0.001, 0.01, 0.02, 0.03])
def test_a_deadline_while_the_shape_is_still_coming_up_leaves_nothing(
    witness: Witness, deadline_s: float
) -> None:
    ending = run(witness.shape("respawner", deadline_s))
    witness.assert_nothing_left()
    assert ending.end is End.DEADLINE


def test_what_ends_by_itself_right_after_the_root_is_let_end_and_is_no_leftover(tmp_path: Path) -> None:
    # As multiprocessing's resource tracker: it tidies up when the pipe to its interpreter closes.
    tidied = tmp_path / "tidied"
    program = """
import os, sys
ours, theirs = os.pipe()
if os.fork() == 0:
    os.close(theirs)
    os.read(ours, 1)
    open(sys.argv[1], "w")
"""
    ending = run(Command(argv=(sys.executable, "-I", "-S", "-c", program, str(tidied))))
    assert (ending.end, ending.ended) == (End.EXITED, ())
    assert tidied.exists()


def test_a_process_that_has_got_the_pid_of_another_is_not_hit() -> None:
    with subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE) as cat:
        stat = Path(f"/proc/{cat.pid}/stat").read_text().split()
        stat[3] = "1"  # not our child
        stat[21] = str(int(stat[21]) - 1)  # it began a little earlier: another process
        gone = tree.Process(" ".join(stat).encode())
        tree._send_all([gone], signal.SIGKILL)  # noqa: SLF001 - pids cannot be made to be reused
        cat.communicate(b"")
        assert cat.returncode == 0
    with subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE) as cat:
        stat[0], stat[21] = str(cat.pid), str(tree.look(cat.pid).since)  # type: ignore[union-attr]
        meant = tree.Process(" ".join(stat).encode())
        tree._send_all([meant], signal.SIGKILL)  # noqa: SLF001
        assert cat.wait() == -signal.SIGKILL
