"""One probe in one cell: its command under the guard -> an attempt.

A probe speaks through its exit code and, if it likes, through the JSON file named by ``$GILGRID_RESULT``:
``{"checks": [{"name", "ok", "detail"}], "metrics": {name: number}, "running": text}``, written atomically and
as often as it likes. The file can make a good exit code worse, never a bad one better.
"""

from __future__ import annotations

import json
import os
import reprlib
import shlex
import shutil
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gilgrid.errors import CancelledError
from gilgrid.evidence import Cause, Evidence
from gilgrid.guard import Command, End, Ending, run
from gilgrid.model import Attempt, Check, Verdict
from gilgrid.printable import line, signal_name
from gilgrid.telling import sentence

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gilgrid.environments import Environment
    from gilgrid.model import Probe

_OUTPUT_LIMIT_BYTES = 64 * 1024
# Of a probe that went well, its last words are enough.
_OUTPUT_KEPT_IF_OK = 2000
_RESULT_LIMIT_BYTES = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Result:
    """What the command itself said of its result."""

    checks: tuple[Check, ...] = ()
    metrics: Mapping[str, float] | None = None
    running: str = ""
    fault: str = ""
    """Why the file cannot be used, if it cannot."""


def attempt(
    probe: Probe,
    argv: tuple[str, ...],
    environment: Environment,
    site: Path | None,
    *,
    on_quiet: Callable[[bool], None] | None = None,
) -> Attempt:
    """Run the probe's command once. Raises ``CancelledError`` where it was cancelled."""
    scratch = tempfile.mkdtemp(prefix="gilgrid-probe-")
    try:
        result_file = Path(scratch, "result.json")
        # A folder of its own: python -m finds what lies in the working directory before what is installed.
        work, temporary = Path(scratch, "work"), Path(scratch, "tmp")
        work.mkdir()
        temporary.mkdir()
        ending = run(
            Command(
                argv=argv,
                cwd=work,
                env={
                    **environment.variables(site),
                    "PYTHONUNBUFFERED": "1",  # what was printed before a hang is evidence
                    # Two probes have nothing in common: pytest removes what other runs of it have left there,
                    # which once took longer than its tests.
                    "TMPDIR": str(temporary),
                    **probe.env,
                    "GILGRID_RESULT": str(result_file),
                },
                deadline_s=probe.deadline_s,
                output_limit_bytes=_OUTPUT_LIMIT_BYTES,
                prove=True,
            ),
            on_quiet=on_quiet,
        )
        if ending.end is End.CANCELLED:
            raise CancelledError(probe.name)
        result = read_result(result_file)
    finally:
        # What cannot be removed stays. TemporaryDirectory raises nevertheless, and folders in folders without
        # end are too many for rmtree, which calls itself for each.
        with suppress(RecursionError):
            shutil.rmtree(scratch, ignore_errors=True)
    judged = judge(ending, result, probe.deadline_s)
    return replace(judged, output=judged.output.replace(scratch, "$SCRATCH"))


def by_hand(probe: Probe, argv: tuple[str, ...], environment: Environment, site: Path | None) -> str:
    """What to type to run the command as the probe does, but without a guard."""
    bins = [environment.folder / "bin", *([site / "bin"] if site else [])]
    settings = {
        "PATH": ":".join(map(str, bins)),
        "VIRTUAL_ENV": str(environment.folder),
        **({"PYTHONPATH": str(site)} if site else {}),
        **probe.env,
    }
    words = [f"{name}={shlex.quote(value)}" for name, value in settings.items()]
    words[0] += ":$PATH"
    return " ".join(['cd "$(mktemp -d)" &&', "env", *words, shlex.join(argv)])


