"""The parts of a plan: for people, for machines, and as a job matrix of GitHub Actions. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from packaging.version import Version
from rich import box
from rich.table import Table

from gilgrid.errors import MistakesError
from gilgrid.report.terminal import counted
from gilgrid.shards import MOST_PARTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gilgrid.shards import Shard

_CELLS_NAMED = 3
_MINUTE_S = 60


def table(parts: Sequence[Shard]) -> Table:
    """A row for each part."""
    made = Table(
        "shard", "cells", "probes", "about", "", box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False
    )
    for part in parts:
        cells = _cells(part)
        further = len(cells) - _CELLS_NAMED
        named = " ".join([*cells[:_CELLS_NAMED], *([f"and {further} more"] if further > 0 else [])])
        made.add_row(str(part), str(len(cells)), str(len(part.plan.jobs)), _about(part), named)
    return made


def to_json(parts: Sequence[Shard]) -> list[dict[str, Any]]:
    """For machines."""
    return [
        {
            "shard": str(part),
            "cells": _cells(part),
            "probes": [[str(job.cell), job.probe] for job in part.plan.jobs],
            "seconds": round(part.seconds, 1),
        }
        for part in parts
    ]


def github(parts: Sequence[Shard], runner: str) -> dict[str, Any]:
    """What ``strategy.matrix`` takes. Raises ``MistakesError`` beyond the jobs that GitHub runs of it."""
    if len(parts) > MOST_PARTS:
        raise MistakesError([f"--shards {len(parts)}: GitHub runs {MOST_PARTS} jobs of a matrix at most"])
    return {
        "include": [
            {
                "name": f"{part}, {counted(len(_cells(part)), 'cell')}, {_about(part)}",
                "shard": str(part),
                "number": part.number,
                # One on each line, as actions/setup-python takes several.
                "python": "\n".join(_pythons(part)),
                "runner": runner,
            }
            for part in parts
        ]
    }


def _cells(part: Shard) -> list[str]:
    return [str(cell) for cell in dict.fromkeys(job.cell for job in part.plan.jobs)]


def _pythons(part: Shard) -> list[str]:
    return sorted({job.cell.python for job in part.plan.jobs}, key=Version)


def _about(part: Shard) -> str:
    seconds = round(part.seconds)
    return f"{seconds} s" if seconds < _MINUTE_S else f"{round(seconds / _MINUTE_S)} min"
