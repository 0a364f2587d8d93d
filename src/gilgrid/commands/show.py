"""``gilgrid show``: the matrix from its records, wherever they were measured."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from packaging.version import Version

from gilgrid import config, expectations
from gilgrid.errors import ExitCode, MistakesError
from gilgrid.plan import Plan, combinations, plan
from gilgrid.records import Records, all_to_json
from gilgrid.report import decided, hangs, terminal
from gilgrid.report.junit import junit
from gilgrid.report.markdown import markdown
from gilgrid.report.svg import svg
from gilgrid.selection import chosen

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from gilgrid.expectations import Judged
    from gilgrid.matrix import Matrix
    from gilgrid.report.decided import Sheet


def command(options: argparse.Namespace) -> ExitCode:
    """Print what the records of this matrix say, in the format asked for."""
    matrix = config.load(options.matrix)
    records = Records.of(matrix.project)
    found = {(record.cell, record.probe): record for record in records.read_all()}
    for warning in records.warnings:
        print(warning, file=sys.stderr)  # noqa: T201 - the output
    pythons = sorted({cell.python for cell, _ in found}, key=Version)
    whole = plan(matrix, [cell for python in pythons for cell in combinations(matrix, python)])
    recorded = Plan(
        cells=whole.cells, jobs=tuple(job for job in whole.jobs if (job.cell, job.probe) in found)
    )
    if not recorded.jobs:
        raise MistakesError([f"no record in {records.folder} is of this matrix: gilgrid run makes them"])
    shown = [found[job.cell, job.probe] for job in chosen(recorded, options.cell, options.probe).jobs]
    judged = expectations.judge(matrix, shown)
    sheets = decided.sheets(matrix, shown, in_full=options.claims)
    if options.claims:
        _print_claims(options.format, sheets)
        return ExitCode.AS_EXPECTED
    match options.format:
        case "table":
            wanted = len(chosen(whole, options.cell, options.probe).jobs)
            # What was asked for is told in full; of everything, what nobody expected.
            told = judged if options.cell or options.probe else [one for one in judged if not one.as_expected]
            _print(matrix, judged, told, sheets, wanted)
        case "markdown":
            sys.stdout.write(markdown(matrix, judged))
        case "junit":
            sys.stdout.write(junit(judged))
        case "svg":
            sys.stdout.write(svg(matrix, judged))
        case "json":
            sys.stdout.write(all_to_json(shown) + "\n")
    return ExitCode.AS_EXPECTED


def _print(
    matrix: Matrix, judged: Sequence[Judged], told: Sequence[Judged], sheets: Sequence[Sheet], of: int
) -> None:
    console = terminal.console()
    terminal.print_to(console, terminal.tables(matrix, judged))
    console.print()
    if sheets:
        terminal.print_to(console, decided.tables(sheets))
    terminal.print_to(console, hangs.reports(told))
    for line in terminal.conclusion(matrix, judged, of):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _print_claims(form: str, sheets: Sequence[Sheet]) -> None:
    if not sheets:
        raise MistakesError(["the matrix has no [[claim]], and no [[remedy]] was tried where something hung"])
    if form == "table":
        terminal.print_to(terminal.console(), decided.tables(sheets))
    elif form == "markdown":
        sys.stdout.write("\n".join(decided.markdown(sheets)[1:]) + "\n")
    else:
        raise MistakesError([f"--claims has no format '{form}'; there are table and markdown"])
