"""Tasks within a budget of CPUs: real threads, whose order events decide and no clock."""

from __future__ import annotations

import signal
import threading
from concurrent.futures import BrokenExecutor, Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from gilgrid.errors import GilgridError
from gilgrid.schedule import Schedule, Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE_S = 30.0


class Ledger:
    """Starts tasks and keeps what happened, in the order in which it did."""

    def __init__(self, cpus: int, *, most_at_once: int = 50, can_lend: bool = True) -> None:
        self.started: list[str] = []
        self.ended: list[str] = []
        self.log: list[str] = []
        self.most_cpus = 0
        self._running: dict[str, int] = {}
        self._executor = ThreadPoolExecutor(max_workers=50)
        self.schedule = Schedule(
            executor=self._executor,
            cpus=cpus,
            most_at_once=most_at_once,
            can_lend=can_lend,
            on_start=self._on_start,
            on_end=self._on_end,
        )

    def add(
        self,
        name: str,
        work: Callable[..., Any] | None = None,
        *,
        cpus: int = 1,
        value: tuple[int, ...] = (0,),
        is_short: bool = False,
        then: Callable[[Future[Any]], None] = lambda _future: None,
    ) -> None:
        def nothing(*, on_quiet: Callable[[bool], None] | None) -> None:
            del on_quiet

        self.schedule.add(
            Task(
                name=name,
                kind="probe",
                work=work or nothing,
                then=then,
                cpus=cpus,
                value=value,
                is_short=is_short,
            )
        )

    def run(self) -> None:
        self.schedule.run()
        self._executor.shutdown()

    def _on_start(self, task: Task) -> None:
        self.started.append(task.name)
        self.log.append(f"{task.name} started")
        self._running[task.name] = min(task.cpus, self.schedule.cpus)
        self.most_cpus = max(self.most_cpus, sum(self._running.values()))

    def _on_end(self, task: Task) -> None:
        self.ended.append(task.name)
        self.log.append(f"{task.name} ended")
        del self._running[task.name]


def waits_for(event: threading.Event) -> Callable[..., None]:
    def work(*, on_quiet: Callable[[bool], None] | None) -> None:
        del on_quiet
        assert event.wait(PATIENCE_S)

    return work


def sets(event: threading.Event) -> Callable[[Future[Any]], None]:
    return lambda _future: event.set()


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


@pytest.mark.parametrize("cpus", [1, 2, 3, 4])
def test_the_budget_is_never_exceeded(cpus: int) -> None:
    ledger = Ledger(cpus)
    for n in range(40):
        ledger.add(f"{n}", cpus=n % 3 + 1, is_short=n % 2 == 0)

    ledger.run()

    assert sorted(ledger.ended, key=int) == [f"{n}" for n in range(40)]
    assert ledger.most_cpus <= cpus


def test_the_most_valuable_comes_first() -> None:
    ledger = Ledger(1)
    for name, value in [("c", (2, 0)), ("a", (0, 1)), ("b", (1, 0)), ("first", (0, 0))]:
        ledger.add(name, value=value)

    ledger.run()

    assert ledger.started == ["first", "a", "b", "c"]


def test_no_more_run_at_once_than_was_said() -> None:
    ledger = Ledger(8, most_at_once=1)
    for name in "abc":
        ledger.add(name)

    ledger.run()

    assert ledger.most_cpus == 1


def test_a_task_of_more_cpus_than_there_are_takes_all() -> None:
    ledger = Ledger(2)
    ledger.add("wide", cpus=64)

    ledger.run()

    assert ledger.ended == ["wide"]


def test_a_parked_task_lends_its_cpus(gate: threading.Event) -> None:
    def parks(*, on_quiet: Callable[[bool], None] | None) -> None:
        assert on_quiet
        on_quiet(True)  # noqa: FBT003 - the guard's signature
        assert gate.wait(PATIENCE_S)

    ledger = Ledger(1)
    ledger.add("parked", parks, value=(0,))
    ledger.add("other", value=(1,), then=sets(gate))

    ledger.run()

    assert ledger.ended == ["other", "parked"]


