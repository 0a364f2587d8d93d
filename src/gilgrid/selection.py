"""The part of a plan that was asked for, by patterns of cells and probes. Pure."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from gilgrid.errors import MistakesError
from gilgrid.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gilgrid.model import Cell


def chosen(whole: Plan, cells: Sequence[str], probes: Sequence[str]) -> Plan:
    """What ``select`` finds. Raises ``MistakesError`` where that is nothing."""
    selected = select(whole, cells, probes)
    if not selected.jobs:
        asked = " ".join([*(f"--cell {c}" for c in cells), *(f"--probe {p}" for p in probes)])
        if not select(whole, cells).jobs:
            known = (
                f"a cell is {whole.cells[0]}, a pattern may have * in it, and gilgrid plan lists "
                f"all {len(whole.cells)}"
            )
        elif not select(whole, probes=probes).jobs:
            known = f"the probes are: {', '.join(dict.fromkeys(job.probe for job in whole.jobs))}"
        else:
            known = "those cells do not have that probe"
        raise MistakesError([f"nothing matches {asked}; {known}"])
    return selected


def select(whole: Plan, cells: Sequence[str] = (), probes: Sequence[str] = ()) -> Plan:
    """The part of a plan whose cells and probes match any of these patterns, which may leave out the Python.

    Of a cell, it has also the probes that do not depend on all axes; of those, all cells that it is in.
    """
    asked = [cell for cell in whole.cells if not cells or any(matches(cell, pattern) for pattern in cells)]
    shapes = {(job.axes, _axes(job.cell)) for job in whole.jobs}

    def parts(cell: Cell) -> set[Cell]:
        """What the jobs of a whole cell are of: that cell, or what is left of it on fewer axes."""
        return {cell.projected(seen) for axes, seen in shapes if axes == _axes(cell)}

    within = {(_axes(cell), part) for cell in asked for part in parts(cell)}
    jobs = tuple(
        job
        for job in whole.jobs
        if (not probes or any(fnmatchcase(job.probe, pattern) for pattern in probes))
        and ((job.axes, job.cell) in within or any(matches(job.cell, pattern) for pattern in cells))
    )
    found = {(job.axes, job.cell) for job in jobs}
    return Plan(
        cells=tuple(
            cell for cell in asked or whole.cells if any((_axes(cell), part) in found for part in parts(cell))
        ),
        jobs=jobs,
    )


def matches(cell: Cell, pattern: str) -> bool:
    """Whether a cell's name, with or without its Python, matches a shell pattern."""
    name = str(cell)
    return fnmatchcase(name, pattern) or fnmatchcase(name.partition("-")[2], pattern)


def _axes(cell: Cell) -> tuple[str, ...]:
    return tuple(coordinate.axis for coordinate in cell.coordinates)
