"""Records laid out as grids: rows one axis, columns the next, one grid for what is left. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gilgrid.expectations import Judged
    from gilgrid.matrix import Matrix
    from gilgrid.model import Cell, Coordinate

RUNS_WITH = "→"


@dataclass(frozen=True, kw_only=True)
class Grid:
    """One table: a probe over two axes, for one Python and one version of each further axis."""

    probe: str
    group: str
    row_axis: str
    column_axis: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    entries: Mapping[tuple[str, str], Judged]

    @property
    def title(self) -> str:
        """The probe, and what sets this grid apart from its others."""
        return f"{self.probe}, {self.group}" if self.group else self.probe

    @property
    def corner(self) -> str:
        """What the rows and the columns are."""
        return " \\ ".join(filter(None, [self.row_axis, self.column_axis]))


def grids(matrix: Matrix, judged: Iterable[Judged]) -> list[Grid]:
    """All grids, by probe in the order of ``matrix.toml``; the probes that remedies make have none."""
    everything = list(judged)
    pythons = {entry.record.cell.python for entry in everything}
    found = []
    for probe in (probe for probe in matrix.probes if probe.name not in matrix.tried):
        of_probe = [entry for entry in everything if entry.record.probe == probe.name]
        groups: dict[str, list[Judged]] = {}
        for entry in sorted(of_probe, key=lambda entry: _order(matrix, entry.record.cell)):
            groups.setdefault(_group(entry.record.cell, show_python=len(pythons) > 1), []).append(entry)
        axes = [axis.name for axis in matrix.axes if axis.name in probe.axes]
        for group, entries in groups.items():
            placed = {position(entry.record.cell): entry for entry in entries}
            found.append(
                Grid(
                    probe=probe.name,
                    group=group,
                    row_axis=axes[0] if len(axes) > 1 else "",
                    column_axis="".join(axes[1:2] or axes),
                    rows=_ordered(matrix, entries, 0 if len(axes) > 1 else None),
                    columns=_ordered(matrix, entries, len(axes[:2]) - 1 if axes else None),
                    entries=placed,
                ),
            )
    return found


def position(cell: Cell) -> tuple[str, str]:
    """Row and column of a cell in its grid."""
    labels = [label(coordinate) for coordinate in cell.coordinates[:2]]
    return ("", "", *labels)[-2], "".join(labels[-1:])


def label(coordinate: Coordinate) -> str:
    """A version as a row or column: built with one, run with another."""
    if coordinate.run_version:
        return f"{coordinate.version} {RUNS_WITH} {coordinate.run_version}"
    return coordinate.version


def _group(cell: Cell, *, show_python: bool) -> str:
    parts = [f"Python {cell.python}"] if show_python else []
    parts += [f"{c.axis} {label(c)}" for c in cell.coordinates[2:]]
    return ", ".join(parts)


def _order(matrix: Matrix, cell: Cell) -> tuple[object, ...]:
    """3.9 before 3.10, and versions as the file has them."""
    further = [(matrix.axis(c.axis).place(c.version), c.run_version or "") for c in cell.coordinates[2:]]
    return [int(number) for number in cell.python.split(".")], further


def _ordered(matrix: Matrix, entries: list[Judged], place: int | None) -> tuple[str, ...]:
    """Labels in the order of the axis; a version that runs with another comes after all that do not."""
    if place is None:
        return ("",)
    coordinates = {entry.record.cell.coordinates[place] for entry in entries}

    def key(coordinate: Coordinate) -> tuple[object, ...]:
        place = matrix.axis(coordinate.axis).place(coordinate.version)
        return bool(coordinate.run_version), place, coordinate.run_version or ""

    return tuple(dict.fromkeys(label(coordinate) for coordinate in sorted(coordinates, key=key)))
