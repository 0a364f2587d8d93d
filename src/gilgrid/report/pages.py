"""The matrix as JSON for its web page: one document for the grids, one for each record's evidence. Pure."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from gilgrid.claims import median
from gilgrid.expectations import Judged
from gilgrid.model import Verdict
from gilgrid.plan import command
from gilgrid.printable import line
from gilgrid.report.decided import sheets
from gilgrid.report.grid import grids
from gilgrid.report.hangs import hangs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gilgrid.claims import Decided, Judgement
    from gilgrid.matrix import Matrix
    from gilgrid.model import Record

SCHEMA = 1
_OUTPUT_LINES = 40
_CELLS_OF_A_CLAIM = 6


def overview(
    matrix: Matrix,
    judged: Sequence[Judged],
    judgement: Judgement,
    failed: Sequence[tuple[str, Record]] = (),
    parameters: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """What the page shows at once: every grid, remedies, claims, and the benchmarks that did not end well.

    Of a benchmark that failed, the commit and its record; of each, by its name, what its parameters are.
    """
    whole = sheets(matrix, judgement)
    return {
        "schema": SCHEMA,
        "title": matrix.title,
        "verdicts": {verdict: verdict.meaning for verdict in Verdict},
        "grids": [
            {
                "probe": grid.probe,
                "group": grid.group,
                "subject": matrix.subject_of(grid.probe).name,
                "row_axis": grid.row_axis,
                "column_axis": grid.column_axis,
                "rows": grid.rows,
                "columns": grid.columns,
                "cells": [
                    [
                        grid.rows.index(row),
                        grid.columns.index(column),
                        str(entry.record.cell),
                        entry.record.verdict,
                        entry.as_expected,
                    ]
                    for (row, column), entry in grid.entries.items()
                ],
            }
            for grid in grids(matrix, judged)
        ],
        "remedies": next(
            ({"title": s.title, "header": s.header, "rows": s.rows} for s in whole if judgement.trials), None
        ),
        "claims": [_claim(one) for one in judgement.claims],
        "failed": [
            {
                "commit": commit,
                "cell": str(record.cell),
                "benchmark": record.probe,
                "parameters": parameters.get(record.probe, ""),
                "verdict": record.verdict,
                "reason": line(record.reason),
            }
            for commit, record in failed
        ],
    }


def evidence(matrix: Matrix, entry: Judged, judgement: Judgement) -> dict[str, Any]:
    """What a click on a cell opens."""
    record = entry.record
    return {
        **_told(record),
        "command": " ".join(command(matrix.probe(record.probe), "{project}")),
        "expected": entry.expectation,
        "as_expected": entry.as_expected,
        "because": line(entry.rule.because) if entry.rule else "",
        "hangs": [one.text for one in hangs([entry])],
        "remedies": [
            {
                "name": line(trial.remedy.text),
                "cures": trial.cures,
                "price": trial.price,
                "cell": str(trial.record.cell),
                "probe": trial.record.probe,
            }
            for trial in judgement.trials_of.get((record.cell, record.probe), ())
        ],
    }


def of_benchmark(commit: str, record: Record) -> dict[str, Any]:
    """The same, of a benchmark that did not end well at a commit."""
    chosen = "" if record.verdict is Verdict.BUILD_FAILED else f"--bench {record.probe.partition('-')[0]} "
    return {
        **_told(record),
        "commit": commit,
        "command": f"asv run {chosen}{commit}^!",
        "hangs": [one.text for one in hangs([Judged(record=record, expected=Verdict.OK, rule=None)])],
        "remedies": [],
    }


def _told(record: Record) -> dict[str, Any]:
    """What a record says by itself."""
    metrics = dict.fromkeys(name for attempt in record.attempts for name in attempt.metrics)
    return {
        "cell": str(record.cell),
        "probe": record.probe,
        "verdict": record.verdict,
        "reason": line(record.reason),
        "cause": record.cause,
        "counts": record.counts,
        "seconds": [attempt.seconds for attempt in record.attempts],
        "circle": _circle(record),
        "checks": [
            {"name": check.name, "ok": check.ok, "detail": check.detail}
            for check in (record.attempts[-1].checks if record.attempts else ())
        ],
        "metrics": {name: median(record, name) for name in metrics},
        "output": _last_lines(record),
        "versions": dict(sorted(record.versions.items())),
        "build_versions": dict(sorted(record.build_versions.items())),
        "build_key": record.build_key,
        "by_hand": record.by_hand,
        "measured_at": record.measured_at,
        "machine": record.machine_name,
    }


def _claim(one: Decided) -> dict[str, Any]:
    decisive = one.against or one.supporting
    return {
        "outcome": one.outcome,
        "text": line(one.claim.text),
        "source": line(one.claim.source),
        "cells": [
            [str(record.cell), record.probe, record.verdict] for record in decisive[:_CELLS_OF_A_CLAIM]
        ],
        "further": max(0, len(decisive) - _CELLS_OF_A_CLAIM),
    }


def _circle(record: Record) -> list[dict[str, Any]]:
    """Who waits for whom, each for the next and the last for the first."""
    proven = next((a.evidence for a in record.attempts if a.evidence and a.evidence.cycle), None)
    if proven is None:
        return []
    threads = {waiter.tid: waiter for waiter in proven.threads}
    return [
        {
            "thread": tid,
            "process": line(threads[tid].process),
            "main": threads[tid].is_main,
            "holds_gil": threads[tid].holds_gil,
            "waits_for": line(threads[tid].waits_for),
        }
        for tid in proven.cycle
        if tid in threads
    ]


def _last_lines(record: Record) -> str:
    """Of what the first attempt printed that did not end well."""
    bad = next((a for a in record.attempts if a.verdict is not Verdict.OK), None)
    return "\n".join(bad.output.splitlines()[-_OUTPUT_LINES:]) if bad else ""
