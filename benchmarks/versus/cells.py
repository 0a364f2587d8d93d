"""Cells of the bundled matrix for benchmarks: gilgrid's own environments and builds, to run a script in."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from gilgrid import benchmarked, config, files
from gilgrid.records import Records
from gilgrid.workshop import Workshop

if TYPE_CHECKING:
    from gilgrid.model import Cell

ROOT = Path(__file__).resolve().parents[2]


def command(subject: str, coordinates: str, *further: str) -> tuple[list[str], dict[str, str]]:
    """The Python of a cell, ``cython3.0.12-scipy1.10.1``, and the variables that it runs with.

    ``further`` requirements are installed beside what the subject needs. Builds what is not built yet.
    """
    matrix = config.load(ROOT / "matrix.toml")
    workshop = Workshop.of(matrix, Records.of(ROOT), files.cache_folder())
    cell = _cell(workshop, coordinates)
    of = next(one for one in matrix.subjects if one.name == subject)
    there = benchmarked.install(workshop, of, cell, further=further)
    return [str(there.environment.python)], there.variables


def _cell(workshop: Workshop, coordinates: str) -> Cell:
    cells = [cell for cell in workshop.plan().cells if str(cell).partition("-")[2] == coordinates]
    if not cells:
        sys.exit(f"no cell of matrix.toml is {coordinates}")
    return cells[0]