def judge(ending: Ending, result: Result, deadline_s: float) -> Attempt:
    """What an ending and a result mean together."""
    evidence = _evidence(ending)
    verdict, reason = _verdict(ending, result, deadline_s, evidence)
    return Attempt(
        verdict=verdict,
        reason=reason,
        seconds=round(ending.seconds, 4),
        cpu_seconds=round(ending.cpu_seconds, 4),
        exit_code=ending.exit_code,
        signal=ending.signal,
        running="" if verdict is Verdict.OK else result.running,
        checks=result.checks,
        metrics=result.metrics or {},
        output=_last_words(ending.output) if verdict is Verdict.OK else ending.output,
        output_bytes=ending.output_bytes,
        ended=tuple(f"{leftover.name} ({leftover.pid})" for leftover in ending.ended),
        evidence=evidence,
    )


def read_result(path: Path) -> Result:
    """Read the file a command may have written; a file that cannot be used is a fault, never an exception."""
    try:
        if not path.is_file():  # to open a FIFO is to wait for ever
            return Result(fault="its result file is no file") if os.path.lexists(path) else Result()
        with path.open("rb") as file:
            text = file.read(_RESULT_LIMIT_BYTES + 1)
    except OSError as error:
        return Result(fault=f"its result file cannot be read ({error.strerror})")
    if len(text) > _RESULT_LIMIT_BYTES:
        return Result(fault=f"its result file is over {_RESULT_LIMIT_BYTES} bytes")
    try:
        content = json.loads(text)
        return Result(
            checks=tuple(
                Check(
                    name=line(check["name"]), ok=_is_true(check["ok"]), detail=line(check.get("detail", ""))
                )
                for check in content.get("checks", ())
            ),
            metrics={line(name): _finite(value) for name, value in content.get("metrics", {}).items()},
            running=line(content.get("running", "")),
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        return Result(
            fault=f"its result file is not of the documented form ({type(error).__name__}: {error})"
        )


def _evidence(ending: Ending) -> Evidence | None:
    if not ending.evidence:
        return None
    try:
        evidence = Evidence.from_json(ending.evidence)
        sentence(evidence)  # all that it needs is there
    except (ValueError, TypeError, KeyError, AttributeError):
        return None  # the verdict stands without it
    return evidence


def _verdict(
    ending: Ending, result: Result, deadline_s: float, evidence: Evidence | None
) -> tuple[Verdict, str]:
    during = f" in {result.running}" if result.running else ""
    failed = [check for check in result.checks if not check.ok]
    match ending.end:
        case End.LOST | End.CANCELLED:
            return Verdict.ERROR, ending.detail
        case End.NOT_FOUND:
            return Verdict.FAILED, ending.detail
        case End.DEADLINE:
            spins = f": {sentence(evidence)}" if evidence and evidence.cause is Cause.SPINNING else ""
            return Verdict.TIMEOUT, f"still running after {deadline_s:g} s{during}{spins}"
        case End.DEADLOCK:
            proven = sentence(evidence) if evidence else "proven, but its evidence cannot be read"
            return Verdict.DEADLOCK, f"{proven} (during {result.running})" if result.running else proven
        case End.SIGNALLED:
            return Verdict.CRASH, f"killed by {signal_name(ending.signal)}{during}"
        case End.EXITED:
            if failed:
                return Verdict.WRONG, "; ".join(_told(check) for check in failed[:3])
            if ending.exit_code != 0:
                return Verdict.FAILED, f"exit code {ending.exit_code}{during}: {_last_line(ending.output)}"
            if result.fault:
                return Verdict.FAILED, result.fault
            return Verdict.OK, ""


def _last_words(output: str) -> str:
    cut = len(output) - _OUTPUT_KEPT_IF_OK
    return f"[gilgrid: {cut} characters of output left out here]\n{output[cut:]}" if cut > 0 else output


def _told(check: Check) -> str:
    return f"{check.name}: {check.detail}" if check.detail else check.name


def _last_line(output: str) -> str:
    return next((line(said) for said in reversed(output.splitlines()) if said.strip()), "no output")


def _is_true(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"ok should be true or false, not {value!r}")
    return value


def _finite(value: Any) -> float:
    # Python's integers have no bound, and a bool is one of them.
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= sys.float_info.max:
        raise ValueError(f"a metric should be a finite number, not {reprlib.repr(value)}")
    return float(value)
