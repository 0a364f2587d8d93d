"""What was proven, as evidence for people."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from gilgrid.evidence import Cause, Evidence, Frame
from gilgrid.guard.proof.explain import at_the_deadline, explain
from gilgrid.guard.proof.waits import Kind
from tests.unit.pictures.drawn import (
    BARRIER,
    GOMP,
    LIBC,
    LOCK,
    PYTHON,
    RUNS,
    SERVES,
    SLEEPS,
    child,
    gil,
    joins,
    mutex,
    picture,
    process,
    stack,
    the_dead,
)

if TYPE_CHECKING:
    from gilgrid.guard.proof.picture import Picture
    from gilgrid.guard.proof.stack import Stack

MAIN = ("main", "/project/main.py")


def explained(drawn: Picture, stacks: dict[int, Stack] | None = None, **facts: Any) -> Evidence:
    found = frozenset(the_dead(drawn, stacks))
    return explain(drawn, found, stacks or {}, **{"detected_after": 0.4, "not_permitted": "", **facts})


def tids(evidence: Evidence) -> list[int]:
    return [waiter.tid for waiter in evidence.threads]


def native(*frames: str) -> list[str]:
    """What is left of these frames, as `function@library`."""
    drawn = picture(process(100, LOCK))
    (waiter,) = explained(drawn, {100: stack(*frames)}).threads
    return [f"{frame.function}@{frame.library}" for frame in waiter.native]


# ---- The cycle ----


def test_the_holder_of_the_gil_comes_first_though_the_main_thread_waits_for_it() -> None:
    evidence = explained(picture(process(100, gil(101), joins(102), gil(101))))
    assert evidence.cycle == (101, 102)
    assert tids(evidence) == [101, 102, 100]
    assert evidence.cause == Cause.GIL_VS_JOIN


def test_without_a_gil_the_main_thread_comes_first() -> None:
    assert explained(picture(process(100, mutex(102), mutex(102), mutex(100)))).cycle == (100, 102)


def test_threads_that_only_wait_for_the_cycle_are_counted() -> None:
    evidence = explained(picture(process(100, joins(101), gil(100), gil(100), gil(100))))
    assert tids(evidence) == [100, 101]
    assert evidence.others == 2


def test_main_threads_that_wait_for_the_cycle_are_shown() -> None:
    drawn = picture(process(100, child(200)), process(200, mutex(201), mutex(200), joins(200), parent=100))
    evidence = explained(drawn)
    assert evidence.cycle == (200, 201)
    assert tids(evidence) == [200, 201, 100]
    assert evidence.others == 1


def test_a_thread_that_only_waits_for_work_is_not_what_holds_the_others() -> None:
    drawn = picture(process(100, LOCK, LOCK, LOCK))
    stacks = {100: stack(python=(MAIN,)), 101: stack("pool@a.so"), 102: stack(python=(MAIN,))}
    assert explained(drawn, stacks).cycle == (100, 102)
    assert explained(drawn, {**stacks, 101: stack(python=(MAIN,))}).cycle == (100, 101)
    assert explained(drawn, {tid: stacks[tid] for tid in (100, 102)}).cycle == (100, 101)


def test_of_many_threads_twelve_are_shown_and_the_others_counted() -> None:
    owners = [mutex(100 + (index + 1) % 15) for index in range(15)]
    evidence = explained(picture(process(100, *owners)))
    assert len(evidence.cycle) == 15
    assert tids(evidence) == list(range(100, 112))
    assert evidence.others == 3


def test_what_was_proven_without_stacks_is_not_told_with_stacks_that_show_less() -> None:
    # Taking stacks takes time: here the worker had left its region when it was seen.
    drawn = picture(process(100, BARRIER, gil(100)))
    found = frozenset(the_dead(drawn))
    late = {100: stack(f"@{GOMP}", "solve@kernel.so"), 101: stack("f@a.so")}
    evidence = explain(drawn, found, late, detected_after=0.4, not_permitted="")
    assert (evidence.cycle, evidence.cause) == ((100, 101), Cause.GIL_VS_OPENMP_BARRIER)


# ---- Each thread ----


def test_a_thread_is_told_with_its_wait_and_who_could_release_it() -> None:
    drawn = picture(process(100, joins(101), gil(100), name="python3.12"))
    holder, waiter = explained(drawn, {100: stack("solve@kernel.so", python=(MAIN,))}).threads
    assert (holder.pid, holder.tid, holder.process) == (100, 100, "python3.12")
    assert (holder.is_main, holder.holds_gil, holder.dead) == (True, True, True)
    assert (waiter.is_main, waiter.holds_gil, waiter.dead) == (False, False, True)
    assert (holder.waits_for, waiter.waits_for) == (Kind.JOIN.value, Kind.GIL.value)
    assert (holder.released_by, waiter.released_by) == ((101,), (100,))
    assert holder.python == (Frame(function="main", file="/project/main.py", line=1),)
    assert waiter.python == waiter.native == ()


def test_at_most_twelve_who_could_release_a_thread_are_named_lowest_first() -> None:
    first, *_ = explained(picture(process(100, *[LOCK] * 20))).threads
    assert first.released_by == tuple(range(101, 113))


def test_at_most_eight_frames_of_each_kind_are_shown() -> None:
    frames = stack(*[f"f{n}@a.so" for n in range(20)], python=tuple((f"p{n}", "a.py") for n in range(20)))
    (waiter,) = explained(picture(process(100, LOCK)), {100: frames}).threads
    assert [frame.function for frame in waiter.native] == [f"f{n}" for n in range(8)]
    assert [frame.function for frame in waiter.python] == [f"p{n}" for n in range(8)]


@pytest.mark.parametrize("library", [LIBC, "/usr/lib/ld-linux-x86-64.so.2", "/usr/lib/libpthread.so.0"])
def test_frames_of_libc_tell_only_what_is_waited_for(library: str) -> None:
    tells = [
        f"{name}@{library}" for name in ("pthread_cond_wait", "dlopen", "sem_wait", "__cxa_guard_acquire")
    ]
    assert native(f"futex_wait@{library}", *tells, f"__clone3@{library}") == tells


@pytest.mark.parametrize("library", [PYTHON, "/usr/bin/python3.11", "/usr/bin/python3", "/usr/bin/python"])
def test_frames_of_the_interpreter_tell_only_the_ways_into_its_locks(library: str) -> None:
    names = ("take_gil.constprop.0", "PyGILState_Ensure", "PyEval_RestoreThread", "_PyMutex_Lock")
    more = ("PyEval_AcquireThread", "PyThread_acquire_lock_timed", "Py_FinalizeEx", "PyImport_ImportModule")
    tells = [f"{name}@{library}" for name in (*names, *more)]
    assert native(f"_PyEval_EvalFrameDefault@{library}", *tells, f"PyObject_Call@{library}") == tells


def test_a_program_that_is_called_like_python_is_its_own() -> None:
    assert native("f@/usr/lib/pythonic.so") == ["f@/usr/lib/pythonic.so"]


def test_frames_without_a_name_are_told_once_a_library() -> None:
    frames = [f"@{GOMP}", f"@{GOMP}", "solve@a.so", f"@{GOMP}", "@b.so"]
    assert native(*frames) == [f"@{GOMP}", "solve@a.so", f"@{GOMP}", "@b.so"]


def test_seconds_are_rounded_and_what_was_not_permitted_is_told() -> None:
    drawn = picture(process(100, LOCK))
    evidence = explained(drawn, detected_after=0.123456, not_permitted="ptrace")
    assert (evidence.detected_after, evidence.not_permitted) == (0.123, "ptrace")


# ---- At the deadline ----


def at_end(drawn: Picture, *busy: int) -> Evidence:
    return at_the_deadline(drawn, {}, busy, not_permitted="ptrace")


def test_at_the_deadline_who_spins_comes_first_then_the_main_threads() -> None:
    drawn = picture(process(100, SLEEPS, LOCK, RUNS), process(200, SERVES, RUNS, parent=100))
    evidence = at_end(drawn, 102, 201)
    assert tids(evidence) == [102, 201, 100, 200]
    assert evidence.cause == Cause.SPINNING
    assert evidence.detected_after is None
    assert evidence.cycle == ()
    assert evidence.not_permitted == "ptrace"
    assert not any(waiter.dead for waiter in evidence.threads)


def test_at_the_deadline_nobody_spins_of_whom_it_was_not_seen() -> None:
    drawn = picture(process(100, RUNS))
    assert at_end(drawn).cause is None
    assert at_end(drawn, 999).cause is None


def test_at_the_deadline_twelve_threads_are_shown() -> None:
    drawn = picture(process(100, *[RUNS] * 20))
    evidence = at_end(drawn, *range(100, 120))
    assert tids(evidence) == list(range(100, 112))
    assert evidence.others == 8


def test_at_the_deadline_who_is_not_shown_is_counted() -> None:
    evidence = at_end(picture(process(100, SLEEPS, LOCK, LOCK)))
    assert tids(evidence) == [100]
    assert evidence.others == 2


def test_a_stopped_thread_is_told_to_be_stopped() -> None:
    stopped = process(100, LOCK)
    threads = tuple(replace(thread, stopped=True) for thread in stopped.threads)
    (waiter,) = at_end(picture(replace(stopped, threads=threads))).threads
    assert waiter.waits_for == Kind.STOPPED.value
