"""The matrix as tables for a terminal, through rich."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich import box
from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from gilgrid.model import Verdict
from gilgrid.report.grid import RUNS_WITH, Grid, grids
from gilgrid.report.styles import STYLES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gilgrid.expectations import Judged
    from gilgrid.matrix import Matrix

_LOG_WIDTH = 400
UNEXPECTED = "!"
"""Beside a verdict that is not the expected one: seen without colours too."""


def verdict_text(entry: Judged | None) -> Text:
    """A verdict as it stands in a table."""
    if entry is None:
        return Text("")
    verdict = entry.record.verdict
    if entry.as_expected:
        return Text(verdict, style=STYLES[verdict])
    # In front: a narrow terminal cuts off the end.
    return Text(f"{UNEXPECTED} {verdict}", style=f"bold {STYLES[verdict]}")


def tables(matrix: Matrix, judged: Sequence[Judged]) -> RenderableType:
    """One table a probe, then the legend of what occurs in them."""
    parts = [part for grid in grids(matrix, judged) for part in (_table(grid), Text(""))]
    return Group(*parts, legend(judged, matrix.path.name))


def console() -> Console:
    """Standard output. A log has no width of its own, and rich would wrap its lines at 80."""
    return _Output(width=None if sys.stdout.isatty() else _LOG_WIDTH)


class _Output(Console):
    """A console whose reader may leave, as ``head`` does: rich would exit with 1, which means something."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def print_to(console: Console, renderable: RenderableType) -> None:
    """Print without the blanks that pad the end of every line: logs and diffs keep those."""
    with console.capture() as capture:
        console.print(renderable)
    console.file.write("".join(f"{line.rstrip()}\n" for line in capture.get().splitlines()))


def legend(judged: Sequence[Judged], matrix_file: str) -> RenderableType:
    """What the verdicts mean that occur here."""
    seen = {entry.record.verdict for entry in judged}
    table = Table.grid(padding=(0, 2))
    for verdict in Verdict:
        if verdict in seen:
            table.add_row(Text(verdict, style=STYLES[verdict]), verdict.meaning)
    if any(entry.record.cell.is_crossed for entry in judged):
        table.add_row(f"A {RUNS_WITH} B", "built with A, run with B")
    if not all(entry.as_expected for entry in judged):
        table.add_row(Text(UNEXPECTED, style="bold"), f"not what {matrix_file} expects")
    return table


def conclusion(matrix: Matrix, judged: Sequence[Judged], of: int) -> list[str]:
    """What differs, a line each, then the outcome: ``of`` is how many verdicts there could be."""
    differing = [entry for entry in judged if not entry.as_expected]
    builds = len({entry.record.build_key for entry in judged if entry.record.build_key})
    verdicts = counted(len(judged), "verdict") if len(judged) == of else f"{len(judged)} of {of} verdicts"
    outcome = (
        f"{counted(len(differing), 'is', 'are')} not as {matrix.path.name} expects"
        if differing
        else f"all as {matrix.path.name} expects"
    )
    return [
        *(f"{UNEXPECTED} {entry.difference}" for entry in differing),
        f"{verdicts} from {counted(builds, 'build')}, {outcome}",
    ]


def counted(number: int, one: str, several: str = "") -> str:
    """A number and its noun: ``1 verdict``, ``2 verdicts``."""
    return f"{number} {one if number == 1 else several or f'{one}s'}"


def spent(seconds: Mapping[str, float], clock_s: float, cpus: int) -> str:
    """Where the time of a run went: tasks that ran at once count each for itself."""
    parts = ", ".join(f"{kind} {spent_s:.1f} s" for kind, spent_s in seconds.items())
    return f"spent: {parts}; by the clock {clock_s:.1f} s, with {cpus} CPUs"


def _table(grid: Grid) -> Table:
    table = Table(
        title=grid.title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        min_width=cell_len(grid.title),  # which would be broken to the width of a single verdict
    )
    table.add_column(grid.corner, style="bold", no_wrap=True)
    for column in grid.columns:
        # Two short lines: the whole table of the bundled subject fits a terminal of 80 columns.
        table.add_column(column.replace(f" {RUNS_WITH} ", f"\n{RUNS_WITH} "), no_wrap=True)
    for row in grid.rows:
        table.add_row(row, *(verdict_text(grid.entries.get((row, column))) for column in grid.columns))
    return table
