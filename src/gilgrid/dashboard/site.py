"""The pages of the matrix: grids and claims, and the evidence behind every cell."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gilgrid import expectations
from gilgrid.report import pages

if TYPE_CHECKING:
    from gilgrid.recorded import Recorded

PAGES = Path(__file__).with_name("pages")
PAGE = "matrix.html"


def write(of: Recorded, folder: Path) -> int:
    """Write the pages into a folder that is served over HTTP; returns how many records are behind them."""
    records = [of.found[job.cell, job.probe] for job in of.plan.jobs]
    judged = expectations.judge(of.matrix, records)
    shutil.copytree(PAGES, folder, dirs_exist_ok=True)
    _write(folder / "matrix.json", pages.overview(of.matrix, judged, of.judgement))
    for entry in judged:
        place = folder / "matrix" / str(entry.record.cell) / f"{entry.record.probe}.json"
        _write(place, pages.evidence(of.matrix, entry, of.judgement))
    return len(judged)


def _write(path: Path, value: Any) -> None:
    # As others may read it: a file that is written atomically is its owner's alone.
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
