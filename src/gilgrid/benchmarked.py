"""A benchmark in a cell: what is installed for it at a commit, and how it ended."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from packaging.version import InvalidVersion, Version

from gilgrid import files, guard
from gilgrid.config_subjects import moved
from gilgrid.errors import BuildFailedError, GilgridError, MistakesError
from gilgrid.model import Cell, Coordinate, Failure, Record, Verdict
from gilgrid.pins import Pins, run_pins
from gilgrid.recording import circumstances, kept_log, ran_with
from gilgrid.records import FOLDER, Records

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from gilgrid.builds import Build
    from gilgrid.environments import Environment
    from gilgrid.matrix import Matrix, Subject
    from gilgrid.model import Attempt
    from gilgrid.workshop import Workshop

_Name = TypeVar("_Name")

BUILD = "build"
"""The name of the record of a commit that does not build; no benchmark of asv's has one without a dot."""


@dataclass(frozen=True, kw_only=True)
class Installed:
    """A subject as it was at a commit, built and ready to be imported."""

    cell: Cell
    environment: Environment
    build: Build
    source: Path | None
    """The folder that it was built from; None where that is no folder."""

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables of a benchmark: to import it, and to find its source and gilgrid."""
        found = {"GILGRID_SUBJECT": str(self.source)} if self.source else {}
        return {**self.environment.variables(self.build.site), **found, "GILGRID_PYTHON": sys.executable}


def place(matrix: Matrix, python: str, versions: Mapping[str, str]) -> tuple[Subject, Cell]:
    """The subject that has these axes, and the cell at these versions.

    Raises ``MistakesError`` where they are no axes of a subject's, or no versions.
    """
    known = {axis.name for axis in matrix.axes}
    for name, text in versions.items():
        if name not in known:
            raise MistakesError(
                [f"'{name}' is no axis of matrix.toml, whose axes are {', '.join(sorted(known))}"]
            )
        try:
            Version(text)
        except InvalidVersion:
            raise MistakesError(
                [f"{name}: '{text}' is not one version; write it as {name} has it, 1.2.3"]
            ) from None
    having = [subject for subject in matrix.subjects if set(subject.axes) == set(versions)]
    if len(having) != 1:
        told = "; ".join(
            f"{subject.name}: {', '.join(subject.axes) or 'none'}" for subject in matrix.subjects
        )
        which = "no subject has" if not having else "more than one subject has"
        raise MistakesError([f"{which} the axes {', '.join(versions) or '(none)'} ({told})"])
    (subject,) = having
    coordinates = tuple(Coordinate(axis=axis, version=versions[axis]) for axis in subject.axes)
    return subject, Cell(python=python, coordinates=coordinates)


def pins(matrix: Matrix, subject: Subject, cell: Cell, further: tuple[str, ...]) -> Pins:
    """What is installed while a benchmark runs: what a probe has, and ``further`` requirements."""
    own = run_pins(matrix, subject, cell)
    return replace(own, requirements=tuple(sorted({*own.requirements, *further})))


def install(
    workshop: Workshop,
    subject: Subject,
    cell: Cell,
    *,
    source: Path | None = None,
    further: tuple[str, ...] = (),
) -> Installed:
    """Build the subject for a cell from the folder ``source``, by default its own, unless that build stands.

    Raises ``UnavailableError``, ``BuildFailedError`` and other ``GilgridError``.
    """
    there = _moved(subject, source) if source else subject
    environment = workshop.environments.obtain(pins(workshop.matrix, there, cell, further))
    build = workshop.build(there, cell, workshop.key(there, cell, environment))
    return Installed(cell=cell, environment=environment, build=build, source=there.folder)


def _moved(subject: Subject, source: Path) -> Subject:
    """As ``moved``; a commit that cannot be read is one that does not build, and none of the others' end."""
    try:
        return moved(subject, source)
    except MistakesError as mistake:
        raise BuildFailedError(f"{subject.name} is not there to be built: {mistake}", str(mistake)) from None


def records(project: Path, commit: str, environment: str) -> Records:
    """Where what did not end well at a commit is kept, in an environment of that name."""
    return Records(folder=project / FOLDER / "benchmarks" / commit / environment)


def failures(project: Path) -> tuple[list[Failure], list[str]]:
    """All of them, and a warning for each file that is none."""
    found, warnings = [], []
    for folder in sorted((project / FOLDER / "benchmarks").glob("*/*")):
        kept = Records(folder=folder, sets_aside=False)
        found += [
            Failure(commit=folder.parent.name, environment=folder.name, record=one) for one in kept.read_all()
        ]
        warnings += kept.warnings
    return found, warnings


def at_once(installs: Mapping[_Name, Callable[[], Installed]]) -> dict[_Name, Installed | GilgridError]:
    """Do several installs at once; returns what each came to, be it how it failed."""
    # One more than there are CPUs: a build waits for its own parts, and three on two CPUs take a tenth less.
    executor = ThreadPoolExecutor(len(os.sched_getaffinity(0)) + 1, thread_name_prefix="gilgrid")

    def outcome(install: Callable[[], Installed]) -> Installed | GilgridError:
        try:
            return install()
        except GilgridError as error:
            return error

    try:
        futures = {name: executor.submit(outcome, install) for name, install in installs.items()}
        return {name: future.result() for name, future in futures.items()}
    except BaseException:
        guard.cancel_all()
        raise
    finally:
        executor.shutdown(cancel_futures=True)


def record(workshop: Workshop, name: str, parameters: str, there: Installed, of: Attempt) -> Record:
    """What is kept of a benchmark that did not end well."""
    return Record(
        cell=there.cell,
        probe=name,
        parameters=parameters,
        verdict=of.verdict,
        reason=of.reason,
        inputs=files.digest(name, there.build.key, dict(there.environment.versions)),
        seconds=of.seconds,
        attempts=(of,),
        build_log=kept_log(workshop, there.build),
        **ran_with(there.environment, there.build),
        **circumstances(),
    )


def unbuilt(workshop: Workshop, commit: str, cell: Cell, failed: BuildFailedError) -> Record:
    """What is kept of a commit that does not build for a cell: none of its benchmarks could run."""
    log = workshop.records.keep_log(f"{commit}-{cell}", failed.log)
    return Record(
        cell=cell,
        probe=BUILD,
        verdict=Verdict.BUILD_FAILED,
        reason=failed.first_error,
        inputs="",
        seconds=0.0,
        build_log=str(log),
        **circumstances(),
    )
