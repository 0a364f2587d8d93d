"""Where jobs are done: in this process, by Dask's workers, by MPI's ranks."""

from __future__ import annotations

import logging
import os
import uuid
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gilgrid import guard, remote
from gilgrid.errors import MistakesError
from gilgrid.extras import needs
from gilgrid.kit import pack
from gilgrid.runner import PARKED_AT_ONCE, Run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from concurrent.futures import Future

    from gilgrid.kit import Kit
    from gilgrid.matrix import Matrix
    from gilgrid.plan import Job
    from gilgrid.runner import Observer
    from gilgrid.schedule import Work
    from gilgrid.workshop import Workshop

_ANSWER_S = 10
_WORKERS_S = 60
"""Until a scheduler answers, and until it has a worker."""


@dataclass(frozen=True, kw_only=True)
class Opened:
    """An executor that is ready for work."""

    executor: Executor
    cpus: int
    """Of all machines together."""
    cancel: Callable[[], None]
    """End what is under way there."""
    kit: Kit | None = None
    """What other processes are given; None where it is this one."""
    can_lend: bool = True
    """Whether a worker whose job is parked takes another."""

    def run(
        self, workshop: Workshop, observer: Observer, jobs: Sequence[Job], *, rerun: bool
    ) -> Mapping[str, float]:
        """Run these jobs and return the seconds spent by kind."""
        if self.kit is None:
            of_this = Run(
                workshop=workshop, observer=observer, executor=self.executor, cpus=self.cpus, rerun=rerun
            )
            return of_this(jobs)
        of_others = remote.RemoteRun(
            workshop=workshop,
            kit=self.kit,
            observer=observer,
            executor=self.executor,
            cpus=self.cpus,
            can_lend=self.can_lend,
            rerun=rerun,
        )
        return of_others(jobs)


@contextmanager
def opened(where: str, matrix: Matrix, cpus: int | None) -> Iterator[Opened]:
    """What ``--executor`` names; ``cpus`` are as many as there are, or as were asked for.

    Raises ``MistakesError`` where it names none, or where that has nobody to do the work.
    """
    kind, _, address = where.partition(":")
    match kind:
        case "local" if not address:
            one = _local(cpus or len(os.sched_getaffinity(0)))
        case "dask" if address:
            one = _dask(address, pack(matrix), cpus)
        case "mpi" if not address:
            one = _mpi(pack(matrix), cpus)
        case _:
            raise MistakesError([f"--executor {where}: there are local, dask:ADDRESS and mpi"])
    with one as executor:
        yield executor


@contextmanager
def _local(cpus: int) -> Iterator[Opened]:
    # A task has a thread, parked or not: none waits for one.
    executor = ThreadPoolExecutor(max_workers=cpus + PARKED_AT_ONCE, thread_name_prefix="gilgrid")
    try:
        yield Opened(executor=executor, cpus=cpus, cancel=guard.cancel_all)
    finally:
        executor.shutdown(cancel_futures=True)


@contextmanager
def _dask(address: str, kit: Kit, cpus: int | None) -> Iterator[Opened]:
    with needs("dask"):
        from distributed import Client  # noqa: PLC0415 - an extra
        from distributed.comm.addressing import parse_address  # noqa: PLC0415
        from distributed.comm.registry import get_backend  # noqa: PLC0415
    where = f"--executor dask:{address}"
    # What it has to say of a scheduler that is gone, gilgrid says in a sentence; it does to the very end.
    logging.disable(logging.CRITICAL)
    try:
        get_backend(parse_address(address)[0])  # a client would try an unknown one again, and again
        client: Any = Client(address, timeout=_ANSWER_S, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0] or type(error).__name__
        raise MistakesError(
            [f"{where}: no scheduler answers there ({reason}); start one: dask scheduler"]
        ) from None
    try:
        try:
            client.wait_for_workers(1, timeout=_WORKERS_S)
        except TimeoutError:
            sentence = f"{where}: it has no worker; start some: dask worker {address} --nthreads 1"
            raise MistakesError([sentence]) from None
        _check_workers(client, where)

        def cancel() -> None:
            with suppress(Exception):  # of a scheduler that is gone, or of a worker
                executor.shutdown(wait=False)
                client.run(remote.cancel, kit, wait=False, on_error="ignore")

        executor = _Dask(client)
        total = cpus or sum(client.nthreads().values())
        yield Opened(executor=executor, cpus=total, cancel=cancel, kit=kit)
    finally:
        with suppress(Exception):
            client.close(timeout=1)


