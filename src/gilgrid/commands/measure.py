"""The run of a plan, before the eyes of who started it."""

from __future__ import annotations

import signal
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

from gilgrid import executors
from gilgrid.report import terminal
from gilgrid.report.lines import PlainLines
from gilgrid.report.live import LiveView

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
    cpus: int | None = None,
    rerun: bool = False,
    where: str = "local",
) -> None:
    """Run these jobs of a plan, of whose others ``kept`` are the records; nothing outlives an interrupt.

    ``cpus`` are as many as there are, or as were asked for; ``where`` is what ``--executor`` takes.
    """
    begun = time.monotonic()
    with executors.opened(where, workshop.matrix, cpus) as executor:
        try:
            with _view(console, workshop.matrix, selected, kept) as view:
                spent = executor.run(workshop, view, jobs, rerun=rerun)
        except BaseException:
            # Also for an error of gilgrid's own: what it started ends with it.
            executor.cancel()
            raise
    console.print(terminal.spent(spent, time.monotonic() - begun, executor.cpus))


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
