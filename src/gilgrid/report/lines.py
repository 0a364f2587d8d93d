"""A run while it runs, as plain lines: what a log keeps."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.text import Text

from gilgrid.report.progress import Progress, clock
from gilgrid.report.terminal import counted, verdict_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from gilgrid.matrix import Matrix
    from gilgrid.model import Record
    from gilgrid.plan import Plan
    from gilgrid.schedule import Task


class PlainLines:
    """A line for each verdict, and for what takes long enough to be told when it starts."""

    def __init__(self, console: Console, matrix: Matrix, whole: Plan, kept: Sequence[Record]) -> None:
        self._console = console
        self._progress = Progress(matrix, whole, kept)
        self._say(f"{counted(len(whole.jobs), 'verdict')}, {self._progress.to_measure} to measure", 0)

    def started(self, task: Task) -> None:
        """Environments and builds are told; probes soon have their verdicts."""
        if task.kind != "probe":
            self._say(f"{task.kind} {task.name}", time.monotonic() - self._progress.begun)

    def ended(self, task: Task) -> None:
        """The verdicts say it."""

    def recorded(self, record: Record) -> None:
        """A verdict is known."""
        judged = self._progress.note(record)
        line = Text.assemble(
            f"{record.cell} {record.probe} ", verdict_text(judged), f" ({self._progress.summary()})"
        )
        self._console.print(line, soft_wrap=True)

    def _say(self, sentence: str, seconds: float) -> None:
        self._console.print(Text(f"{clock(seconds)}  {sentence}", style="dim"), soft_wrap=True)
