"""A run while it runs: a grid that fills in on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from packaging.version import Version
from rich import box
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from gilgrid import expectations
from gilgrid.model import Verdict
from gilgrid.report.grid import label
from gilgrid.report.terminal import STYLES, verdict_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType
    from typing import Self

    from rich.console import Console

    from gilgrid.expectations import Judged
    from gilgrid.matrix import Matrix
    from gilgrid.model import Cell, Record
    from gilgrid.plan import Job, Plan
    from gilgrid.schedule import Task

_LETTERS = {
    Verdict.OK: "●",
    Verdict.WRONG: "W",
    Verdict.FAILED: "F",
    Verdict.CRASH: "C",
    Verdict.DEADLOCK: "D",
    Verdict.TIMEOUT: "T",
    Verdict.FLAKY: "~",
    Verdict.BUILD_FAILED: "B",
    Verdict.UNAVAILABLE: "-",
    Verdict.ERROR: "E",
}
_PENDING = "·"
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


class LiveView:
    """The grid filling in, one mark for each probe of a cell; what runs; how long is left."""

    def __init__(self, console: Console, matrix: Matrix) -> None:
        self._console = console
        self._matrix = matrix
        self._progress: Progress | None = None
        self._live = Live(
            console=console, get_renderable=self._render, refresh_per_second=4, transient=True,
            redirect_stdout=False, redirect_stderr=False,
        )  # fmt: skip

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self._live.stop()

    def begun(self, whole: Plan, kept: Sequence[Record]) -> None:
        """The plan is known."""
        self._progress = Progress(self._matrix, whole, kept)

    def started(self, task: Task) -> None:
        """A task runs."""
        if self._progress:
            self._progress.running[task] = time.monotonic()

    def ended(self, task: Task) -> None:
        """A task ended."""
        if self._progress:
            self._progress.running.pop(task, None)

    def recorded(self, record: Record) -> None:
        """A verdict is known."""
        if self._progress:
            self._progress.note(record)

    def tick(self) -> None:
        """Rich refreshes the view by itself."""

    def _render(self) -> RenderableType:
        progress = self._progress
        if progress is None:
            return Text("planning: finding a Python for every cell…", style="dim")
        marks = Text("each mark a probe: " + "  ".join(
            f"{n}\N{NO-BREAK SPACE}{probe.name}" for n, probe in enumerate(self._matrix.probes, 1)
        ), style="dim")  # fmt: skip
        running = Table.grid(padding=(0, 2))
        # A snapshot: the schedule's thread goes on while rich draws.
        for task, since in list(progress.running.items())[: max(3, self._console.height - 20)]:
            running.add_row(
                Text(f"{time.monotonic() - since:5.0f} s", style="cyan"), task.kind, Text(task.name)
            )
        seen = {judged.record.verdict for judged in progress.verdicts.values()}
        letters = Text("  ".join(f"{_LETTERS[verdict]} {verdict}" for verdict in Verdict if verdict in seen))
        summary = Text(progress.summary(), style="bold")
        return Group(self._grid(progress), Text(""), letters, marks, running, summary)

    def _grid(self, progress: Progress) -> Table:
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
        whole = [cell for cell in progress.plan.cells if len(cell.coordinates) == len(self._matrix.axes)]
        rows = dict.fromkeys(
            (cell.python, label(cell.coordinates[0])) for cell in _sorted(self._matrix, whole)
        )
        columns = dict.fromkeys(_rest(cell) for cell in _sorted(self._matrix, whole))
        table.add_column(" \\ ".join(axis.name for axis in self._matrix.axes[:2]))
        for column in columns:
            table.add_column(column or "all", no_wrap=True)
        by_place = {(cell.python, label(cell.coordinates[0]), _rest(cell)): cell for cell in whole}
        jobs: dict[tuple[Cell, str], Job] = {(job.cell, job.probe): job for job in progress.plan.jobs}
        for python, row in rows:
            marks = []
            for column in columns:
                cell = by_place.get((python, row, column))
                marks.append(self._marks(progress, jobs, cell) if cell else Text(""))
            table.add_row(f"{row}  (Python {python})" if self._matrix.pythons else row, *marks)
        return table

    def _marks(self, progress: Progress, jobs: dict[tuple[Cell, str], Job], cell: Cell) -> Text:
        text = Text()
        for probe in self._matrix.probes:
            place = cell.projected(probe.axes), probe.name
            judged = progress.verdicts.get(place)
            if judged:
                verdict = judged.record.verdict
                text.append(_LETTERS[verdict], STYLES[verdict] if judged.as_expected else "reverse bold")
            else:
                text.append(_PENDING if place in jobs else " ", "dim")
        return text


class PlainLines:
    """A line for each verdict: what a log keeps."""

    def __init__(self, console: Console, matrix: Matrix) -> None:
        self._console = console
        self._matrix = matrix
        self._progress: Progress | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        pass

    def begun(self, whole: Plan, kept: Sequence[Record]) -> None:
        """The plan is known."""
        self._progress = Progress(self._matrix, whole, kept)
        to_measure = self._progress.to_measure
        if to_measure:
            self._say(f"{len(whole.jobs)} verdicts, {to_measure} to measure", 0)

    def started(self, task: Task) -> None:
        """Environments and builds take long enough to be told when they start."""
        if self._progress and task.kind != "probe":
            self._say(f"{task.kind} {task.name}", time.monotonic() - self._progress.begun)

    def ended(self, task: Task) -> None:
        """The verdicts say it."""

    def recorded(self, record: Record) -> None:
        """A verdict is known."""
        if self._progress:
            judged = self._progress.note(record)
            line = Text.assemble(
                f"{record.cell} {record.probe} ",
                verdict_text(judged),
                f" ({self._progress.summary()})",
            )
            self._console.print(line, soft_wrap=True)

    def tick(self) -> None:
        """Nothing moves in a log."""

    def _say(self, sentence: str, seconds: float) -> None:
        self._console.print(Text(f"{clock(seconds)}  {sentence}", style="dim"), soft_wrap=True)


def clock(seconds: float) -> str:
    """Seconds for people: ``42 s``, ``3 min 05 s``."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def _sorted(matrix: Matrix, cells: Sequence[Cell]) -> list[Cell]:
    def key(cell: Cell) -> tuple[object, ...]:
        places = [matrix.axis(c.axis).versions.index(c.version) for c in cell.coordinates]
        return Version(cell.python), cell.is_crossed, places

    return sorted(cells, key=key)


def _rest(cell: Cell) -> str:
    return ", ".join(label(coordinate) for coordinate in cell.coordinates[1:])
