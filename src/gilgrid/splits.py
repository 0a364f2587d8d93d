"""How a plan was split, kept beside the records: whoever runs a part has it as whoever planned it."""

from __future__ import annotations

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


def path(matrix: Matrix) -> Path:
    """Where the last split of a matrix is."""
    return matrix.project / FOLDER / "shards.json"


def split(
    workshop: Workshop, cells: Sequence[str], probes: Sequence[str], number: int | None = None
) -> list[Shard]:
    """Split what is selected into so many parts, by what records say that it takes; keep the split.

    Raises ``MistakesError`` where nothing is selected, or less than there are to be parts.
    """
    whole = chosen(workshop.plan(), cells, probes)
    parts = shards(workshop.matrix, whole, workshop.records.read_all(), number)
    content = {
        "schema": _SCHEMA,
        "of": _identity(workshop.matrix, cells, probes),
        "shards": [
            {
                "cells": [str(cell) for cell in part.plan.cells],
                "jobs": [[str(job.cell), job.probe] for job in part.plan.jobs],
            }
            for part in parts
        ],
    }
    files.write_json(path(workshop.matrix), content)
    return parts


def part(workshop: Workshop, cells: Sequence[str], probes: Sequence[str], number: int, of: int) -> Plan:
    """One part of what is selected, as it was split; where that was another selection, it is split now.

    Raises ``MistakesError`` as ``split`` does.
    """
    kept = _kept(workshop.matrix, cells, probes)
    if len(kept) != of:
        kept = [shard.plan for shard in split(workshop, cells, probes, of)]
    return kept[number - 1]


def _kept(matrix: Matrix, cells: Sequence[str], probes: Sequence[str]) -> list[Plan]:
    content = files.read_json(path(matrix))
    try:
        if (content["schema"], content["of"]) != (_SCHEMA, _identity(matrix, cells, probes)):
            return []
        return [
            Plan(
                cells=tuple(map(Cell.parse, shard["cells"])),
                jobs=tuple(job_of(matrix, Cell.parse(cell), probe) for cell, probe in shard["jobs"]),
            )
            for shard in content["shards"]
        ]
    except (KeyError, TypeError, ValueError):  # there is none, or somebody has changed it
        return []


def _identity(matrix: Matrix, cells: Sequence[str], probes: Sequence[str]) -> str:
    return files.digest(matrix.path.read_text(encoding="utf-8"), sorted(cells), sorted(probes))
