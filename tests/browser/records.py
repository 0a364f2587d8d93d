"""Matrices and records for pages, made without a run."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gilgrid import files
from gilgrid.evidence import Cause, Evidence, Waiter
from gilgrid.model import Attempt, Cell, Failure, Record, Verdict
from gilgrid.records import Records, to_json
from gilgrid.report.versions import Sample

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

MATRIX = """
[subject]
name = "tiny"
source = "tiny==1.0"
price = "seconds"

[axes.cython]
versions = ["0.29.37", "3.0.12"]

[axes.scipy]
versions = ["1.10.1", "1.17.1"]

[[cross]]
build = { cython = "==3.0.12", scipy = "==1.10.1" }
run = { scipy = "1.17.1" }

[[probe]]
name = "held"
command = ["python", "-m", "tiny", "held"]

[[probe]]
name = "released"
command = ["python", "-m", "tiny", "released"]

[[expect]]
probe = "held"
cython = ">=3"
scipy = "<1.11"
verdict = "deadlock"
because = "tiny#1"

[[remedy]]
name = "release"
text = "release the GIL"
probes = { held = "released" }

[[claim]]
text = "It needs Cython 3."
source = "tiny#2"
hangs = "held"
within = { cython = ">=3" }
"""
MARKUP = '<img src="nowhere" onerror="document.title = \'taken over\'"> & <b>bold</b>'
WAITS = (
    Waiter(pid=1, tid=1, process="python", is_main=True, holds_gil=True, waits_for="at an OpenMP barrier"),
    Waiter(pid=1, tid=2, process="python", waits_for="for the GIL"),
)
DEADLOCK = Evidence(
    cause=Cause.GIL_VS_OPENMP_BARRIER, threads=WAITS, cycle=(1, 2), detected_after=0.4, cpus_used=0.0
)


def record(
    cell: str,
    probe: str,
    verdict: Verdict,
    evidence: Evidence | None = None,
    *,
    said: str = "",
    python: str = "311",
) -> Record:
    attempt = Attempt(
        verdict=verdict,
        seconds=0.5,
        cpu_seconds=0.1,
        reason=said,
        output=said,
        evidence=evidence,
        metrics={} if evidence else {"seconds": 0.25},
    )
    return Record(
        cell=Cell.parse(f"cp{python}-{cell}"),
        probe=probe,
        verdict=verdict,
        reason=said,
        inputs="",
        measured_at="2026-11-01T00:00:00+00:00",
        seconds=0.5,
        attempts=(attempt,),
    )


RECORDS = (
    record("cython0.29.37-scipy1.10.1", "held", Verdict.OK),
    record("cython0.29.37-scipy1.17.1", "held", Verdict.OK),
    record("cython3.0.12-scipy1.10.1", "held", Verdict.DEADLOCK, DEADLOCK, said="the GIL against a barrier"),
    record("cython3.0.12-scipy1.17.1", "held", Verdict.FAILED, said=MARKUP),
    record("cython3.0.12-scipy1.10.1-run1.17.1", "held", Verdict.DEADLOCK, DEADLOCK, said="the same"),
    record("cython3.0.12-scipy1.10.1", "released", Verdict.OK),
    record("cython0.29.37-scipy1.10.1", "held", Verdict.WRONG, python="312"),
)
SAMPLES = tuple(
    Sample(
        benchmark="suite.time_solve",
        parameters="callback, 2",
        unit="seconds",
        where="Python 3.11",
        at="commit 01234567 of 2026-11-01",
        versions={"cython": cython, "scipy": scipy},
        values=tuple(seconds * noise for noise in (0.98, 1.0, 1.02)),
    )
    for cython in ("0.29.37", "3.0.12")
    for scipy, seconds in (("1.9.3", 0.0031), ("1.10.1", 0.0031), ("1.17.1", 0.001))
)
COMMIT = "0123456789abcdef0123456789abcdef01234567"
ENVIRONMENT = "gilgrid-py3.11-cython3.0.12-scipy1.10.1"
FAILED = tuple(
    Failure(commit=COMMIT, environment=ENVIRONMENT, record=one)
    for one in (
        record("cython3.0.12-scipy1.10.1", "suite.time_hang", Verdict.DEADLOCK, DEADLOCK, said="the GIL"),
        replace(
            record("cython3.0.12-scipy1.10.1", "suite.time_solve-1", Verdict.FAILED, said=MARKUP),
            parameters="callback, 4",
        ),
        record("cython3.0.12-scipy1.10.1", "suite/../odd", Verdict.CRASH, said="killed by SIGABRT"),
    )
)


def write(project: Path, matrix: str, records: Iterable[Record]) -> None:
    """Write a project that has them, without the care for each that a run takes: there may be thousands."""
    project.mkdir(exist_ok=True)
    (project / "matrix.toml").write_text(matrix, encoding="utf-8")
    kept = Records.of(project)
    for one in records:
        path = kept.path(one.cell, one.probe)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(files.json_text(to_json(one)), encoding="utf-8")
