"""A run while it runs, on a terminal: the grid as it fills in."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from packaging.version import Version
from rich import box
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from gilgrid.model import Verdict
from gilgrid.report.grid import label
from gilgrid.report.progress import Progress
from gilgrid.report.styles import STYLES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from types import TracebackType
    from typing import Self

    from rich.console import Console

    from gilgrid.matrix import Matrix, Subject
    from gilgrid.model import Cell, Probe, Record
    from gilgrid.plan import Plan
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


class LiveView:
    """The grid filling in, one mark for each probe of a cell; what runs; how long is left."""

    def __init__(self, console: Console, matrix: Matrix, whole: Plan, kept: Sequence[Record]) -> None:
        self._console = console
        self._matrix = matrix
        self._probes = [probe for probe in matrix.probes if probe.name not in matrix.tried]
        self._progress = Progress(matrix, whole, kept)
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

    def started(self, task: Task) -> None:
        """A task runs."""
        self._progress.running[task] = time.monotonic()

    def ended(self, task: Task) -> None:
        """A task ended."""
        self._progress.running.pop(task, None)

    def recorded(self, record: Record) -> None:
        """A verdict is known."""
        self._progress.note(record)

    def _render(self) -> RenderableType:
        progress = self._progress
        parts = [part for subject in self._matrix.subjects for part in self._subject(subject)]
        running = Table.grid(padding=(0, 2))
        # A snapshot: the schedule's thread goes on while rich draws.
        for task, since in list(progress.running.items())[: max(3, self._console.height // 6)]:
            running.add_row(
                Text(f"{time.monotonic() - since:5.0f} s", style="cyan"), task.kind, Text(task.name)
            )
        seen = {judged.record.verdict for judged in progress.verdicts.values()}
        letters = Text("  ".join(f"{_LETTERS[verdict]} {verdict}" for verdict in Verdict if verdict in seen))
        summary = Text(progress.summary(), style="bold")
        # What does not fit is cut off at the end.
        return Group(summary, running, Text(""), *parts, letters, self._remedies())

    def _remedies(self) -> Text:
        """How many trials of remedies are done: they have no marks."""
        tried = [job for job in self._progress.plan.jobs if job.probe in self._matrix.tried]
        done = sum((job.cell, job.probe) in self._progress.verdicts for job in tried)
        return Text(f"remedies: {done} of {len(tried)} trials" if tried else "", style="dim")

    def _subject(self, subject: Subject) -> Iterator[RenderableType]:
        """The grid of a subject, and what its marks are; nothing where none of its cells was chosen."""
        probes = [probe for probe in self._probes if probe.subject == subject.name]
        jobs = {(job.cell, job.probe) for job in self._progress.plan.jobs}
        whole = [
            cell
            for cell in self._progress.plan.cells
            if tuple(coordinate.axis for coordinate in cell.coordinates) == subject.axes
            and any((cell.projected(probe.axes), probe.name) in jobs for probe in probes)
        ]
        if whole:
            yield self._grid(subject, probes, _sorted(self._matrix, whole), jobs)
            numbered = (f"{n}\N{NO-BREAK SPACE}{probe.name}" for n, probe in enumerate(probes, 1))
            yield Text("each mark a probe: " + "  ".join(numbered), style="dim")
            yield Text("")

    def _grid(
        self,
        subject: Subject,
        probes: Sequence[Probe],
        whole: Sequence[Cell],
        jobs: Collection[tuple[Cell, str]],
    ) -> Table:
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
        if len(self._matrix.subjects) > 1:
            table.title, table.title_justify, table.title_style = subject.name, "left", "bold"
        rows = dict.fromkeys((cell.python, _first(cell)) for cell in whole)
        columns = dict.fromkeys(_rest(cell) for cell in whole)
        table.add_column(" \\ ".join(subject.axes[:2]) or subject.name)
        for column in columns:
            table.add_column(column or "all", no_wrap=True)
        by_place = {(cell.python, _first(cell), _rest(cell)): cell for cell in whole}
        for python, row in rows:
            marks = []
            for column in columns:
                cell = by_place.get((python, row, column))
                marks.append(self._marks(probes, jobs, cell) if cell else Text(""))
            table.add_row(f"{row}  (Python {python})" if self._matrix.pythons else row, *marks)
        return table

    def _marks(self, probes: Sequence[Probe], jobs: Collection[tuple[Cell, str]], cell: Cell) -> Text:
        text = Text()
        for probe in probes:
            place = cell.projected(probe.axes), probe.name
            judged = self._progress.verdicts.get(place)
            if judged:
                verdict = judged.record.verdict
                text.append(_LETTERS[verdict], STYLES[verdict] if judged.as_expected else "reverse bold")
            else:
                text.append(_PENDING if place in jobs else " ", "dim")
        return text


def _sorted(matrix: Matrix, cells: Sequence[Cell]) -> list[Cell]:
    def key(cell: Cell) -> tuple[object, ...]:
        places = [matrix.axis(c.axis).place(c.version) for c in cell.coordinates]
        return Version(cell.python), cell.is_crossed, places

    return sorted(cells, key=key)


def _first(cell: Cell) -> str:
    return label(cell.coordinates[0]) if cell.coordinates else ""


def _rest(cell: Cell) -> str:
    return ", ".join(label(coordinate) for coordinate in cell.coordinates[1:])
