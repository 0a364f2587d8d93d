"""The pages of the matrix: grids and claims, and the evidence behind every cell."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gilgrid import expectations
from gilgrid.dashboard.steps import detect
from gilgrid.records import BUILDS
from gilgrid.report import pages, versions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gilgrid.model import Failure, Record
    from gilgrid.recorded import Recorded
    from gilgrid.report.versions import Sample

PAGES = Path(__file__).with_name("pages")
PAGE = "matrix.html"
_RECORDS = Path(pages.RECORDS)


def write(
    of: Recorded,
    folder: Path,
    *,
    samples: Sequence[Sample] = (),
    failures: Sequence[Failure] = (),
) -> int:
    """Write the pages into a folder that is served over HTTP; returns how many records are behind them.

    ``samples`` are what benchmarks came to, ``failures`` those that did not end well.
    """
    records = [of.found[job.cell, job.probe] for job in of.plan.jobs]
    judged = expectations.judge(of.matrix, records)
    shutil.copytree(PAGES, folder, dirs_exist_ok=True)
    _write(folder / "matrix.json", pages.overview(of.matrix, judged, of.judgement, failures))
    found = versions.lines([*samples, *versions.of_matrix(of.matrix, records)], detect)
    _write(folder / "versions.json", versions.to_json(found))
    for entry in judged:
        told = pages.evidence(of.matrix, entry, of.judgement)
        told |= _log(of, folder, entry.record)
        _write(folder / _RECORDS / str(entry.record.cell) / f"{entry.record.probe}.json", told)
    for number, one in enumerate(failures):
        _write(folder / pages.place(number), pages.of_benchmark(one) | _log(of, folder, one.record))
    return len(judged)


def _log(of: Recorded, folder: Path, record: Record) -> dict[str, Any]:
    """Where the output of a record's build is published, once for all records of that build.

    A record may come from anywhere, and name any file: only what the project keeps of builds is published.
    """
    log = Path(record.build_log).resolve()
    if not record.build_log or log.parent != (of.matrix.project / BUILDS).resolve() or not log.is_file():
        return {}
    copy = _RECORDS / "builds" / f"{log.stem}.txt"
    if not (folder / copy).exists():
        (folder / copy).parent.mkdir(parents=True, exist_ok=True)
        (folder / copy).write_bytes(log.read_bytes())
    return {"build_log": copy.as_posix()}


def _write(path: Path, value: Any) -> None:
    # As others may read it: a file that is written atomically is its owner's alone.
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
