"""How far a run is: what is decided, what runs, how long is left."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from gilgrid import expectations

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gilgrid.expectations import Judged
    from gilgrid.matrix import Matrix
    from gilgrid.model import Cell, Record
    from gilgrid.plan import Plan
    from gilgrid.schedule import Task

# An estimate from fewer would jump about.
_LEAST_FOR_ESTIMATE = 4


class Progress:
    """Counts what a run has done and guesses what is left."""

    def __init__(self, matrix: Matrix, whole: Plan, kept: Sequence[Record]) -> None:
        self.matrix = matrix
        self.plan = whole
        self.begun = time.monotonic()
        self.verdicts: dict[tuple[Cell, str], Judged] = {}
        self.running: dict[Task, float] = {}
        self.measured = 0
        for record in kept:
            self.note(record, measured=False)
        self.to_measure = len(whole.jobs) - len(self.verdicts)

    def note(self, record: Record, *, measured: bool = True) -> Judged:
        """Take in a record."""
        (judged,) = expectations.judge(self.matrix, [record])
        self.verdicts[record.cell, record.probe] = judged
        self.measured += measured
        return judged

    def left(self) -> str:
        """How long is left, from how long it took so far."""
        if self.measured < _LEAST_FOR_ESTIMATE or self.measured >= self.to_measure:
            return ""
        seconds = (time.monotonic() - self.begun) / self.measured * (self.to_measure - self.measured)
        return f"about {clock(seconds)} left"

    def summary(self) -> str:
        """Done, of how many, for how long."""
        spent = clock(time.monotonic() - self.begun)
        return ", ".join(
            filter(None, [f"{len(self.verdicts)} of {len(self.plan.jobs)} verdicts", spent, self.left()]),
        )


def clock(seconds: float) -> str:
    """Seconds for people: ``42 s``, ``3 min 05 s``."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
