"""Whatever a command does to stay, nothing of it is left."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gilgrid.guard import End, run

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
