"""How a plan was split, kept beside the records: whoever runs a part has it as whoever planned it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gilgrid import files
from gilgrid.model import Cell
from gilgrid.plan import Plan, job_of
from gilgrid.records import FOLDER
from gilgrid.selection import chosen
from gilgrid.shards import shards

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gilgrid.matrix import Matrix
    from gilgrid.shards import Shard
    from gilgrid.workshop import Workshop

_SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class Split:
    """A plan in parts, as it was kept."""

    cells: tuple[str, ...]
    """The patterns of what was selected."""
    probes: tuple[str, ...]
    parts: tuple[Plan, ...]


def split(
    workshop: Workshop, cells: Sequence[str], probes: Sequence[str], number: int | None = None
) -> list[Shard]:
    """Split what is selected into so many parts, by what records say that it takes; keep the split.

    Raises ``MistakesError`` where nothing is selected, or less than there are to be parts.
    """
    whole = chosen(workshop.plan(), cells, probes)
    kept = last(workshop.matrix)
    former = kept.parts if kept else ()
    parts = shards(workshop.matrix, whole, workshop.records.read_all(), number, former)
    content = {
        "schema": _SCHEMA,
        "matrix": _identity(workshop.matrix),
        "selected": {"cells": list(cells), "probes": list(probes)},
        "shards": [
            {
                "cells": [str(cell) for cell in part.plan.cells],
                "jobs": [[str(job.cell), job.probe] for job in part.plan.jobs],
            }
            for part in parts
        ],
    }
    files.write_json(_path(workshop.matrix), content)
    return parts


def part(workshop: Workshop, cells: Sequence[str], probes: Sequence[str], number: int, of: int) -> Plan:
    """One part of what is selected, as it was split; where that was another selection, it is split now.

    Raises ``MistakesError`` as ``split`` does.
    """
    kept = last(workshop.matrix)
    if kept and len(kept.parts) == of and (kept.cells, kept.probes) == (tuple(cells), tuple(probes)):
        return kept.parts[number - 1]
    return split(workshop, cells, probes, of)[number - 1].plan


def last(matrix: Matrix) -> Split | None:
    """The last split of this matrix, if there was one."""
    content = files.read_json(_path(matrix))
    try:
        if (content["schema"], content["matrix"]) != (_SCHEMA, _identity(matrix)):
            return None
        return Split(
            cells=tuple(content["selected"]["cells"]),
            probes=tuple(content["selected"]["probes"]),
            parts=tuple(
                Plan(
                    cells=tuple(map(Cell.parse, shard["cells"])),
                    jobs=tuple(job_of(matrix, Cell.parse(cell), probe) for cell, probe in shard["jobs"]),
                )
                for shard in content["shards"]
            ),
        )
    except (KeyError, TypeError, ValueError):  # there is no file, or somebody has changed it
        return None


def _path(matrix: Matrix) -> Path:
    return matrix.project / FOLDER / "shards.json"


def _identity(matrix: Matrix) -> str:
    return files.digest(matrix.path.read_text(encoding="utf-8"))
