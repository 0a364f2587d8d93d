"""The command line: ``gilgrid plan | run | show``."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from gilgrid import config, expectations, files, guard
from gilgrid.errors import ExitCode, GilgridError, MistakesError
from gilgrid.model import Record, Verdict
from gilgrid.plan import combinations, plan, select
from gilgrid.records import Records, all_to_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from gilgrid.matrix import Matrix
    from gilgrid.plan import Plan
    from gilgrid.workshop import Prospect, Workshop

_FORMATS = ("table", "markdown", "json", "junit", "svg")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; a mistake of the user's is a sentence, not a traceback."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.command(options))
    except MistakesError as error:
        for mistake in error.mistakes:
            _say(mistake)
        return ExitCode.MISTAKE
    except GilgridError as error:
        _say(str(error))
        return error.exit_code
    except KeyboardInterrupt:  # outside of a run, or before it began: nothing is under way
        _say("interrupted")
        return ExitCode.INTERRUPTED
    except BrokenPipeError:  # as in gilgrid show | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.GILGRID_FAILED


def _plan(options: argparse.Namespace) -> ExitCode:
    from gilgrid.report import planned, terminal  # noqa: PLC0415 - each command imports what it needs

    matrix = config.load(options.matrix)
    workshop = _workshop(matrix)
    chosen = _chosen(workshop, options)
    from gilgrid.workshop import prospects  # noqa: PLC0415 - as above

    found = prospects(workshop, chosen)
    if options.json:
        print(json.dumps(planned.to_json(matrix, chosen, found), indent=1))  # noqa: T201 - the output
    else:
        terminal.print_to(_console(), planned.tables(matrix, chosen, found))
    return ExitCode.AS_EXPECTED


def _run(options: argparse.Namespace) -> ExitCode:
    matrix = config.load(options.matrix)
    records = Records.of(matrix.project)
    workshop = _workshop(matrix, records)
    from gilgrid.workshop import prospects  # noqa: PLC0415 - as above

    signal.signal(signal.SIGTERM, _interrupt)
    console = _console()
    try:
        if _is_new(workshop):
            console.print("planning: finding a Python for every cell", style="dim")
        chosen = _chosen(workshop, options)
        found = prospects(workshop, chosen)
        kept = [] if options.rerun else [p.record for p in found if p.record]
        if len(kept) < len(found):
            _measure(workshop, chosen, found, kept, options)
    except KeyboardInterrupt:
        guard.cancel_all()
        go_on = "--rerun would begin anew" if options.rerun else "the same command goes on from there"
        _say(f"interrupted: {records.written} records of this run are kept in {records.folder}; {go_on}")
        return ExitCode.INTERRUPTED
    finally:
        for warning in records.warnings:
            _say(warning)
    final = [record for job in chosen.jobs if (record := records.read(job.cell, job.probe))]
    return _conclude(matrix, final, console, records)


def _measure(
    workshop: Workshop,
    chosen: Plan,
    found: Sequence[Prospect],
    kept: list[Record],
    options: argparse.Namespace,
) -> None:
    from gilgrid.report import terminal  # noqa: PLC0415 - as above
    from gilgrid.report.live import LiveView, PlainLines  # noqa: PLC0415 - rich takes longer than all else
    from gilgrid.runner import Run  # noqa: PLC0415 - as above

    jobs = [p.job for p in found if options.rerun or not p.record]
    cpus = options.jobs or len(os.sched_getaffinity(0))
    console = _console()
    view = (LiveView if console.is_terminal else PlainLines)(console, workshop.matrix)
    executor = ThreadPoolExecutor(max_workers=cpus + 32, thread_name_prefix="gilgrid")
    try:
        with view:
            view.begun(chosen, kept)
            begun = time.monotonic()
            spent = Run(workshop=workshop, observer=view, executor=executor, cpus=cpus)(jobs)
        console.print(terminal.spent(spent, time.monotonic() - begun, cpus))
    except BaseException:
        # Also for an error of gilgrid's own: what it started ends with it.
        guard.cancel_all()
        raise
    finally:
        executor.shutdown(cancel_futures=True)


def _show(options: argparse.Namespace) -> ExitCode:
    matrix = config.load(options.matrix)
    records = Records.of(matrix.project)
    everything = records.read_all()
    for warning in records.warnings:
        _say(warning)
    jobs = [
        (job.cell, job.probe)
        for python in sorted({record.cell.python for record in everything})
        for job in select(plan(matrix, combinations(matrix, python)), options.cell, options.probe).jobs
    ]
    found = {(record.cell, record.probe): record for record in everything}
    shown = [found[job] for job in dict.fromkeys(jobs) if job in found]
    if not shown:
        _say(f"no record in {records.folder} is of this matrix: gilgrid run makes them")
        return ExitCode.MISTAKE
    judged = expectations.judge(matrix, shown)
    match options.format:
        case "table":
            from gilgrid.report import terminal  # noqa: PLC0415 - as above

            terminal.print_to(_console(), terminal.tables(matrix, judged))
        case "markdown":
            from gilgrid.report.markdown import markdown  # noqa: PLC0415 - as above

            sys.stdout.write(markdown(matrix, judged))
        case "junit":
            from gilgrid.report.junit import junit  # noqa: PLC0415 - as above

            sys.stdout.write(junit(judged))
        case "svg":
            from gilgrid.report.svg import svg  # noqa: PLC0415 - as above

            sys.stdout.write(svg(matrix, judged))
        case "json":
            sys.stdout.write(all_to_json(shown) + "\n")
    return ExitCode.AS_EXPECTED


def _conclude(matrix: Matrix, final: list[Record], console: Console, records: Records) -> ExitCode:
    from gilgrid.report import terminal  # noqa: PLC0415 - as above

    judged = expectations.judge(matrix, final)
    console.print()
    terminal.print_to(console, terminal.tables(matrix, judged))
    differences = terminal.differences(judged)
    console.print()
    for sentence in differences:
        console.print(f"{terminal.UNEXPECTED} {sentence}", markup=False, highlight=False, soft_wrap=True)
    count = len({record.build_key for record in final if record.build_key})
    outcome = f"{len(differences)} differ from matrix.toml" if differences else "all as matrix.toml expects"
    console.print(
        f"{len(final)} verdicts from {count} builds, {outcome}; records in {records.folder}",
        highlight=False,
        soft_wrap=True,
    )
    if any(record.verdict is Verdict.ERROR for record in final):
        return ExitCode.GILGRID_FAILED
    return ExitCode.DIFFERS if differences else ExitCode.AS_EXPECTED


def _workshop(matrix: Matrix, records: Records | None = None) -> Workshop:
    from gilgrid.workshop import Workshop  # noqa: PLC0415 - as above

    return Workshop.of(matrix, records or Records.of(matrix.project), files.cache_folder())


def _is_new(workshop: Workshop) -> bool:
    return not workshop.records.folder.exists()


def _chosen(workshop: Workshop, options: argparse.Namespace) -> Plan:
    whole = workshop.plan()
    chosen = select(whole, options.cell, options.probe)
    if not chosen.jobs:
        probes = ", ".join(probe.name for probe in workshop.matrix.probes)
        sentence = (
            f"nothing matches --cell {options.cell or '*'} --probe {options.probe or '*'}; "
            f"a cell is {whole.cells[0]}, a pattern may have * in it, the probes are: {probes}"
        )
        raise MistakesError([sentence])
    return chosen


def _console() -> Console:
    from rich.console import Console  # noqa: PLC0415 - as above

    # A log has no width, and rich would wrap at 80: let lines be as long as they are.
    return Console(width=None if sys.stdout.isatty() else max(120, int(os.environ.get("COLUMNS", "0") or 0)))


def _interrupt(_number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


_say = partial(print, file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gilgrid",
        description="Build a native extension against every pair of versions, and say which pairs hang.",
    )
    parser.add_argument("--version", action="version", version=f"gilgrid {version('gilgrid')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--matrix",
        type=Path,
        default=Path("matrix.toml"),
        metavar="FILE",
        help="default: ./matrix.toml",
    )
    common.add_argument("--cell", metavar="PATTERN", help="only these cells, as '*scipy1.10.1*'")
    common.add_argument("--probe", metavar="PATTERN", help="only these probes, as 'callback-*'")

    planning = commands.add_parser("plan", parents=[common], help="what a run would do")
    planning.add_argument("--json", action="store_true", help="for machines")
    planning.set_defaults(command=_plan)

    running = commands.add_parser("run", parents=[common], help="measure what has no record, show the matrix")
    running.add_argument("--jobs", type=_count, metavar="N", help="CPUs to use, default: all")
    running.add_argument("--rerun", action="store_true", help="measure again what has a record")
    running.set_defaults(command=_run)

    showing = commands.add_parser("show", parents=[common], help="the matrix from the records")
    showing.add_argument("--format", choices=_FORMATS, default="table")
    showing.set_defaults(command=_show)
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' should be a whole number of 1 or more")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
