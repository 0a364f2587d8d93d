"""``gilgrid run``: measure what has no record, then show the matrix."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from gilgrid import config, expectations, files, guard, splits
from gilgrid.claims import judge
from gilgrid.commands.measure import end_by_sigterm, measure
from gilgrid.errors import ExitCode
from gilgrid.model import Verdict
from gilgrid.records import Records
from gilgrid.report import decided, hangs, terminal
from gilgrid.selection import chosen
from gilgrid.workshop import Workshop, prospects

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from rich.console import Console

    from gilgrid.matrix import Matrix
    from gilgrid.model import Record
    from gilgrid.plan import Plan

_warn = partial(print, file=sys.stderr)


def command(options: argparse.Namespace) -> ExitCode:
    """Run what is selected and return how it compares with what ``matrix.toml`` expects."""
    matrix = config.load(options.matrix)
    if options.repeats:
        matrix = replace(
            matrix, probes=tuple(replace(probe, repeats=options.repeats) for probe in matrix.probes)
        )
    records = Records.of(matrix.project)
    records.check_writable()
    console = terminal.console()
    end_by_sigterm()
    try:
        workshop = Workshop.of(matrix, records, files.cache_folder())
        if not any(records.folder.iterdir()):
            console.print("planning: finding a Python for every cell", style="dim")
        selected = (
            splits.part(workshop, options.cell, options.probe, *options.shard)
            if options.shard
            else chosen(workshop.plan(), options.cell, options.probe)
        )
        found = prospects(workshop, selected)
        kept = [] if options.rerun else [one.record for one in found if one.record]
        jobs = [one.job for one in found if options.rerun or not one.record]
        known = {(record.cell, record.probe): record for record in kept}
        if jobs:
            measure(
                workshop,
                selected,
                kept,
                jobs,
                console=console,
                cpus=options.jobs,
                rerun=options.rerun,
                where=options.executor,
            )
    except KeyboardInterrupt:
        guard.cancel_all()
        kept_now = terminal.counted(records.written, "record")
        go_on = "without --rerun, what has none is measured" if options.rerun else "the same command goes on"
        _warn(
            f"interrupted: {kept_now} of this run kept in {records.folder}, and all that was built; {go_on}"
        )
        return ExitCode.INTERRUPTED
    finally:
        for warning in records.warnings:
            _warn(warning)
    final = [
        record
        for job in selected.jobs
        if (record := known.get((job.cell, job.probe)) or records.read(job.cell, job.probe))
    ]
    is_whole = not (options.cell or options.probe or options.shard)
    return _conclude(matrix, selected, final, console, records, is_whole=is_whole)


def _conclude(
    matrix: Matrix,
    selected: Plan,
    final: Sequence[Record],
    console: Console,
    records: Records,
    *,
    is_whole: bool,
) -> ExitCode:
    judged = expectations.judge(matrix, final)
    console.print()
    terminal.print_to(console, terminal.tables(matrix, judged))
    if is_whole:
        terminal.print_to(console, decided.tables(decided.sheets(matrix, judge(matrix, final))))
    console.print()
    terminal.print_to(console, hangs.reports(entry for entry in judged if not entry.as_expected))
    for line in terminal.conclusion(matrix, judged, len(selected.jobs)):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    console.print(f"records: {records.folder}", markup=False, highlight=False, soft_wrap=True)
    if len(final) < len(selected.jobs) or any(record.verdict is Verdict.ERROR for record in final):
        return ExitCode.GILGRID_FAILED
    return ExitCode.AS_EXPECTED if all(entry.as_expected for entry in judged) else ExitCode.DIFFERS
