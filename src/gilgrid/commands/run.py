"""``gilgrid run``: measure what has no record, then show the matrix."""

from __future__ import annotations

import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, NoReturn

from gilgrid import config, expectations, files, guard
from gilgrid.errors import ExitCode
from gilgrid.model import Record, Verdict
from gilgrid.records import Records
from gilgrid.report import terminal
from gilgrid.report.live import LiveView, PlainLines
from gilgrid.runner import PARKED_AT_ONCE, Run
from gilgrid.selection import chosen
from gilgrid.workshop import Workshop, prospects

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from rich.console import Console

    from gilgrid.matrix import Matrix
    from gilgrid.model import Record
    from gilgrid.plan import Job, Plan

_warn = partial(print, file=sys.stderr)


def command(options: argparse.Namespace) -> ExitCode:
    """Run what is selected and return how it compares with what ``matrix.toml`` expects."""
    matrix = config.load(options.matrix)
    records = Records.of(matrix.project)
    console = terminal.console()
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        workshop = Workshop.of(matrix, records, files.cache_folder())
        if not records.folder.exists():
            console.print("planning: finding a Python for every cell", style="dim")
        selected = chosen(workshop.plan(), options.cell, options.probe)
        found = prospects(workshop, selected)
        kept = [] if options.rerun else [one.record for one in found if one.record]
        jobs = [one.job for one in found if options.rerun or not one.record]
        if jobs:
            cpus = options.jobs or len(os.sched_getaffinity(0))
            _measure(workshop, selected, kept, jobs, console=console, cpus=cpus)
    except KeyboardInterrupt:
        guard.cancel_all()
        go_on = "--rerun would begin anew" if options.rerun else "the same command goes on from there"
        _warn(f"interrupted: {records.written} records of this run are kept in {records.folder}; {go_on}")
        return ExitCode.INTERRUPTED
    finally:
        for warning in records.warnings:
            _warn(warning)
    final = [record for job in selected.jobs if (record := records.read(job.cell, job.probe))]
    return _conclude(matrix, final, console, records)


def _measure(
    workshop: Workshop,
    selected: Plan,
    kept: Sequence[Record],
    jobs: Sequence[Job],
    *,
    console: Console,
    cpus: int,
) -> None:
    view = (LiveView if console.is_terminal else PlainLines)(console, workshop.matrix)
    # A task has a thread, parked or not: none waits for one.
    executor = ThreadPoolExecutor(max_workers=cpus + PARKED_AT_ONCE, thread_name_prefix="gilgrid")
    begun = time.monotonic()
    try:
        with view:
            view.begun(selected, kept)
            spent = Run(workshop=workshop, observer=view, executor=executor, cpus=cpus)(jobs)
    except BaseException:
        # Also for an error of gilgrid's own: what it started ends with it.
        guard.cancel_all()
        raise
    finally:
        executor.shutdown(cancel_futures=True)
    console.print(terminal.spent(spent, time.monotonic() - begun, cpus))


def _conclude(matrix: Matrix, final: Sequence[Record], console: Console, records: Records) -> ExitCode:
    judged = expectations.judge(matrix, final)
    console.print()
    terminal.print_to(console, terminal.tables(matrix, judged))
    console.print()
    differences = terminal.differences(judged)
    builds = len({record.build_key for record in final if record.build_key})
    outcome = f"{len(differences)} differ from matrix.toml" if differences else "all as matrix.toml expects"
    for line in [
        *(f"{terminal.UNEXPECTED} {sentence}" for sentence in differences),
        f"{len(final)} verdicts from {builds} builds, {outcome}; records in {records.folder}",
    ]:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if any(record.verdict is Verdict.ERROR for record in final):
        return ExitCode.GILGRID_FAILED
    return ExitCode.DIFFERS if differences else ExitCode.AS_EXPECTED


def _interrupt(_number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt
