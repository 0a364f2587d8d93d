"""The part of a plan that was asked for, by patterns of cells and probes. Pure."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from gilgrid.errors import MistakesError
from gilgrid.plan import Plan

if TYPE_CHECKING:
    from gilgrid.model import Cell


def chosen(whole: Plan, cell: str | None, probe: str | None) -> Plan:
    """What ``select`` finds. Raises ``MistakesError`` where that is nothing."""
    selected = select(whole, cell, probe)
    if not selected.jobs:
        probes = ", ".join(dict.fromkeys(job.probe for job in whole.jobs))
        sentence = (
            f"nothing matches --cell {cell or '*'} --probe {probe or '*'}; "
            f"a cell is {whole.cells[0]}, a pattern may have * in it, the probes are: {probes}"
        )
        raise MistakesError([sentence])
    return selected


def select(whole: Plan, cell: str | None, probe: str | None) -> Plan:
    """The part of a plan whose cells and probes match these patterns; a pattern may leave out the Python.

    Of a cell, it has also the probes that do not depend on all axes; of those, all cells that it is in.
    """
    asked = [c for c in whole.cells if cell is None or matches(c, cell)]
    jobs = tuple(
        job
        for job in whole.jobs
        if (probe is None or fnmatchcase(job.probe, probe))
        and (cell is None or matches(job.cell, cell) or any(_is_within(job.cell, c) for c in asked))
    )
    return Plan(
        cells=tuple(
            c
            for c in (asked or whole.cells)
            if any(_is_within(job_cell, c) for job_cell in dict.fromkeys(job.cell for job in jobs))
        ),
        jobs=jobs,
    )


def matches(cell: Cell, pattern: str) -> bool:
    """Whether a cell's name, with or without its Python, matches a shell pattern."""
    name = str(cell)
    return fnmatchcase(name, pattern) or fnmatchcase(name.partition("-")[2], pattern)


def _is_within(projected: Cell, cell: Cell) -> bool:
    return cell.projected(tuple(coordinate.axis for coordinate in projected.coordinates)) == projected
