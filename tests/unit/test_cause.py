"""Why threads that hold each other do: a cause where the evidence shows one, and none where it does not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from gilgrid.evidence import Cause
from gilgrid.guard.proof.cause import cause, members
from gilgrid.guard.proof.picture import Call, Futex
from gilgrid.guard.proof.waits import waits
from tests.unit.pictures.drawn import (
    ANY_CHILD,
    BARRIER,
    GOMP,
    LIBC,
    LOCK,
    SERVES,
    child,
    gil,
    joins,
    mutex,
    picture,
    process,
    read_end,
    reads,
    shared,
    socket,
    stack,
    write_end,
    writes,
)

if TYPE_CHECKING:
    from gilgrid.guard.proof.picture import Picture
    from gilgrid.guard.proof.stack import Stack

STDLIB = "/usr/lib/python3.12/"
THREADING, QUEUE = f"{STDLIB}threading.py", f"{STDLIB}queue.py"
MP_QUEUES, MP_SYNC = f"{STDLIB}multiprocessing/queues.py", f"{STDLIB}multiprocessing/synchronize.py"
BOOTSTRAP = "<frozen importlib._bootstrap>"
MAIN = ("main", "/project/main.py")
LOST_LOCK = Call(name="futex", futex=Futex(expected=2, word=2, is_mutex=True), library=LIBC)


def python(*frames: tuple[str, str]) -> Stack:
    return stack(python=(*frames, MAIN))


LOCKS = python(("acquire", "/project/main.py"))


def the_cause(drawn: Picture, *tids: int, stacks: dict[int, Stack] | None = None) -> Cause | None:
    """The cause of a cycle of these threads."""
    told = waits(drawn, stacks or {})
    team = members(drawn, told, stacks or {}, tids)
    return cause(drawn, tuple(team[tid] for tid in tids))


def test_without_a_cycle_there_is_no_cause() -> None:
    assert the_cause(picture(process(100, LOCK))) is None


# ---- With the GIL ----


@pytest.mark.parametrize(
    ("holder", "expected"),
    [
        (BARRIER, Cause.GIL_VS_OPENMP_BARRIER),
        (joins(101), Cause.GIL_VS_JOIN),
        (mutex(101), Cause.GIL_VS_MUTEX),
        (LOST_LOCK, Cause.GIL_VS_MUTEX),
        (LOCK, None),
        (shared("00:01:7"), None),
        (child(200), None),
    ],
)
def test_what_the_holder_of_the_gil_waits_for_is_the_cause_as_far_as_no_stack_is_needed(
    holder: Call, expected: Cause | None
) -> None:
    drawn = picture(process(100, holder, gil(100)), process(200, LOCK, parent=100))
    assert the_cause(drawn, 100, 101) == expected
    assert the_cause(drawn, 101, 100) == expected


def test_the_holder_is_the_next_of_the_cycle_wherever_it_begins() -> None:
    drawn = picture(process(100, joins(101), mutex(102), gil(100)))
    for cycle in ((100, 101, 102), (101, 102, 100), (102, 100, 101)):
        assert the_cause(drawn, *cycle) == Cause.GIL_VS_JOIN


def test_a_thread_that_waits_for_the_gil_it_holds() -> None:
    assert the_cause(picture(process(100, gil(100))), 100) == Cause.GIL_HELD_BY_WAITER


def test_a_lock_of_openmp_s_is_of_openmp() -> None:
    drawn = picture(process(100, replace(mutex(101), library=GOMP), gil(100)))
    assert the_cause(drawn, 100, 101) == Cause.GIL_VS_OPENMP_BARRIER


@pytest.mark.parametrize(
    ("innermost", "expected"),
    [
        (f"__cxa_guard_acquire@{LIBC}", Cause.GIL_VS_STATIC_INIT),
        (f"__pthread_once_slow@{LIBC}", Cause.GIL_VS_CALL_ONCE),
    ],
)
def test_the_stack_tells_what_kind_of_initialiser(innermost: str, expected: Cause) -> None:
    drawn = picture(process(100, LOCK, gil(100)))
    stacks = {100: stack(innermost, "table()@a.so"), 101: stack("take_gil@python3", "table()@a.so")}
    assert the_cause(drawn, 100, 101, stacks=stacks) == expected


@pytest.mark.parametrize(
    "function", ["dlopen", "dlsym", "dlclose", "_dl_open", "_dl_init", "dl_iterate_phdr"]
)
@pytest.mark.parametrize("who", [100, 101])
def test_a_mutex_of_who_loads_a_library_is_the_loader_s(function: str, who: int) -> None:
    drawn = picture(process(100, mutex(101), gil(100)))
    assert the_cause(drawn, 100, 101, stacks={who: stack(f"{function}@{LIBC}")}) == Cause.GIL_VS_LOADER_LOCK


def test_who_loads_a_library_and_waits_for_something_else_waits_for_that() -> None:
    drawn = picture(process(100, joins(101), gil(100)))
    assert the_cause(drawn, 100, 101, stacks={100: stack(f"dlopen@{LIBC}")}) == Cause.GIL_VS_JOIN


# ---- Within a process ----

PAIR = picture(process(100, LOCK, LOCK))


def test_threads_that_wait_for_each_other_s_locks() -> None:
    assert the_cause(picture(process(100, mutex(101), mutex(100))), 100, 101) == Cause.LOCK_ORDER


def test_without_a_stack_it_is_not_known_whose_lock_a_thread_waits_for() -> None:
    assert the_cause(PAIR, 100, 101) is None
    assert the_cause(picture(process(100, mutex(101), LOCK)), 100, 101) is None


def test_a_join_by_its_call() -> None:
    assert the_cause(picture(process(100, joins(101), mutex(100))), 100, 101) == Cause.JOIN


@pytest.mark.parametrize("function", ["join", "_join", "Thread.join", "_wait_for_tstate_lock"])
def test_a_join_by_its_frame(function: str) -> None:
    assert the_cause(PAIR, 100, 101, stacks={100: python((function, THREADING))}) == Cause.JOIN


def test_a_function_of_the_program_that_is_called_join_is_no_join() -> None:
    stacks = {100: python(("join", "/project/main.py")), 101: python(("wait", "/project/main.py"))}
    assert the_cause(PAIR, 100, 101, stacks=stacks) == Cause.LOCK_ORDER


def test_only_the_innermost_frame_tells_what_a_thread_waits_for() -> None:
    stacks = {100: python(("own", "/project/main.py"), ("wait", THREADING), ("join", THREADING)), 101: LOCKS}
    assert the_cause(PAIR, 100, 101, stacks=stacks) == Cause.LOCK_ORDER


@pytest.mark.parametrize(
    ("function", "file"),
    [
        ("wait", THREADING),
        ("Condition.wait", THREADING),
        ("wait_for", THREADING),
        ("get", QUEUE),
        ("put", QUEUE),
        ("wait", MP_SYNC),
    ],
)
def test_who_waits_to_be_notified_by_a_thread_that_never_will(function: str, file: str) -> None:
    assert the_cause(PAIR, 100, 101, stacks={101: python((function, file))}) == Cause.LOST_WAKEUP


@pytest.mark.parametrize("function", ["acquire", "__enter__", "_ModuleLock.acquire"])
def test_an_import_lock(function: str) -> None:
    stacks = {101: python(("f", "a.py"), (function, BOOTSTRAP)), 100: python(("join", THREADING))}
    assert the_cause(PAIR, 100, 101, stacks=stacks) == Cause.IMPORT_LOCK


def test_who_only_imports_holds_no_import_lock_up() -> None:
    stacks = {100: python(("_load", BOOTSTRAP)), 101: LOCKS}
    assert the_cause(PAIR, 100, 101, stacks=stacks) == Cause.LOCK_ORDER


@pytest.mark.parametrize("file", [QUEUE, MP_QUEUES])
def test_a_queue_that_is_joined(file: str) -> None:
    stacks = {100: python(("wait", THREADING), ("join", file))}
    assert the_cause(PAIR, 100, 101, stacks=stacks) == Cause.QUEUE_JOIN
    assert the_cause(PAIR, 100, stacks=stacks) == Cause.QUEUE_JOIN


@pytest.mark.parametrize(
    "at_shutdown",
    [
        python(("join", THREADING), ("_shutdown", THREADING)),
        stack("wait_for_thread_shutdown@python3", python=(("join", THREADING),)),
        stack("Py_FinalizeEx@python3", python=(("join", THREADING),)),
        stack("_Py_Finalize@python3"),
    ],
)
def test_a_join_at_the_end_of_the_interpreter(at_shutdown: Stack) -> None:
    assert the_cause(PAIR, 100, 101, stacks={100: at_shutdown}) == Cause.JOIN_AT_SHUTDOWN


def test_one_process_that_holds_both_ends_of_its_pipe() -> None:
    ends = {3: read_end("pipe:[1]"), 4: write_end("pipe:[1]")}
    assert the_cause(picture(process(100, reads(3), files=ends)), 100) == Cause.PIPE_CYCLE
    assert the_cause(picture(process(100, writes(4), files=ends)), 100) == Cause.FULL_PIPE


def test_a_deadlock_of_no_known_kind_has_no_cause() -> None:
    drawn = picture(process(100, child(200), LOCK), process(200, LOCK, parent=100))
    assert the_cause(drawn, 100, 101) is None
    assert the_cause(drawn, 100) is None


# ---- Alone ----


def alone(call: Call, known: Stack | None = None, **facts: Any) -> Cause | None:
    return the_cause(picture(process(100, call, **facts)), 100, stacks={100: known} if known else None)


def test_a_mutex_that_its_owner_locks_again() -> None:
    assert alone(mutex(100)) == Cause.SELF_DEADLOCK


def test_a_lock_that_nobody_is_left_to_release() -> None:
    assert alone(LOCK, LOCKS) == Cause.SELF_DEADLOCK
    assert alone(LOST_LOCK) == Cause.LOST_WAKEUP
    assert alone(LOCK) is None  # it may be a condition


def test_a_thread_that_is_owner_of_its_mutex_has_locked_it_itself_in_a_fork_too() -> None:
    assert alone(mutex(100), is_fork=True) == Cause.SELF_DEADLOCK


@pytest.mark.parametrize(
    "known",
    [
        python(("wait", THREADING)),
        python(("join", THREADING)),
        python(("get", QUEUE)),
        stack(f"futex_wait@{LIBC}", f"pthread_cond_wait@{LIBC}", "main@a.so"),
        stack(f"futex_wait@{LIBC}", f"sem_wait@{LIBC}", "main@a.so"),
        stack(*[f"f@{LIBC}"] * 3, f"pthread_cond_wait@{LIBC}", "main@a.so"),
        stack("PyThread_acquire_lock_timed@python3", "_queue_SimpleQueue_get_impl@python3"),
    ],
)
def test_a_condition_that_nobody_is_left_to_fulfil(known: Stack) -> None:
    assert alone(LOCK, known) == Cause.LOST_WAKEUP


def test_a_lock_of_python_s_is_no_condition_though_it_is_made_of_one() -> None:
    native = (f"futex_wait@{LIBC}", f"sem_wait@{LIBC}", "PyThread_acquire_lock_timed@python3")
    assert alone(LOCK, stack(*native)) == Cause.SELF_DEADLOCK


def test_a_condition_far_out_on_the_stack_is_not_what_is_waited_for() -> None:
    assert alone(LOCK, stack(*["f@a.so"] * 4, f"pthread_cond_wait@{LIBC}")) == Cause.SELF_DEADLOCK


# ---- After a fork ----


def forked(call: Call, *, of: Picture | None = None, **facts: Any) -> Picture:
    parent = (of or picture(process(100, child(200), LOCK))).processes[100]
    return picture(parent, process(200, call, parent=100, **{"is_fork": True, **facts}))


SINGLE = picture(process(100, child(200)))


def test_a_lock_that_a_thread_held_which_the_fork_did_not_take_along() -> None:
    known = {200: LOCKS}
    assert the_cause(forked(LOCK), 200, stacks=known) == Cause.FORK_LOST_LOCK
    assert the_cause(forked(LOCK, of=SINGLE), 200, stacks=known) == Cause.SELF_DEADLOCK
    assert the_cause(forked(LOCK, of=SINGLE, had_threads=True), 200, stacks=known) == Cause.FORK_LOST_LOCK
    assert the_cause(forked(LOCK, is_fork=False), 200, stacks=known) == Cause.SELF_DEADLOCK
    assert the_cause(forked(LOCK), 200) is None  # it may be a condition


def test_a_mutex_whose_owner_is_not_here_was_lost_in_the_fork_whoever_is_left_in_the_parent() -> None:
    assert the_cause(forked(LOST_LOCK, of=SINGLE), 200) == Cause.FORK_LOST_LOCK
    assert the_cause(forked(LOST_LOCK, is_fork=False), 200) == Cause.LOST_WAKEUP


def test_the_fork_of_a_parent_that_is_not_seen() -> None:
    drawn = picture(process(200, LOCK, is_fork=True))
    assert the_cause(drawn, 200, stacks={200: LOCKS}) == Cause.SELF_DEADLOCK


def test_a_fork_that_has_threads_of_its_own_lost_nothing_alone() -> None:
    pair = process(200, LOCK, SERVES, parent=100, is_fork=True)
    drawn = picture(process(100, child(200), LOCK), pair)
    assert the_cause(drawn, 200, stacks={200: LOCKS}) == Cause.SELF_DEADLOCK


@pytest.mark.parametrize("call", [BARRIER, replace(LOST_LOCK, library=GOMP)])
def test_openmp_after_a_fork(call: Call) -> None:
    assert the_cause(forked(call), 200) == Cause.OPENMP_AFTER_FORK
    assert the_cause(forked(call, is_fork=False), 200) != Cause.OPENMP_AFTER_FORK


def test_one_in_openmp_is_enough_after_a_fork() -> None:
    pair = process(200, BARRIER, LOCK, parent=100, is_fork=True)
    assert the_cause(picture(process(100, child(200)), pair), 200, 201) == Cause.OPENMP_AFTER_FORK


# ---- Between processes ----


def between(first: Call, second: Call, *known: Stack) -> Cause | None:
    """The cause of a cycle of two processes, with the stacks that are known, of the last process first."""
    ends = {3: socket("socket:[1]", "socket:[2]"), 4: socket("socket:[2]", "socket:[1]")}
    drawn = picture(
        process(100, first, files=ends, mapped=frozenset({"00:01:7"})),
        process(200, second, parent=100, files=ends, mapped=frozenset({"00:01:7"})),
    )
    return the_cause(drawn, 100, 200, stacks=dict(zip((200, 100), known, strict=False)))


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (child(200), writes(4), Cause.FULL_PIPE),
        (reads(3), writes(4), Cause.FULL_PIPE),
        (reads(3), reads(4), Cause.PIPE_CYCLE),
        (ANY_CHILD, reads(4), Cause.PIPE_CYCLE),
    ],
)
def test_two_processes(first: Call, second: Call, expected: Cause | None) -> None:
    assert between(first, second) == expected


def test_a_parent_that_waits_for_a_child_that_waits_for_a_lock() -> None:
    assert between(child(200), shared("00:01:7"), LOCKS) == Cause.JOIN
    assert between(child(200), shared("00:01:7")) is None  # it may be a condition


def test_processes_that_wait_for_each_other_in_no_way_known_have_no_cause() -> None:
    drawn = picture(process(100, shared("00:01:7")), process(200, joins(201), shared("00:01:7"), parent=100))
    assert the_cause(drawn, 100, 200, 201) is None


@pytest.mark.parametrize("function", ["_feed", "Queue._feed", "_finalize_join", "join"])
def test_a_queue_between_processes(function: str) -> None:
    assert between(child(200), writes(4), python((function, MP_QUEUES))) == Cause.QUEUE_JOIN


def test_a_queue_that_is_only_read() -> None:
    assert between(child(200), reads(4), python(("get", MP_QUEUES))) == Cause.PIPE_CYCLE


def test_two_processes_that_wait_for_each_other_s_locks() -> None:
    locks = shared("00:01:7")
    assert between(locks, locks, LOCKS, LOCKS) == Cause.LOCK_ORDER
    assert between(locks, locks, LOCKS) is None  # the other may be a condition


# ---- What tells most ----


def cost(call: Call, known: Stack | None = None, *, is_main: bool = True) -> int:
    drawn = picture(process(100, call, call), process(200, LOCK, parent=100))
    tid = 100 if is_main else 101
    return members(drawn, waits(drawn, {}), {tid: known or stack()}, {tid})[tid].cost


def test_who_waits_for_a_lock_tells_more_than_who_is_to_be_notified_and_that_more_than_who_joins() -> None:
    notified, joining = python(("wait", THREADING)), python(("join", THREADING))
    assert cost(LOCK) < cost(LOCK, notified) < cost(LOCK, joining)


@pytest.mark.parametrize("call", [reads(3), writes(4)])
def test_who_waits_for_data_tells_as_much_as_who_is_to_be_notified(call: Call) -> None:
    ends = {3: read_end("pipe:[1]"), 4: write_end("pipe:[1]")}
    drawn = picture(process(100, call, files=ends))
    assert members(drawn, waits(drawn, {}), {}, {100})[100].cost == cost(LOCK, python(("wait", THREADING)))


@pytest.mark.parametrize("call", [LOCK, mutex(101), gil(101), BARRIER])
def test_who_waits_for_what_somebody_holds_tells_most(call: Call) -> None:
    assert cost(call) == cost(LOCK)


@pytest.mark.parametrize("call", [joins(101), child(200)])
def test_who_joins_by_its_call_tells_as_little_as_who_joins_in_python(call: Call) -> None:
    assert cost(call) == cost(LOCK, python(("join", THREADING)))


@pytest.mark.parametrize("function", ["poll", "Popen.poll"])
def test_a_process_is_joined_too(function: str) -> None:
    assert cost(LOCK, python((function, f"{STDLIB}multiprocessing/popen_fork.py"))) == cost(child(200))


def test_who_only_waits_for_work_tells_least() -> None:
    idle = stack(f"futex_wait@{LIBC}", "work@pool.so")
    assert cost(LOCK, idle, is_main=False) > cost(joins(101))
    assert cost(LOCK, idle, is_main=True) == cost(LOCK)
    assert cost(mutex(100), idle, is_main=False) == cost(LOCK)
    assert cost(LOCK, stack("work@pool.so", python=(MAIN,)), is_main=False) == cost(LOCK)
    assert cost(LOCK, stack(), is_main=False) == cost(LOCK), "of whose stack nothing is known"
