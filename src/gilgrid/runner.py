"""Plan -> records: environments, builds and probes as tasks of one schedule."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from gilgrid import probes
from gilgrid.errors import CancelledError, RecordNotKeptError
from gilgrid.pins import build_pins, input_pins, run_pins
from gilgrid.plan import command
from gilgrid.recording import measured, not_measured
from gilgrid.schedule import Schedule, Task

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Executor, Future

    from gilgrid.builds import Build, Builds
    from gilgrid.environments import Environment, Environments
    from gilgrid.matrix import Subject
    from gilgrid.model import Record
    from gilgrid.pins import Pins
    from gilgrid.plan import Job
    from gilgrid.workshop import Workshop

# Parked probes cost no CPU, but each of them, with its supervisor, costs memory.
PARKED_AT_ONCE = 16


class Observer(Protocol):
    """Watches a run: a live view, or plain lines."""

    def started(self, task: Task) -> None:
        """A task runs."""

    def ended(self, task: Task) -> None:
        """A task ended."""

    def recorded(self, record: Record) -> None:
        """A verdict is known, and kept."""


@dataclass(kw_only=True)
class Run:
    """One run of a plan. Every record is written when it is known: a kill loses what is under way only."""

    workshop: Workshop
    observer: Observer
    executor: Executor
    cpus: int
    rerun: bool = False
    """Measure also what has a record for the same inputs, which shows only once its build stands."""
    _schedule: Schedule = field(init=False)
    _waiting: dict[object, list[Callable[[Future[Any]], None]]] = field(default_factory=dict)
    _done: dict[object, Future[Any]] = field(default_factory=dict)

    def __call__(self, jobs: Sequence[Job]) -> Mapping[str, float]:
        """Run these jobs and return the seconds spent by kind; an interrupt is the caller's to handle."""
        self._schedule = Schedule(
            executor=self.executor,
            cpus=self.cpus,
            most_at_once=self.cpus + PARKED_AT_ONCE,
            can_lend=True,
            on_start=self.observer.started,
            on_end=self.observer.ended,
        )
        for rank, job in enumerate(jobs):
            self._begin(job, rank)
        self._schedule.run()
        return self._schedule.spent_s

    def _begin(self, job: Job, rank: int) -> None:
        matrix, subject = self.workshop.matrix, self.workshop.subject(job)
        inputs = input_pins(matrix, subject, job.cell) if job.with_subject else None

        def with_environment(environment: Environment) -> None:
            if not job.with_subject:
                self._probe(job, rank, environment, None)
            elif inputs is None:
                self._build(job, rank, environment, None)
            else:
                self._environment(
                    inputs,
                    rank,
                    job,
                    lambda source: self._build(job, rank, environment, source),
                )

        self._environment(run_pins(matrix, subject, job.cell), rank, job, with_environment)

    def _environment(self, pins: Pins, rank: int, job: Job, then: Callable[[Environment], None]) -> None:
        self._once(
            ("environment", pins),
            partial(_environment_work, self.workshop.environments, pins),
            name=" ".join([f"Python {pins.python}", *(r for r in pins.requirements if "==" in r)]),
            kind="environment",
            rank=rank,
            job=job,
            then=then,
        )

    def _build(self, job: Job, rank: int, environment: Environment, inputs: Environment | None) -> None:
        matrix, subject = self.workshop.matrix, self.workshop.subject(job)
        recipe = matrix.recipe(subject, job.cell)
        key = self.workshop.builds.key(recipe, job.cell, environment.abi, inputs)
        pins = build_pins(matrix, subject, job.cell)
        self._once(
            ("build", key),
            partial(
                _build_work,
                self.workshop.environments,
                self.workshop.builds,
                recipe,
                pins,
                key,
            ),
            name=f"{subject.name} {job.cell}" if len(matrix.subjects) > 1 else str(job.cell),
            kind="build",
            rank=rank,
            job=job,
            then=lambda build: self._probe(job, rank, environment, build),
            build_key=key,
        )

    def _probe(self, job: Job, rank: int, environment: Environment, build: Build | None) -> None:
        probe = self.workshop.probe(job.probe)
        if build:
            build.check_runs_in(environment)
        key = build.key if build else ""
        if not self.rerun and (known := self.workshop.known(job, environment, key)):
            self.observer.recorded(known)
            return
        argv = command(probe, str(self.workshop.matrix.project))
        ended: list[Future[Any]] = []

        def then(future: Future[Any]) -> None:
            ended.append(future)
            if len(ended) < probe.repeats:
                return
            if error := next((error for future in ended if (error := future.exception())), None):
                self._record_failure(job, error)
                return
            attempts = tuple(future.result() for future in ended)
            self._step(job, lambda: self._write(measured(self.workshop, job, environment, build, attempts)))

        # Each repeat is a task: those that hang are parked beside one another, not one after another.
        for number in range(1, probe.repeats + 1):
            self._schedule.add(
                Task(
                    name=f"{job}, {number} of {probe.repeats}" if probe.repeats > 1 else str(job),
                    kind="probe",
                    work=partial(probes.attempt, probe, argv, environment, build.site if build else None),
                    then=then,
                    cpus=probe.threads,
                    value=(rank, 0),
                    is_short=True,
                ),
            )

    def _step(self, job: Job, step: Callable[[], None], build_key: str = "") -> None:
        """Go on with a job; what fails is a record of that job, and the others go on."""
        try:
            step()
        except RecordNotKeptError:
            raise
        except Exception as failure:  # noqa: BLE001 - whatever it is, it is of this job
            self._record_failure(job, failure, build_key)

    def _once(
        self,
        key: object,
        work: Callable[..., Any],
        *,
        name: str,
        kind: str,
        rank: int,
        job: Job,
        then: Callable[[Any], None],
        build_key: str = "",
    ) -> None:
        """Do a piece of work that several jobs need once, and go on with each of them."""

        def answer(future: Future[Any]) -> None:
            error = future.exception()
            if error:
                self._record_failure(job, error, build_key)
                return
            self._step(job, lambda: then(future.result()), build_key)

        def done(future: Future[Any]) -> None:
            self._done[key] = future
            for waiting in self._waiting.pop(key):
                waiting(future)

        if key in self._done:
            answer(self._done[key])
        elif key in self._waiting:
            self._waiting[key].append(answer)
        else:
            self._waiting[key] = [answer]
            self._schedule.add(
                Task(
                    name=name,
                    kind=kind,
                    work=work,
                    then=done,
                    cpus=1,
                    value=(rank, 1),
                    is_short=kind == "environment",
                ),
            )

    def _record_failure(self, job: Job, error: BaseException, key: str = "") -> None:
        if not isinstance(error, CancelledError):
            self._write(not_measured(self.workshop, job, error, key))

    def _write(self, record: Record) -> None:
        self.workshop.records.write(record)
        self.observer.recorded(record)


def _environment_work(
    environments: Environments,
    pins: Pins,
    *,
    on_quiet: Callable[[bool], None] | None,
) -> Environment:
    del on_quiet  # installing is never parked for long
    return environments.obtain(pins)


def _build_work(
    environments: Environments,
    all_builds: Builds,
    recipe: Subject,
    pins: Pins,
    key: str,
    *,
    on_quiet: Callable[[bool], None] | None,
) -> Build:
    del on_quiet
    return all_builds.existing(key) or all_builds.obtain(recipe, key, environments.obtain(pins))
