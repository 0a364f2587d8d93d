"""The matrix as JSON for its web page: one document for the grids, one for each record's evidence. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gilgrid.claims import median
from gilgrid.model import Verdict
from gilgrid.printable import line
from gilgrid.report.decided import sheets
from gilgrid.report.grid import grids
from gilgrid.report.hangs import hangs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gilgrid.claims import Decided, Judgement
    from gilgrid.expectations import Judged
    from gilgrid.matrix import Matrix

SCHEMA = 1
_OUTPUT_LINES = 40
_CELLS_OF_A_CLAIM = 6


def overview(matrix: Matrix, judged: Sequence[Judged], judgement: Judgement) -> dict[str, Any]:
    """What the page shows at once: every grid, remedies, claims."""
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
    }


def evidence(matrix: Matrix, entry: Judged, judgement: Judgement) -> dict[str, Any]:
    """What a click on a cell opens."""
    record = entry.record
    metrics = dict.fromkeys(name for attempt in record.attempts for name in attempt.metrics)
    return {
        "cell": str(record.cell),
        "probe": record.probe,
        "command": " ".join(matrix.probe(record.probe).command),
        "verdict": record.verdict,
        "reason": line(record.reason),
        "expected": entry.expectation,
        "as_expected": entry.as_expected,
        "because": line(entry.rule.because) if entry.rule else "",
        "cause": record.cause,
        "counts": record.counts,
        "seconds": [attempt.seconds for attempt in record.attempts],
        "hangs": [one.text for one in hangs([entry])],
        "circle": _circle(entry),
        "remedies": [
            {
                "name": line(trial.remedy.text),
                "cures": trial.cures,
                "price": trial.price,
                "cell": str(trial.record.cell),
                "probe": trial.record.probe,
            }
            for trial in judgement.trials
            if trial.hangs.cell == record.cell and trial.hangs.probe == record.probe
        ],
        "checks": [
            {"name": check.name, "ok": check.ok, "detail": check.detail}
            for check in (record.attempts[-1].checks if record.attempts else ())
        ],
        "metrics": {name: median(record, name) for name in metrics},
        "output": _last_lines(entry),
        "versions": dict(sorted(record.versions.items())),
        "build_versions": dict(sorted(record.build_versions.items())),
        "build_key": record.build_key,
        "by_hand": record.by_hand,
        "measured_at": record.measured_at,
        "machine": f"{record.machine.get('cpu', '')}, {record.machine.get('cpus', '?')} CPUs, "
        f"{record.machine.get('system', '')} {record.machine.get('release', '')}",
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


def _circle(entry: Judged) -> list[dict[str, Any]]:
    """Who waits for whom, each for the next and the last for the first."""
    proven = next((a.evidence for a in entry.record.attempts if a.evidence and a.evidence.cycle), None)
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


def _last_lines(entry: Judged) -> str:
    """Of what the first attempt printed that did not end well."""
    bad = next((a for a in entry.record.attempts if a.verdict is not Verdict.OK), None)
    return "\n".join(bad.output.splitlines()[-_OUTPUT_LINES:]) if bad else ""
