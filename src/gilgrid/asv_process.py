"""One of asv's own commands in a cell, under the guard."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

from asv import util
from asv.runner import BENCHMARK_RUN_SCRIPT

from gilgrid.errors import WatchExit
from gilgrid.guard import Command, End, run
from gilgrid.model import Verdict
from gilgrid.probes import Result, judge

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from gilgrid.benchmarked import Installed
    from gilgrid.guard import Ending
    from gilgrid.model import Attempt

SCRIPT: str = BENCHMARK_RUN_SCRIPT
RUNNER = (f"asv_runner=={version('asv_runner')}",)
"""What asv's own script imports in the cell."""
_OUTPUT_LIMIT_BYTES = 256 * 1024
_TOLD = {Verdict.DEADLOCK, Verdict.CRASH, Verdict.ERROR}
"""What the output of the command cannot say itself."""


@dataclass(frozen=True, kw_only=True)
class Done:
    """How it ended, for asv and for gilgrid."""

    output: str
    code: int
    attempt: Attempt


def run_in(
    there: Installed, args: Sequence[str], *, cwd: Path, deadline_s: float, variables: Mapping[str, str]
) -> Done:
    """Run the cell's Python with these arguments. Raises ``KeyboardInterrupt`` where it was cancelled."""
    ending = run(
        Command(
            argv=(str(there.environment.python), *args),
            cwd=cwd,
            # asv's script takes PYTHONPATH out of sys.path, and puts this one in.
            env={**there.variables, **variables, "ASV_PYTHONPATH": str(there.build.site)},
            deadline_s=deadline_s,
            output_limit_bytes=_OUTPUT_LIMIT_BYTES,
            prove=True,
        )
    )
    if ending.end is End.CANCELLED:
        raise KeyboardInterrupt
    attempt = judge(ending, Result(), deadline_s)
    told = f"\n\ngilgrid: {attempt.verdict}: {attempt.reason}\n" if attempt.verdict in _TOLD else ""
    return Done(output=ending.output + told, code=_exit_code(ending), attempt=attempt)


def _exit_code(ending: Ending) -> int:
    match ending.end:
        case End.EXITED | End.NOT_FOUND:
            return ending.exit_code or 0
        case End.SIGNALLED:
            return -(ending.signal or 0)
        case End.DEADLINE:
            return int(util.TIMEOUT_RETCODE)
        case End.DEADLOCK:
            return WatchExit.DEADLOCK
        case _:
            return WatchExit.GILGRID_FAILED
