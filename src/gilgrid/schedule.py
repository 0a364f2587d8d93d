"""Tasks on an executor, most valuable first, within a budget of CPUs."""

from __future__ import annotations

import queue
import signal
import threading
import time
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from gilgrid.errors import GilgridError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Executor, Future
    from types import FrameType


class Work(Protocol):
    """What a task runs. It may say that it is parked: alive, and using no CPU."""

    def __call__(self, *, on_quiet: Callable[[bool], None] | None) -> Any:
        """Do it, and return or raise what the task ends with."""


@dataclass(eq=False, kw_only=True)
class Task:
    """One thing to do; ``then`` gets its future in the thread that runs the schedule."""

    name: str
    kind: str
    work: Work
    then: Callable[[Future[Any]], None]
    cpus: int
    value: tuple[int, ...]
    """Smaller is sooner."""
    is_short: bool = False
    """May fill a gap in front of a task that waits for more CPUs."""


@dataclass(kw_only=True)
class Schedule:
    """Runs tasks until none is left; a task's ``then`` may add others.

    A task that waits for more CPUs than are free is overtaken by short ones only, and only while a long one
    is in its way, or it might wait for ever.
    A parked task lends its CPUs to others until it works again.
    """

    executor: Executor
    cpus: int
    most_at_once: int
    can_lend: bool
    """Whether a task can say that it is parked, and its worker then takes another."""
    on_start: Callable[[Task], None] = lambda _task: None
    on_end: Callable[[Task], None] = lambda _task: None
    on_quiet: Callable[[bool], None] = lambda _is_quiet: None
    """Told when all that runs is parked and nothing else is to be started, and when that is over."""
    spent_s: dict[str, float] = field(default_factory=dict)
    """Seconds that tasks ran for, by kind: with several at once, more than the clock's."""
    _ready: list[Task] = field(default_factory=list)
    _running: dict[Future[Any], Task] = field(default_factory=dict)
    _taken: dict[Task, int] = field(default_factory=dict)
    _since: dict[Task, float] = field(default_factory=dict)
    _is_quiet: bool = False
    _events: queue.SimpleQueue[Callable[[], None]] = field(default_factory=queue.SimpleQueue)

    def add(self, task: Task) -> None:
        """Queue a task; all that it needs is done."""
        self._ready.append(task)

    def run(self) -> None:
        """Run until every task is done. An interrupt leaves what runs to the caller to cancel."""
        with self._interrupts_in_turn():
            while self._ready or self._running:
                self._start_what_fits()
                self._tell_if_quiet()
                self._events.get()()

    @contextmanager
    def _interrupts_in_turn(self) -> Iterator[None]:
        """Have an interrupt be an event like others: raised within a destructor, it would be lost.

        The next one does what it would do without this.
        """
        former: dict[int, Any] = {}

        def interrupt(number: int, frame: FrameType | None) -> None:
            handler = former[number]
            restore()
            self._events.put(partial(handler, number, frame))

        def restore() -> None:
            while former:
                signal.signal(*former.popitem())

        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                if callable(handler := signal.getsignal(number)):
                    former[number] = handler
                    signal.signal(number, interrupt)
        try:
            yield
        finally:
            restore()

    def _start_what_fits(self) -> None:
        self._ready.sort(key=lambda task: task.value)
        wanted = 0
        for task in list(self._ready):
            free = self.cpus - sum(self._taken.values())
            if free <= 0 or len(self._running) >= self.most_at_once:
                return
            if wanted and not (task.is_short and self._is_gap_in_front_of(wanted)):
                continue
            if min(task.cpus, self.cpus) > free:
                wanted = wanted or min(task.cpus, self.cpus)
                continue
            self._start(task)

    def _is_gap_in_front_of(self, wanted: int) -> bool:
        """Whether long tasks alone keep it waiting; short ones could, one after another, for ever."""
        taken_by_long = sum(cpus for task, cpus in self._taken.items() if not task.is_short)
        return self.cpus - taken_by_long < wanted

    def _start(self, task: Task) -> None:
        self._ready.remove(task)
        cpus = self._taken[task] = min(task.cpus, self.cpus)

        def on_quiet(is_quiet: bool) -> None:  # noqa: FBT001 - the guard's signature
            self._events.put(lambda: self._lend(task, 0 if is_quiet else cpus))

        self._since[task] = time.monotonic()
        self.on_start(task)
        try:
            future = self.executor.submit(task.work, on_quiet=on_quiet if self.can_lend else None)
        except BrokenExecutor as error:
            raise GilgridError(f"a worker was lost, and its executor takes no more: {error}") from error
        self._running[future] = task
        future.add_done_callback(lambda done: self._events.put(lambda: self._end(done)))

    def _lend(self, task: Task, cpus: int) -> None:
        if task in self._taken:
            self._taken[task] = cpus

    def _tell_if_quiet(self) -> None:
        is_quiet = bool(self._taken) and not any(self._taken.values())
        if is_quiet is not self._is_quiet:
            self._is_quiet = is_quiet
            self.on_quiet(is_quiet)

    def _end(self, future: Future[Any]) -> None:
        task = self._running.pop(future)
        del self._taken[task]
        spent_s = time.monotonic() - self._since.pop(task)
        self.spent_s[task.kind] = self.spent_s.get(task.kind, 0.0) + spent_s
        self.on_end(task)
        task.then(future)
