"""The matrix as JSON for its web page: one document for the grids, one for each record's evidence. Pure."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any

from gilgrid.claims import median
from gilgrid.expectations import Judged
from gilgrid.model import SETUP_CACHE, Verdict
from gilgrid.plan import command
from gilgrid.printable import line
from gilgrid.report.decided import sheets
from gilgrid.report.grid import grids
from gilgrid.report.hangs import hangs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gilgrid.claims import Decided, Judgement
    from gilgrid.matrix import Matrix
    from gilgrid.model import Failure, Record

SCHEMA = 1
RECORDS = "matrix"
"""The folder of what is behind a cell, beside the page."""
_OUTPUT_LINES = 40
_CELLS_OF_A_CLAIM = 6


def overview(
    matrix: Matrix,
    judged: Sequence[Judged],
    judgement: Judgement,
    failures: Sequence[Failure] = (),
) -> dict[str, Any]:
    """What the page shows at once: every grid, remedies, claims, and the benchmarks that did not end well."""
    whole = sheets(matrix, judgement)
    return {
        "schema": SCHEMA,
        "title": matrix.title,
        "measured": _measured([entry.record for entry in judged]),
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
                "commit": one.commit,
                "environment": one.environment,
                "benchmark": one.record.probe,
                "parameters": one.record.parameters,
                "verdict": one.record.verdict,
                "reason": line(one.record.reason),
                "evidence": place(number),
            }
            for number, one in enumerate(failures)
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


def place(number: int) -> str:
    """Where the evidence of a benchmark is, by its place among them: its name may be no file's."""
    return f"{RECORDS}/benchmarks/{number}.json"


def of_benchmark(failure: Failure) -> dict[str, Any]:
    """The same, of a benchmark that did not end well at a commit."""
    record = failure.record
    name = re.sub(r"-\d+$", "", record.probe).removesuffix(SETUP_CACHE)
    chosen = [] if record.verdict is Verdict.BUILD_FAILED else ["--bench", name]
    return {
        **_told(record),
        "commit": failure.commit,
        "command": shlex.join(["asv", "run", "-E", failure.environment, *chosen, f"{failure.commit}^!"]),
        "hangs": [one.text for one in hangs([Judged(record=record, expected=Verdict.OK, rule=None)])],
        "remedies": [],
    }


def _measured(records: Sequence[Record]) -> str:
    """When, and on which machines."""
    days = sorted({record.measured_at[:10] for record in records})
    machines = sorted({record.machine_name for record in records})
    when = " to ".join(dict.fromkeys([*days[:1], *days[-1:]]))
    return f"The matrix was measured {when} on {'; '.join(machines)}." if records else ""


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
