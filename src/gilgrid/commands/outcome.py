"""What the ending of a watched command means: verdict, JSON, sentences. Pure."""

from __future__ import annotations

import signal
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from gilgrid.evidence import Evidence
from gilgrid.guard import End
from gilgrid.model import Verdict
from gilgrid.printable import signal_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gilgrid.guard import Ending

SCHEMA = 1
"""Of the JSON. 1: the first."""
_UNTOLD = {signal.SIGINT, signal.SIGPIPE}  # a shell says nothing of these either


def verdict(ending: Ending) -> Verdict:
    """What the ending of a command means."""
    match ending.end:
        case End.EXITED:
            return Verdict.OK if ending.exit_code == 0 else Verdict.FAILED
        case End.NOT_FOUND:
            return Verdict.FAILED
        case End.SIGNALLED:
            return Verdict.CRASH
        case End.DEADLOCK:
            return Verdict.DEADLOCK
        case End.DEADLINE:
            return Verdict.TIMEOUT
        case End.CANCELLED | End.LOST:
            return Verdict.ERROR


def to_json(ending: Ending, evidence: Evidence | None, argv: Sequence[str]) -> dict[str, Any]:
    """The result, for machines. `exit_code` and `signal` are null where gilgrid has ended the command.

    `kept` are the processes that live on: with --keep, or because the command left them behind. `looks` and
    `stops` are how often the guard tried to prove something, and stopped the command for that.
    """
    seen = asdict(evidence or Evidence())
    return {
        "schema": SCHEMA,
        "verdict": verdict(ending),
        "cause": seen.pop("cause"),
        "exit_code": ending.exit_code,
        "signal": ending.signal,
        "seconds": round(ending.seconds, 4),
        "detected_after": seen.pop("detected_after"),
        "looks": ending.looks,
        "stops": ending.stops,
        "command": list(argv),
        "detail": ending.detail,
        "kept": [process.pid for process in ending.survivors],
        **seen,
    }


def running_to_json(pid: int, evidence: Evidence) -> dict[str, Any]:
    """The same for a process that runs on: it has no verdict unless its deadlock is proven."""
    return {
        "schema": SCHEMA,
        "verdict": Verdict.DEADLOCK if evidence.is_proof else None,
        "exit_code": None,
        "signal": None,
        "seconds": None,
        "pid": pid,
        **asdict(evidence),
    }


def sentences(ending: Ending, debugger: str = "gdb") -> list[str]:
    """What is to be said of an ending, beside the report of a hang; nothing where all is well."""
    match ending.end:
        case End.SIGNALLED if ending.signal not in _UNTOLD:
            return [f"killed by {signal_name(ending.signal or 0)}"]
        case End.NOT_FOUND:
            return [ending.detail]
        case End.CANCELLED | End.LOST:
            return [f"gilgrid itself failed, and has ended the command: {ending.detail}"]
        case End.DEADLOCK | End.DEADLINE if ending.survivors:
            pids = [str(process.pid) for process in ending.survivors]
            end = f"kill -9 {' '.join(pids)}"
            return [f"kept alive: {', '.join(pids)}; look with {debugger} -p {pids[0]}, end with {end}"]
        case _:
            return []