class _Dask(Executor):
    """Dask's workers, who say which of their tasks are parked; its own executor has no way to."""

    def __init__(self, client: Any) -> None:
        self._inner = client.get_executor(pure=False)
        self._topic = f"gilgrid-{uuid.uuid4()}"
        self._told: dict[str, Callable[[bool], None]] = {}
        client.subscribe_topic(self._topic, self._hear)

    def submit(self, work: Work, /, *, on_quiet: Callable[[bool], None]) -> Future[Any]:  # type: ignore[override]
        name = str(uuid.uuid4())
        self._told[name] = on_quiet
        future: Future[Any] = self._inner.submit(work, on_quiet=_Tell(topic=self._topic, name=name))
        future.add_done_callback(lambda _: self._told.pop(name))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002
        self._inner.shutdown(wait=wait and not cancel_futures)

    def _hear(self, event: tuple[float, tuple[str, bool]]) -> None:
        _, (name, is_quiet) = event
        if on_quiet := self._told.get(name):
            on_quiet(is_quiet)


@dataclass(frozen=True, kw_only=True)
class _Tell:
    """Goes with a task to its worker, to tell whether it is parked."""

    topic: str
    name: str

    def __call__(self, is_quiet: bool) -> None:  # noqa: FBT001 - the guard's signature
        from distributed import get_worker, secede  # noqa: PLC0415 - an extra
        from distributed.threadpoolexecutor import thread_state  # noqa: PLC0415

        get_worker().log_event(self.topic, (self.name, is_quiet))
        if is_quiet and thread_state.proceed:  # its thread is the worker's still
            secede()  # type: ignore[no-untyped-call]


def _check_workers(client: Any, where: str) -> None:
    for worker, answer in client.run(remote.version, on_error="return").items():
        if isinstance(answer, ModuleNotFoundError):
            raise MistakesError([f"{where}: worker {worker} has no gilgrid; install the same there"])
        if isinstance(answer, Exception):
            raise MistakesError([f"{where}: worker {worker} cannot work: {type(answer).__name__}: {answer}"])
        if answer != remote.version():
            sentence = f"{where}: worker {worker} has gilgrid {answer}, here is {remote.version()}"
            raise MistakesError([sentence])


@contextmanager
def _mpi(kit: Kit, cpus: int | None) -> Iterator[Opened]:
    with needs("mpi"):
        from mpi4py import MPI  # noqa: PLC0415 - an extra
        from mpi4py.futures import MPIPoolExecutor, _core  # noqa: PLC0415
    # Ranks that its own main module has not made workers of, it would start itself, which few MPIs can.
    if MPI.COMM_WORLD.Get_size() == 1 or _core.SharedPool is None:
        how = "mpiexec -n 3 python -m mpi4py.futures -m gilgrid run --executor mpi"
        raise MistakesError([f"--executor mpi: no other rank is there; start it so: {how}"])
    executor = MPIPoolExecutor()

    def cancel() -> None:
        # A rank ends what it does; what it was to do next is not done.
        executor.shutdown(wait=False, cancel_futures=True)

    try:
        yield Opened(
            executor=executor, cpus=cpus or executor.num_workers, cancel=cancel, kit=kit, can_lend=False
        )
    finally:
        executor.shutdown(cancel_futures=True)
