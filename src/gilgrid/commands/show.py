"""``gilgrid show``: the matrix from its records, wherever they were measured."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from packaging.version import Version

from gilgrid import asv_results, config, expectations
from gilgrid.claims import judge
from gilgrid.errors import ExitCode, MistakesError
from gilgrid.plan import Plan, cells_of, plan
from gilgrid.records import Records, all_to_json
from gilgrid.report import decided, hangs, terminal
from gilgrid.report.junit import junit
from gilgrid.report.markdown import markdown
from gilgrid.report.svg import svg
from gilgrid.selection import chosen

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence

    from gilgrid.claims import Judgement
    from gilgrid.expectations import Judged
    from gilgrid.matrix import Matrix, Subject
    from gilgrid.model import Cell
    from gilgrid.report.decided import Sheet


def command(options: argparse.Namespace) -> ExitCode:
    """Print what the records of this matrix say, in the format asked for."""
    matrix = config.load(options.matrix)
    records = Records.of(matrix.project)
    found = {(record.cell, record.probe): record for record in records.read_all()}
    for warning in records.warnings:
        print(warning, file=sys.stderr)  # noqa: T201 - the output
    whole = plan(matrix, {subject.name: _cells(matrix, subject, found) for subject in matrix.subjects})
    recorded = Plan(
        cells=whole.cells, jobs=tuple(job for job in whole.jobs if (job.cell, job.probe) in found)
    )
    if not recorded.jobs:
        raise MistakesError([f"no record in {records.folder} is of this matrix: gilgrid run makes them"])
    judgement = judge(matrix, [found[job.cell, job.probe] for job in recorded.jobs])
    if options.claims:
        _print_claims(options.format, matrix, judgement)
        return ExitCode.AS_EXPECTED
    shown = [found[job.cell, job.probe] for job in chosen(recorded, options.cell, options.probe).jobs]
    judged = expectations.judge(matrix, shown)
    is_part = bool(options.cell or options.probe)
    sheets = [] if is_part else decided.sheets(matrix, judgement)
    if options.format == "table":
        wanted = len(chosen(whole, options.cell, options.probe).jobs)
        # What was asked for is told in full; of everything, what nobody expected.
        told = judged if is_part else [one for one in judged if not one.as_expected]
        console = terminal.console()
        terminal.print_to(console, terminal.tables(matrix, judged))
        terminal.print_to(console, decided.tables(sheets))
        console.print()
        terminal.print_to(console, hangs.reports(told))
        for line in terminal.conclusion(matrix, judged, wanted):
            console.print(line, markup=False, highlight=False, soft_wrap=True)
    else:
        sys.stdout.write(_text(options.format, matrix, judged, sheets))
    return ExitCode.AS_EXPECTED


def _text(form: str, matrix: Matrix, judged: Sequence[Judged], sheets: Sequence[Sheet]) -> str:
    records = [one.record for one in judged]
    match form:
        case "markdown":
            return markdown(matrix, judged, sheets)
        case "junit":
            return junit(judged)
        case "svg":
            return svg(matrix, judged)
        case "asv":
            return "\n".join([*asv_results.write(matrix, records, matrix.project / "asv.conf.json"), ""])
        case _:
            return all_to_json(records) + "\n"


def _cells(matrix: Matrix, subject: Subject, found: Iterable[tuple[Cell, str]]) -> tuple[Cell, ...]:
    """The cells of a subject, for the Pythons that its own records have: each may have taken others."""
    own = {probe.name for probe in matrix.probes if probe.subject == subject.name}
    pythons = sorted({cell.python for cell, probe in found if probe in own}, key=Version)
    return cells_of(matrix, subject, *pythons)


def _print_claims(form: str, matrix: Matrix, judgement: Judgement) -> None:
    sheets = decided.sheets(matrix, judgement, in_full=True)
    if not sheets:
        raise MistakesError(["the matrix has no [[claim]], and no [[remedy]] was tried where something hung"])
    match form:
        case "table":
            terminal.print_to(terminal.console(), decided.tables(sheets))
        case "markdown":
            sys.stdout.write("\n".join(decided.markdown(sheets)[1:]) + "\n")
        case "json":
            sys.stdout.write(json.dumps(decided.to_json(judgement), indent=2) + "\n")
        case _:
            raise MistakesError([f"--claims has no format '{form}'; there are table, markdown and json"])