def test_a_task_that_works_again_takes_its_cpus_back(gate: threading.Event) -> None:
    ledger = Ledger(1)

    def parks_and_works(*, on_quiet: Callable[[bool], None] | None) -> None:
        assert on_quiet
        on_quiet(True)  # noqa: FBT003 - as above
        assert gate.wait(PATIENCE_S)
        on_quiet(False)  # noqa: FBT003 - as above
        # Behind the news that it works again, as the schedule hears of things in their order.
        ledger.schedule._events.put(lambda: ledger.add("late", value=(2,)))  # noqa: SLF001 - as above

    ledger.add("lender", parks_and_works, value=(0,))
    ledger.add("borrower", value=(1,), then=sets(gate))

    ledger.run()

    assert ledger.log[-3:] == ["lender ended", "late started", "late ended"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_within_a_destructor_is_not_lost(number: signal.Signals) -> None:
    class Interrupted:
        def __del__(self) -> None:
            signal.raise_signal(number)

    def drop_one(_: Future[Any]) -> None:
        Interrupted()

    ledger = Ledger(1)
    ledger.add("one", then=drop_one)
    ledger.add("other")
    former = signal.signal(number, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            ledger.run()
        assert signal.getsignal(number) is signal.default_int_handler
    finally:
        signal.signal(number, former)


def test_it_is_told_when_all_is_parked_and_nothing_is_left_to_start(gate: threading.Event) -> None:
    told: list[bool] = []

    def hear(is_quiet: bool) -> None:  # noqa: FBT001 - as above
        told.append(is_quiet)
        gate.set()

    def parks_and_works(*, on_quiet: Callable[[bool], None] | None) -> None:
        assert on_quiet
        on_quiet(True)  # noqa: FBT003 - as above
        assert gate.wait(PATIENCE_S)
        on_quiet(False)  # noqa: FBT003 - as above

    ledger = Ledger(1)
    ledger.schedule.on_quiet = hear
    ledger.add("parked", parks_and_works, value=(0,))
    ledger.add("other", value=(1,))

    ledger.run()

    assert told == [True, False]
    assert ledger.ended == ["other", "parked"]


def test_without_lending_a_task_is_not_asked_whether_it_is_parked() -> None:
    asked: list[object] = []

    def work(*, on_quiet: Callable[[bool], None] | None) -> None:
        asked.append(on_quiet)

    ledger = Ledger(1, can_lend=False)
    ledger.add("remote", work)

    ledger.run()

    assert asked == [None]


def test_a_short_task_fills_the_gap_in_front_of_a_wide_one(gate: threading.Event) -> None:
    ledger = Ledger(2)
    ledger.add("long", waits_for(gate), value=(0,))
    ledger.add("wide", cpus=2, value=(1,))
    ledger.add("short", value=(2,), is_short=True, then=sets(gate))

    ledger.run()

    assert ledger.started == ["long", "short", "wide"]


def test_a_long_task_fills_no_gap(gate: threading.Event) -> None:
    ledger = Ledger(2)
    ledger.add("long", waits_for(gate), value=(0,))
    ledger.add("wide", cpus=2, value=(1,))
    ledger.add("other long", value=(2,))
    ledger.add("short", value=(3,), is_short=True, then=sets(gate))

    ledger.run()

    assert ledger.started == ["long", "short", "wide", "other long"]


def test_short_tasks_do_not_starve_a_wide_one() -> None:
    ledger = Ledger(2)
    gates = [threading.Event() for _ in range(6)]

    def next_one(n: int) -> Callable[[Future[Any]], None]:
        # Each short task adds the next before it ends, so that one of them runs at any time.
        def then(_future: Future[Any]) -> None:
            gates[n + 1].set()
            if n + 2 < len(gates):
                add(n + 2)

        return then

    def add(n: int) -> None:
        then = next_one(n) if n + 1 < len(gates) else sets(gates[n])
        ledger.add(f"short {n}", waits_for(gates[n]), value=(2, n), is_short=True, then=then)

    ledger.add("short 0", waits_for(gates[0]), value=(0,), is_short=True, then=next_one(0))
    ledger.add("wide", cpus=2, value=(1,))
    add(1)
    gates[0].set()
    ledger.run()

    assert ledger.started[:2] == ["short 0", "wide"]


def test_what_work_raises_reaches_then() -> None:
    errors: list[BaseException | None] = []

    def fails(*, on_quiet: Callable[[bool], None] | None) -> None:
        del on_quiet
        raise ValueError("no")

    ledger = Ledger(1)
    ledger.add("fails", fails, then=lambda future: errors.append(future.exception()))
    ledger.add("goes on", value=(1,))

    ledger.run()

    assert [str(error) for error in errors] == ["no"]
    assert ledger.ended == ["fails", "goes on"]


def test_then_may_add_tasks() -> None:
    ledger = Ledger(1)
    ledger.add("first", then=lambda _future: ledger.add("second"))

    ledger.run()

    assert ledger.ended == ["first", "second"]


def test_time_is_counted_by_kind() -> None:
    ledger = Ledger(1)
    ledger.add("a")

    ledger.run()

    assert list(ledger.schedule.spent_s) == ["probe"]


def test_an_executor_that_lost_its_workers_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*_arguments: object, **_options: object) -> None:
        raise BrokenExecutor("terminated abruptly")

    monkeypatch.setattr(ThreadPoolExecutor, "submit", lost)
    ledger = Ledger(1)
    ledger.add("a")

    with pytest.raises(GilgridError, match=r"^a worker was lost, .* terminated abruptly$"):
        ledger.run()
