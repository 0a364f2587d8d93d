"""``gilgrid show``: the matrix from its records, wherever they were measured."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from gilgrid import expectations
from gilgrid.errors import ExitCode, MistakesError
from gilgrid.extras import needs
from gilgrid.recorded import recorded
from gilgrid.records import all_to_json
from gilgrid.report import decided, hangs, terminal
from gilgrid.report.junit import junit
from gilgrid.report.markdown import markdown
from gilgrid.report.svg import svg
from gilgrid.selection import chosen, select

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from gilgrid.claims import Judgement
    from gilgrid.expectations import Judged
    from gilgrid.matrix import Matrix
    from gilgrid.report.decided import Sheet


def command(options: argparse.Namespace) -> ExitCode:
    """Print what the records of this matrix say, in the format asked for."""
    of = recorded(options.matrix)
    matrix, whole, found, judgement = of.matrix, of.whole, of.found, of.judgement
    for warning in of.warnings:
        print(warning, file=sys.stderr)  # noqa: T201 - the output
    if options.claims:
        _print_claims(options.format, matrix, judgement)
        return ExitCode.AS_EXPECTED
    wanted = len(chosen(whole, options.cell, options.probe).jobs)
    shown = [found[job.cell, job.probe] for job in select(of.plan, options.cell, options.probe).jobs]
    if not shown:
        raise MistakesError(["nothing is recorded of that: gilgrid run, asked the same, measures it"])
    judged = expectations.judge(matrix, shown)
    is_part = bool(options.cell or options.probe)
    sheets = [] if is_part else decided.sheets(matrix, judgement)
    if options.format == "table":
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
        sys.stdout.write(_text(options.format, matrix, judged, sheets, wanted - len(judged)))
    return ExitCode.AS_EXPECTED


def _text(form: str, matrix: Matrix, judged: Sequence[Judged], sheets: Sequence[Sheet], missing: int) -> str:
    records = [one.record for one in judged]
    match form:
        case "markdown":
            return markdown(matrix, judged, sheets, missing=missing)
        case "junit":
            return junit(judged)
        case "svg":
            return svg(matrix, judged)
        case "asv":
            with needs("asv"):
                from gilgrid import asv_results  # noqa: PLC0415 - an extra
            return "\n".join([*asv_results.write(matrix, records, matrix.project / "asv.conf.json"), ""])
        case _:
            return all_to_json(records) + "\n"


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
