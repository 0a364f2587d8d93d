"""What the records of a project say, with all that they are judged by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.version import Version

from gilgrid import config
from gilgrid.claims import judge
from gilgrid.errors import MistakesError
from gilgrid.plan import Plan, cells_of, plan
from gilgrid.records import Records

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from gilgrid.claims import Judgement
    from gilgrid.matrix import Matrix, Subject
    from gilgrid.model import Cell, Record


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """A matrix, and what of it has a record."""

    matrix: Matrix
    whole: Plan
    """For the Pythons that there are records of."""
    plan: Plan
    """Of the whole, what has a record."""
    found: Mapping[tuple[Cell, str], Record]
    judgement: Judgement
    warnings: tuple[str, ...]


def recorded(path: Path, *, may_be_none: bool = False) -> Recorded:
    """Read the records beside a ``matrix.toml``. Raises ``MistakesError`` if none is, unless that may be."""
    matrix = config.load(path)
    records = Records.of(matrix.project)
    records.sets_aside = False  # who only reads leaves it to a run
    found = {(record.cell, record.probe): record for record in records.read_all()}
    whole = plan(matrix, {subject.name: _cells(matrix, subject, found) for subject in matrix.subjects})
    of_plan = Plan(cells=whole.cells, jobs=tuple(job for job in whole.jobs if (job.cell, job.probe) in found))
    if not of_plan.jobs and not may_be_none:
        sentence = f"no record in {records.folder} is of this matrix: gilgrid run makes them"
        raise MistakesError([*records.warnings, sentence])
    return Recorded(
        matrix=matrix,
        whole=whole,
        plan=of_plan,
        found=found,
        judgement=judge(matrix, [found[job.cell, job.probe] for job in of_plan.jobs]),
        warnings=tuple(records.warnings),
    )


def _cells(matrix: Matrix, subject: Subject, found: Iterable[tuple[Cell, str]]) -> tuple[Cell, ...]:
    """The cells of a subject, for the Pythons that its own records have: each may have taken others."""
    own = {probe.name for probe in matrix.probes if probe.subject == subject.name}
    pythons = sorted({cell.python for cell, probe in found if probe in own}, key=Version)
    return cells_of(matrix, subject, *pythons)
