"""The matrix as numbers over versions: what asv may have as a benchmark whose parameters are versions."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gilgrid.claims import median
from gilgrid.model import Verdict
from gilgrid.report.grid import label

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gilgrid.matrix import Matrix
    from gilgrid.model import Record

WELL = "well"
"""The name of the share of a probe's repeats that ended well; all other series are metrics of its own."""
_NOT_MEASURED = math.nan
"""What asv has for a benchmark that was skipped; of one that failed it has None."""


@dataclass(frozen=True, kw_only=True)
class Series:
    """One number of a probe, over the versions of its axes."""

    probe: str
    metric: str
    axes: tuple[str, ...]
    versions: tuple[tuple[str, ...], ...]
    """Of each axis, in the order of ``matrix.toml``; labelled as in grids, ``1.10.1 → 1.17.1``."""
    values: tuple[float | None, ...]
    """For ``itertools.product(*versions)``; None where nothing came of it, NaN where nothing was measured."""

    @property
    def name(self) -> str:
        """As a benchmark of asv's."""
        return f"matrix.{self.probe}.{self.metric}"


def series(matrix: Matrix, records: Iterable[Record]) -> list[Series]:
    """Every number of every probe, of records of one Python."""
    by_probe: dict[str, list[Record]] = {}
    for record in records:
        by_probe.setdefault(record.probe, []).append(record)
    found = []
    for probe in matrix.probes:
        of_probe = by_probe.get(probe.name, [])
        axes = tuple(axis.name for axis in matrix.axes if axis.name in probe.axes)  # as cells have them
        places = {tuple(map(label, record.cell.coordinates)): record for record in of_probe}
        versions = tuple(
            _ordered(matrix, axis, {place[number] for place in places}) for number, axis in enumerate(axes)
        )
        metrics = dict.fromkeys(
            name for record in of_probe for attempt in record.attempts for name in attempt.metrics
        )
        for metric in [WELL, *metrics] if of_probe else []:
            values = tuple(
                _value(places[place], metric) if place in places else _NOT_MEASURED
                for place in itertools.product(*versions)
            )
            found.append(Series(probe=probe.name, metric=metric, axes=axes, versions=versions, values=values))
    return found


def _ordered(matrix: Matrix, name: str, versions: Iterable[str]) -> tuple[str, ...]:
    axis = matrix.axis(name)
    return tuple(sorted(versions, key=lambda version: (axis.place(version.partition(" ")[0]), version)))


def _value(record: Record, metric: str) -> float | None:
    if metric == WELL:
        well = [attempt.verdict is Verdict.OK for attempt in record.attempts]
        return sum(well) / len(well) if well else None
    return median(record, metric)
