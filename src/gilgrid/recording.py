"""What a job came to -> its record: attempts that were made, or the error that kept them from being made."""

from __future__ import annotations

import traceback
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from gilgrid import probes
from gilgrid.errors import BuildFailedError, GilgridError, UnavailableError
from gilgrid.machine import machine
from gilgrid.model import Record, Verdict, agreed, disagreement
from gilgrid.packages import installed
from gilgrid.pins import run_pins
from gilgrid.plan import command
from gilgrid.workshop import inputs_of

if TYPE_CHECKING:
    from gilgrid.builds import Build
    from gilgrid.environments import Environment
    from gilgrid.model import Attempt
    from gilgrid.plan import Job
    from gilgrid.workshop import Workshop


def measured(
    workshop: Workshop,
    job: Job,
    environment: Environment,
    build: Build | None,
    attempts: tuple[Attempt, ...],
) -> Record:
    """The record of a probe that ran."""
    site = build.site if build else None
    probe = workshop.probe(job.probe)
    verdict = agreed([attempt.verdict for attempt in attempts])
    return Record(
        cell=job.cell,
        probe=job.probe,
        verdict=verdict,
        reason=_reason(verdict, attempts),
        inputs=inputs_of(workshop, job, environment, build.key if build else ""),
        seconds=round(sum(attempt.seconds for attempt in attempts), 3),
        attempts=attempts,
        by_hand=probes.by_hand(probe, command(probe, str(workshop.matrix.project)), environment, site),
        **ran_with(environment, build),
        build_log=kept_log(workshop, build) if build else "",
        **circumstances(),
    )


def not_measured(workshop: Workshop, job: Job, error: BaseException, key: str) -> Record:
    """The record of a probe that could not run: why its cell has no environment or no build.

    Only a failed build is as good as a measurement; whatever else failed is tried again by the next run.
    """
    verdict, reason, detail, inputs, log = Verdict.ERROR, str(error), "", "", ""
    match error:
        case UnavailableError():
            verdict = Verdict.UNAVAILABLE
        case BuildFailedError():
            verdict, reason = Verdict.BUILD_FAILED, error.first_error
            log = _kept(workshop, key, error.log)
            environment = workshop.environments.existing(
                run_pins(workshop.matrix, workshop.subject(job), job.cell)
            )
            inputs = inputs_of(workshop, job, environment, key) if environment else ""
        case GilgridError():
            pass
        case _:
            reason = f"{type(error).__name__}: {error}"
            detail = "".join(traceback.format_exception(error))
    return Record(
        cell=job.cell,
        probe=job.probe,
        verdict=verdict,
        reason=reason,
        detail=detail,
        inputs=inputs,
        seconds=0.0,
        build_key=key,
        build_log=log,
        **circumstances(),
    )


def ran_with(environment: Environment, build: Build | None) -> dict[str, Any]:
    """The fields of a record that say what its command ran with."""
    versions = {**environment.versions, "python": environment.interpreter}
    if build is None:
        return {"versions": versions}
    return {
        "versions": versions | installed(build.site),
        "build_key": build.key,
        "build_versions": build.versions,
        "build_seconds": build.seconds,
    }


def circumstances() -> dict[str, Any]:
    """The fields of a record that say when, where and by which gilgrid it was made."""
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "gilgrid": version("gilgrid"),
    }


def kept_log(workshop: Workshop, build: Build) -> str:
    """Where the output of a build is kept beside the records; empty where it could not be."""
    try:
        log = build.log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return _kept(workshop, build.key, log)


def _kept(workshop: Workshop, key: str, log: str) -> str:
    # A verdict is not lost because there is no room for the log beside it.
    try:
        return str(workshop.records.keep_log(key, log))
    except OSError:
        return ""


def _reason(verdict: Verdict, attempts: tuple[Attempt, ...]) -> str:
    if verdict is Verdict.FLAKY:
        return disagreement(attempts)
    return next((attempt.reason for attempt in attempts if attempt.reason), "")
