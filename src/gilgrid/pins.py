"""What is installed for a cell: while its subject is built, while a probe of it runs. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gilgrid.model import Stage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gilgrid.matrix import Matrix, Subject
    from gilgrid.model import Cell


@dataclass(frozen=True, kw_only=True, order=True)
class Pins:
    """What one environment is resolved from: a Python and requirements, sorted."""

    python: str
    requirements: tuple[str, ...]


def run_pins(matrix: Matrix, subject: Subject, cell: Cell) -> Pins:
    """What is installed while a probe of that cell runs, without the subject's own wheel."""
    pinned = [
        f"{c.axis}=={c.at_run}" for c in cell.coordinates if matrix.axis(c.axis).is_installed(Stage.RUN)
    ]
    return _pins(cell.python, [*pinned, *subject.run_requires, *subject.dependencies])


def build_pins(matrix: Matrix, subject: Subject, cell: Cell) -> Pins:
    """What is installed while the subject is built for that cell."""
    pinned = [
        f"{c.axis}=={c.version}"
        for c in cell.coordinates
        if c.axis in subject.build_axes and matrix.axis(c.axis).is_installed(Stage.BUILD)
    ]
    # An sdist is fetched and built by pip: uv builds wheels from folders only.
    backend = [*subject.build_requires, *([] if subject.folder else ["pip"])]
    return _pins(cell.python, [*pinned, *backend])


def input_pins(matrix: Matrix, subject: Subject, cell: Cell) -> Pins | None:
    """The environment in which a build's inputs are read; ``None`` where no axis names any.

    It is the run-time environment of the cell as built, which is needed anyway, so that reading the inputs
    costs no environment of its own.
    """
    axes = [c for c in cell.coordinates if c.axis in subject.build_axes and matrix.axis(c.axis).build_inputs]
    if not axes:
        return None
    run = run_pins(matrix, subject, as_built(cell))
    return _pins(cell.python, [*run.requirements, *(f"{c.axis}=={c.version}" for c in axes)])


def as_built(cell: Cell) -> Cell:
    """The cell with its build-time versions at run time too."""
    return replace(cell, coordinates=tuple(replace(c, run_version=None) for c in cell.coordinates))


def _pins(python: str, requirements: Iterable[str]) -> Pins:
    return Pins(python=python, requirements=tuple(sorted(set(requirements))))
