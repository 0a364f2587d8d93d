"""The pages of the matrix: grids and claims, and the evidence behind every cell."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from gilgrid import expectations
from gilgrid.dashboard.steps import detect
from gilgrid.report import pages, versions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gilgrid.model import Record
    from gilgrid.recorded import Recorded
    from gilgrid.report.versions import Sample

PAGES = Path(__file__).with_name("pages")
PAGE = "matrix.html"
_RECORDS = Path("matrix")


def write(
    of: Recorded,
    folder: Path,
    *,
    samples: Sequence[Sample] = (),
    failed: Sequence[tuple[str, Record]] = (),
    parameters: Mapping[str, str] = MappingProxyType({}),
) -> int:
    """Write the pages into a folder that is served over HTTP; returns how many records are behind them.

    ``samples`` are what benchmarks came to, ``failed`` those that did not end well, each with its commit,
    and ``parameters`` what is behind a benchmark's number.
    """
    records = [of.found[job.cell, job.probe] for job in of.plan.jobs]
    judged = expectations.judge(of.matrix, records)
    shutil.copytree(PAGES, folder, dirs_exist_ok=True)
    _write(folder / "matrix.json", pages.overview(of.matrix, judged, of.judgement, failed, parameters))
    found = versions.lines([*samples, *versions.of_matrix(of.matrix, records)], detect)
    _write(folder / "versions.json", versions.to_json(found))
    for entry in judged:
        told = pages.evidence(of.matrix, entry, of.judgement)
        _write_evidence(folder, _RECORDS / str(entry.record.cell), entry.record, told)
    for commit, record in failed:
        place = _RECORDS / "benchmarks" / commit / str(record.cell)
        _write_evidence(folder, place, record, pages.of_benchmark(commit, record))
    return len(judged)


def _write_evidence(folder: Path, place: Path, record: Record, told: dict[str, Any]) -> None:
    """A record's document, and the output of its build beside all of them."""
    log = Path(record.build_log) if record.build_log else None
    if log and log.is_file():
        copy = _RECORDS / "builds" / f"{log.stem}.txt"
        if not (folder / copy).exists():
            (folder / copy).parent.mkdir(parents=True, exist_ok=True)
            (folder / copy).write_bytes(log.read_bytes())
        told = {**told, "build_log": copy.as_posix()}
    _write(folder / place / f"{record.probe}.json", told)


def _write(path: Path, value: Any) -> None:
    # As others may read it: a file that is written atomically is its owner's alone.
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
