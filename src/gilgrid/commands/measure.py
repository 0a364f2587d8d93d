"""The run of a plan, before the eyes of who started it."""

from __future__ import annotations

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

from gilgrid import guard
from gilgrid.report import terminal
from gilgrid.report.lines import PlainLines
from gilgrid.report.live import LiveView
from gilgrid.runner import PARKED_AT_ONCE, Run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console

    from gilgrid.matrix import Matrix
    from gilgrid.model import Record
    from gilgrid.plan import Job, Plan
    from gilgrid.workshop import Workshop


def measure(
    workshop: Workshop,
    selected: Plan,
    kept: Sequence[Record],
    jobs: Sequence[Job],
    *,
    console: Console,
    cpus: int,
    rerun: bool,
) -> None:
    """Run these jobs of a plan, of whose others ``kept`` are the records; nothing outlives an interrupt."""
    # A task has a thread, parked or not: none waits for one.
    executor = ThreadPoolExecutor(max_workers=cpus + PARKED_AT_ONCE, thread_name_prefix="gilgrid")
    begun = time.monotonic()
    try:
        with _view(console, workshop.matrix, selected, kept) as view:
            spent = Run(workshop=workshop, observer=view, executor=executor, cpus=cpus, rerun=rerun)(jobs)
    except BaseException:
        # Also for an error of gilgrid's own: what it started ends with it.
        guard.cancel_all()
        raise
    finally:
        executor.shutdown(cancel_futures=True)
    console.print(terminal.spent(spent, time.monotonic() - begun, cpus))


def end_by_sigterm() -> None:
    """Have SIGTERM do what Ctrl-C does, which keeps what was measured."""
    signal.signal(signal.SIGTERM, _interrupt)


@contextmanager
def _view(
    console: Console, matrix: Matrix, selected: Plan, kept: Sequence[Record]
) -> Iterator[LiveView | PlainLines]:
    if not console.is_terminal:
        yield PlainLines(console, matrix, selected, kept)
        return
    with LiveView(console, matrix, selected, kept) as view:
        yield view


def _interrupt(_number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt
