"""Plan -> records where the work is done elsewhere: each job whole, on one machine, which sends its record.

Whoever works needs no folder in common with whoever asks. Where they have one, nothing is made twice.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gilgrid import guard, probes
from gilgrid.errors import BuildFailedError, CancelledError, ExecutorLostError, GilgridError
from gilgrid.pins import as_built, run_pins
from gilgrid.plan import command
from gilgrid.recording import measured, not_measured
from gilgrid.runner import PARKED_AT_ONCE
from gilgrid.schedule import Schedule, Task

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
    from concurrent.futures import Executor, Future

    from gilgrid.builds import Build
    from gilgrid.environments import Environment
    from gilgrid.kit import Kit
    from gilgrid.model import Attempt, Record
    from gilgrid.plan import Job
    from gilgrid.runner import Observer
    from gilgrid.workshop import Workshop


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a worker sends of a job."""

    record: Record
    log: str = ""
    """Of its build."""


# Where the work is done


_asked: list[Kit] = []
"""What this process works for."""
_measuring = threading.Lock()
"""Whatever its worker does beside would disturb a measurement, unless what is measured does nothing."""
_failed: dict[str, BuildFailedError] = {}
"""Builds that this process has tried in vain, by key: each job of theirs would try again."""


def version() -> str:
    """Of the gilgrid that would do the work."""
    return metadata.version("gilgrid")


def prepare(kit: Kit, job: Job, *, on_quiet: Callable[[bool], None] | None) -> None:
    """Make what a job needs; what cannot be made will be told by the job itself."""
    del on_quiet  # nothing of it is ever parked
    with suppress(GilgridError), _under_way(kit):
        workshop = kit.open()
        environment, key = _environment(workshop, job)
        _build(workshop, job, environment, key)


def work(kit: Kit, job: Job, former: Record | None, *, on_quiet: Callable[[bool], None] | None) -> Answer:
    """Do a whole job, unless the former record is of the same inputs. Raises ``CancelledError``."""
    with _under_way(kit):
        return _answer(kit, job, former, on_quiet)


def cancel(kit: Kit) -> None:
    """End what is under way of a project, unless this process works for others at the same time."""
    if set(_asked) == {kit}:
        guard.cancel_all(for_good=False)


@contextmanager
def _under_way(kit: Kit) -> Iterator[None]:
    _asked.append(kit)
    try:
        yield
    finally:
        _asked.remove(kit)


def _answer(kit: Kit, job: Job, former: Record | None, on_quiet: Callable[[bool], None] | None) -> Answer:
    workshop, key = kit.open(), ""
    try:
        environment, key = _environment(workshop, job)
        if former and workshop.says_all(former, job, environment, key):
            return Answer(record=former)
        build = _build(workshop, job, environment, key)
        with _alone(on_quiet) as told:
            attempts = _attempts(workshop, job, environment, build, told)
        record = measured(workshop, job, environment, build, attempts)
    except CancelledError:
        raise
    except Exception as failure:  # noqa: BLE001 - whatever it is, it is of this job
        record = not_measured(workshop, job, failure, key)
    log = ""
    with suppress(OSError):
        log = Path(record.build_log).read_text(encoding="utf-8") if record.build_log else ""
    return Answer(record=replace(record, build_log=""), log=log)


def _environment(workshop: Workshop, job: Job) -> tuple[Environment, str]:
    """Where the job runs, and the key of its build; no key where it needs none."""
    subject = workshop.subject(job)
    environment = workshop.environments.obtain(run_pins(workshop.matrix, subject, job.cell))
    return environment, workshop.key(subject, job.cell, environment) if job.with_subject else ""


def _build(workshop: Workshop, job: Job, environment: Environment, key: str) -> Build | None:
    if not key:
        return None
    if key in _failed:
        raise _failed[key]
    try:
        build = workshop.build(workshop.subject(job), job.cell, key)
    except BuildFailedError as failed:
        _failed[key] = failed
        raise
    build.check_runs_in(environment)
    return build


@contextmanager
def _alone(on_quiet: Callable[[bool], None] | None) -> Iterator[Callable[[bool], None]]:
    """Measure while nothing else is measured; with it comes whom to tell whether all of it is parked."""
    _measuring.acquire()
    has_lent = False

    def told(is_quiet: bool) -> None:  # noqa: FBT001 - the guard's signature
        nonlocal has_lent
        if on_quiet is None:
            return
        if is_quiet and not has_lent:  # once: what has been started since is not stopped again
            has_lent = True
            _measuring.release()
        on_quiet(is_quiet)

    try:
        yield told
    finally:
        if not has_lent:
            _measuring.release()


def _attempts(
    workshop: Workshop,
    job: Job,
    environment: Environment,
    build: Build | None,
    on_quiet: Callable[[bool], None],
) -> tuple[Attempt, ...]:
    """All repeats: one after another, but for those that hang and wait for their proof."""
    probe = workshop.probe(job.probe)
    argv = command(probe, str(workshop.matrix.project))
    ended: list[Future[Attempt]] = []
    with ThreadPoolExecutor(probe.repeats) as executor:
        schedule = Schedule(
            executor=executor,
            cpus=probe.threads,
            most_at_once=probe.repeats,
            can_lend=True,
            on_quiet=on_quiet,
        )
        for number in range(probe.repeats):
            schedule.add(
                Task(
                    name=f"{job}, {number}",
                    kind="probe",
                    work=partial(probes.attempt, probe, argv, environment, build.site if build else None),
                    then=ended.append,
                    cpus=probe.threads,
                    value=(number,),
                    is_short=True,
                )
            )
        schedule.run()
    return tuple(future.result() for future in ended)


# Where it is asked for


@dataclass(kw_only=True)
class RemoteRun:
    """One run of a plan on other machines. Each record is written when it arrives."""

    workshop: Workshop
    kit: Kit
    observer: Observer
    executor: Executor
    cpus: int
    can_lend: bool
    """Whether a worker whose job is parked takes another."""
    rerun: bool = False
    _schedule: Schedule = field(init=False)

    def __call__(self, jobs: Sequence[Job]) -> Mapping[str, float]:
        """Run these jobs and return the seconds spent by kind; an interrupt is the caller's to handle."""
        self._schedule = Schedule(
            executor=self.executor,
            cpus=self.cpus,
            most_at_once=self.cpus + PARKED_AT_ONCE,
            can_lend=self.can_lend,
            on_start=self.observer.started,
            on_end=self.observer.ended,
        )
        together: dict[Hashable, list[tuple[int, Job]]] = {}
        for rank, job in enumerate(jobs):
            name = _built(self.workshop, job) if job.with_subject else job.cell
            together.setdefault(name, []).append((rank, job))
        for several in together.values():
            self._prepare(several)
        self._schedule.run()
        return self._schedule.spent_s

    def _prepare(self, several: Sequence[tuple[int, Job]]) -> None:
        """Have one worker build what several jobs need, so that no other has to wait for it."""
        (rank, first), *_ = several

        def then(future: Future[None]) -> None:
            _check(future)
            for each in several:
                self._work(*each)

        self._schedule.add(
            Task(
                name=str(first.cell),
                kind="build" if first.with_subject else "environment",
                work=partial(prepare, self.kit, first),
                then=then,
                cpus=1,
                value=(rank, 1),
            )
        )

    def _work(self, rank: int, job: Job) -> None:
        former = None if self.rerun else self.workshop.records.read(job.cell, job.probe)

        def then(future: Future[Answer]) -> None:
            _check(future)
            try:
                answer = future.result()
            except CancelledError:
                return
            except Exception as failure:  # noqa: BLE001 - of the worker, or of what brought its answer
                answer = Answer(record=not_measured(self.workshop, job, failure, ""))
            record = answer.record
            if answer.log:
                log = self.workshop.records.keep_log(record.build_key, answer.log)
                record = replace(record, build_log=str(log))
            if record != former:
                self.workshop.records.write(record)
            self.observer.recorded(record)

        probe = self.workshop.probe(job.probe)
        self._schedule.add(
            Task(
                name=str(job),
                kind="probe",
                work=partial(work, self.kit, job, former),
                then=then,
                cpus=probe.threads,
                value=(rank, 0),
                is_short=True,
            )
        )


def _built(workshop: Workshop, job: Job) -> Hashable:
    """What may be one build: the same subject with the same versions of all that it is built with."""
    subject = workshop.subject(job)
    return subject.name, str(as_built(job.cell).projected(subject.build_axes)), job.cell.python


def _check(future: Future[Any]) -> None:
    """Raise ``ExecutorLostError`` where nobody will do it any more; how else it failed the job will tell."""
    if future.cancelled():
        sentence = "the executor has let go of this run: its scheduler is gone, say; the same command goes on"
        raise ExecutorLostError(sentence)
