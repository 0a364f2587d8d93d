"""The matrix as numbers over versions: what asv may have as a benchmark whose parameters are versions."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from gilgrid.model import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gilgrid.matrix import Matrix
    from gilgrid.model import Cell, Record

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
    """Of each axis, in the order of ``matrix.toml``; what runs with another one is ``1.10.1 run 1.17.1``."""
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
        places = {_place(record.cell, probe.axes): record for record in of_probe}
        versions = tuple(
            _ordered(matrix, axis, {place[number] for place in places})
            for number, axis in enumerate(probe.axes)
        )
        metrics = dict.fromkeys(
            name for record in of_probe for attempt in record.attempts for name in attempt.metrics
        )
        for metric in [WELL, *metrics] if of_probe else []:
            values = tuple(
                _value(places[place], metric) if place in places else _NOT_MEASURED
                for place in itertools.product(*versions)
            )
            found.append(
                Series(probe=probe.name, metric=metric, axes=probe.axes, versions=versions, values=values)
            )
    return found


def _place(cell: Cell, axes: tuple[str, ...]) -> tuple[str, ...]:
    found = []
    for axis in axes:
        coordinate = cell.coordinate(axis)
        assert coordinate  # noqa: S101 - a record's cell has the axes of its probe
        run = f" run {coordinate.run_version}" if coordinate.run_version else ""
        found.append(coordinate.version + run)
    return tuple(found)


def _ordered(matrix: Matrix, name: str, versions: Iterable[str]) -> tuple[str, ...]:
    axis = matrix.axis(name)
    return tuple(sorted(versions, key=lambda version: (axis.place(version.partition(" ")[0]), version)))


def _value(record: Record, metric: str) -> float | None:
    if metric == WELL:
        well = [attempt.verdict is Verdict.OK for attempt in record.attempts]
        return sum(well) / len(well) if well else None
    values = [attempt.metrics[metric] for attempt in record.attempts if metric in attempt.metrics]
    return median(values) if values else None
