"""All that a run works with, and what of it stands already."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from gilgrid import files
from gilgrid.builds import Build, Builds
from gilgrid.environments import Environment, Environments
from gilgrid.errors import GilgridError, MistakesError
from gilgrid.interpreters import Interpreters, downloadable
from gilgrid.pins import build_pins, input_pins, run_pins
from gilgrid.plan import Job, Plan, files_read, place, plan

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from gilgrid.matrix import Matrix, Subject
    from gilgrid.model import Cell, Probe, Record
    from gilgrid.pins import Pins
    from gilgrid.records import Records


JUDGEMENT = 3
"""Raised whenever the guard learns to tell more of a verdict: older records are then measured again.

3: A hang has the CPUs that it used.
2: A deadlock is proven, and has a cause; it was a ``timeout``.
"""


@dataclass(frozen=True, kw_only=True)
class Workshop:
    """All that a run works with."""

    matrix: Matrix
    records: Records
    interpreters: Interpreters
    environments: Environments
    builds: Builds

    @classmethod
    def of(cls, matrix: Matrix, records: Records, cache_folder: Path) -> Workshop:
        """A workshop on one cache folder. Raises ``MistakesError`` where nothing could be found in it."""
        if os.pathsep in str(cache_folder):  # which neither PATH nor PYTHONPATH can hold
            sentence = (
                f"{cache_folder}: '{os.pathsep}' cannot be part of a cache folder; set GILGRID_CACHE_DIR"
            )
            raise MistakesError([sentence])
        interpreters = Interpreters(cache_folder)
        return cls(
            matrix=matrix,
            records=records,
            interpreters=interpreters,
            environments=Environments(cache_folder, interpreters),
            builds=Builds(cache_folder, matrix),
        )

    def plan(self) -> Plan:
        """The whole plan; resolves what was never resolved before."""
        return plan(self.matrix, place(self.matrix, self._tiers(), self.environments.serves))

    def _tiers(self) -> Iterator[Sequence[str]]:
        remembered = list(self.interpreters.local())
        yield remembered
        found = [python for python in self.interpreters.local(fresh=True) if python not in remembered]
        yield found
        yield [python for python in downloadable() if python not in {*remembered, *found}]

    def key(self, subject: Subject, cell: Cell, environment: Environment) -> str:
        """The key of a subject's build for a cell, whose run-time environment stands."""
        inputs = None
        if read_in := input_pins(self.matrix, subject, cell):
            # Where nothing runs with another version than it is built with, what is read is there too.
            inputs = self.environments.obtain(read_in) if cell.is_crossed else environment
        return self.builds.key(self.matrix.recipe(subject, cell), cell, environment.abi, inputs)

    def build(self, subject: Subject, cell: Cell, key: str) -> Build:
        """Build what the key is of, unless it stands. Raises ``BuildFailedError`` and ``GilgridError``."""
        if found := self.builds.existing(key):
            return found
        recipe, pins = self.matrix.recipe(subject, cell), build_pins(self.matrix, subject, cell)
        return self.builds.obtain(recipe, key, self.environments.obtain(pins))

    def known(self, job: Job, environment: Environment, key: str) -> Record | None:
        """The record of the same inputs, where there is one: the job is done."""
        record = self.records.read(job.cell, job.probe)
        return record if record and self.says_all(record, job, environment, key) else None

    def says_all(self, record: Record, job: Job, environment: Environment, key: str) -> bool:
        """Whether a record is of these inputs, with as many repeats as are asked for."""
        if record.inputs != inputs_of(self, job, environment, key):
            return False
        # What was repeated more often says more; what could not be run has no repeats.
        return not record.attempts or len(record.attempts) >= self.probe(job.probe).repeats

    def probe(self, name: str) -> Probe:
        """The probe of that name."""
        return self.matrix.probe(name)

    def subject(self, job: Job) -> Subject:
        """What a job runs with."""
        return self.matrix.subject_of(job.probe)


@dataclass(frozen=True, kw_only=True)
class Prospect:
    """What is known of a job without starting anything."""

    job: Job
    pins: Pins
    """What is installed while its probe runs."""
    environment: Environment | None
    build_key: str | None
    """``None`` where the subject is not needed, or the build's inputs were not read yet."""
    build: Build | None
    record: Record | None
    """A record of the same inputs: the job is done."""


def prospects(workshop: Workshop, whole: Plan) -> list[Prospect]:
    """Look at every job of a plan: what stands, what is recorded. Starts no process but the compiler's."""
    # Thousands of jobs share hundreds of environments and dozens of builds: each is looked at once.
    environment_of = cache(workshop.environments.existing)
    build_of = cache(workshop.builds.existing)
    subjects = {subject.name: subject for subject in workshop.matrix.subjects}

    @cache
    def pins_of(name: str, cell: Cell) -> Pins:
        return run_pins(workshop.matrix, subjects[name], cell)

    @cache
    def key_of(name: str, cell: Cell) -> str | None:
        subject = subjects[name]
        pins = input_pins(workshop.matrix, subject, cell)
        inputs = environment_of(pins) if pins else None
        interpreter = workshop.interpreters.local().get(cell.python)
        is_known = interpreter is not None and (inputs is not None or pins is None)
        if interpreter and is_known:
            recipe = workshop.matrix.recipe(subject, cell)
            with suppress(GilgridError):  # the run makes a record of it
                return workshop.builds.key(recipe, cell, interpreter.abi, inputs)
        return None

    found = []
    for job in whole.jobs:
        subject = workshop.probe(job.probe).subject
        pins = pins_of(subject, job.cell)
        environment = environment_of(pins)
        key = key_of(subject, job.cell) if job.with_subject else None
        has_its_build = bool(key) or not job.with_subject
        found.append(
            Prospect(
                job=job,
                pins=pins,
                environment=environment,
                build_key=key,
                build=build_of(key) if key else None,
                record=workshop.known(job, environment, key or "") if environment and has_its_build else None,
            ),
        )
    return found


def inputs_of(workshop: Workshop, job: Job, environment: Environment, key: str) -> str:
    """A digest of all that a verdict depends on: probe, its files, build, and what is installed."""
    probe = workshop.probe(job.probe)
    return files.digest(
        JUDGEMENT,
        {**vars(probe), "axes": (), "subject": "", "repeats": 1},
        [_content(workshop.matrix.project / name) for name in files_read(probe)],
        key,
        environment.interpreter,
        environment.abi,
        dict(environment.versions),
    )


@cache
def _content(path: Path) -> str:
    root = path if path.is_dir() else path.parent
    return files.digest_of_files(root, files.source_files(path)) if path.exists() else "missing"
