"""The proof of real processes, recorded with several Pythons: who is dead, why, and who holds whom.

The command's main thread is 100 and its other threads are 101 and so on; its children are 200, 300.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from gilgrid.evidence import Cause, Evidence
from gilgrid.guard.proof.explain import explain
from gilgrid.guard.proof.fixed_point import dead, is_deadlock
from gilgrid.guard.proof.waits import waits
from tests.unit.pictures.recorded import load, names


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What must be said of a recorded deadlock."""

    cause: Cause
    cycle: tuple[int, ...] = (100, 101)
    dead: frozenset[int] = frozenset({100, 101})
    needs_stacks: bool = False
    """Whether its threads run, so that /proc alone proves nothing."""


DEADLOCKS = {
    "openmp-barrier-gnu-3.8": Expected(cause=Cause.GIL_VS_OPENMP_BARRIER),
    "openmp-barrier-gnu-stripped": Expected(
        cause=Cause.GIL_VS_OPENMP_BARRIER, dead=frozenset({100, 101, 102, 103})
    ),
    "openmp-barrier-llvm-3.12": Expected(cause=Cause.GIL_VS_OPENMP_BARRIER, dead=frozenset({100, 101, 102})),
    "openmp-barrier-gnu-active-3.11": Expected(cause=Cause.GIL_VS_OPENMP_BARRIER, needs_stacks=True),
    "openmp-barrier-llvm-active-3.13": Expected(
        cause=Cause.GIL_VS_OPENMP_BARRIER, dead=frozenset({100, 101, 102}), needs_stacks=True
    ),
    "openmp-after-fork-3.10": Expected(
        cause=Cause.OPENMP_AFTER_FORK, cycle=(200,), dead=frozenset({100, 101, 102, 103, 200})
    ),
    "native-join-3.9": Expected(cause=Cause.GIL_VS_JOIN),
    "native-mutex-3.8": Expected(cause=Cause.GIL_VS_MUTEX),
    "native-condition-3.10": Expected(cause=Cause.GIL_VS_CONDITION),
    "native-static-init-3.12": Expected(cause=Cause.GIL_VS_STATIC_INIT),
    "native-call-once-3.13": Expected(cause=Cause.GIL_VS_CALL_ONCE),
    "native-loader-3.11": Expected(cause=Cause.GIL_VS_LOADER_LOCK),
    "native-second-state-3.9": Expected(cause=Cause.GIL_HELD_BY_WAITER, cycle=(100,), dead=frozenset({100})),
    "python-lock-order-3.13": Expected(
        cause=Cause.LOCK_ORDER, cycle=(101, 102), dead=frozenset({100, 101, 102})
    ),
    "python-import-lock-3.10": Expected(cause=Cause.IMPORT_LOCK, cycle=(101, 100)),
    "python-queue-join-3.11": Expected(cause=Cause.QUEUE_JOIN),
    "python-thread-left-at-exit-stripped": Expected(cause=Cause.JOIN_AT_SHUTDOWN),
    "python-lock-lost-in-fork-3.11": Expected(
        cause=Cause.FORK_LOST_LOCK, cycle=(200,), dead=frozenset({100, 101, 200})
    ),
    "processes-full-pipe-3.8": Expected(cause=Cause.FULL_PIPE, cycle=(200, 100), dead=frozenset({100, 200})),
    "processes-pipes-3.9": Expected(cause=Cause.PIPE_CYCLE, cycle=(100, 200), dead=frozenset({100, 200})),
    "processes-socket-pair-3.12": Expected(
        cause=Cause.PIPE_CYCLE, cycle=(100, 200), dead=frozenset({100, 200})
    ),
    "processes-queue-joined-before-it-is-read-3.10": Expected(
        cause=Cause.QUEUE_JOIN, cycle=(201, 100), dead=frozenset({100, 200, 201})
    ),
    "processes-subprocess-run-3.13": Expected(
        cause=Cause.SELF_DEADLOCK, cycle=(200,), dead=frozenset({100, 200})
    ),
}
LIVE = {
    "native-posted-by-signal-3.9": "the only thread waits on a semaphore that a handler posts",
    "native-sleep-held-3.11": "C sleeps with the GIL",
    "openmp-uneven-sleeps-3.12": "the GIL holder at a barrier to which a worker comes late",
    "openmp-uneven-sleeps-active-3.11": "the same, and those at the barrier spin",
    "openmp-idle-pool-3.10": "an idle pool beside C that computes with the GIL",
    "work-four-threads-3.13": "four threads that want the GIL all the time",
    "servers-selectors-server-3.8": "a server in epoll",
    "waits-event-by-timer-3.11": "an event that a timer ends",
    "native-mutex-lost-in-fork-3.12": "a child hangs, and a thread of its parent sleeps who could end it",
    "waits-thread-gives-up-on-child-3.12": "a thread of the parent ends the child that hangs",
}


def explained(name: str) -> Evidence:
    picture, stacks = load(name)
    found = dead(waits(picture, {})) | dead(waits(picture, stacks))
    return explain(picture, found, stacks, detected_after=0.4, not_permitted="")


def test_every_recorded_picture_is_judged_here() -> None:
    assert names() == DEADLOCKS.keys() | LIVE.keys()


@pytest.mark.parametrize("name", DEADLOCKS)
def test_a_recorded_deadlock_is_proven(name: str) -> None:
    picture, stacks = load(name)
    told = waits(picture, stacks)
    assert dead(told) == DEADLOCKS[name].dead
    assert is_deadlock(picture, told, dead(told))


@pytest.mark.parametrize("name", DEADLOCKS)
def test_a_recorded_deadlock_is_proven_without_stacks_unless_its_threads_run(name: str) -> None:
    picture, _ = load(name)
    plain = waits(picture, {})
    assert is_deadlock(picture, plain, dead(plain)) != DEADLOCKS[name].needs_stacks


@pytest.mark.parametrize("name", DEADLOCKS)
def test_a_recorded_deadlock_has_its_cause_and_its_cycle(name: str) -> None:
    evidence = explained(name)
    assert (evidence.cause, evidence.cycle) == (DEADLOCKS[name].cause, DEADLOCKS[name].cycle)
    assert len(evidence.threads) + evidence.others == len(DEADLOCKS[name].dead)


@pytest.mark.parametrize("name", LIVE)
def test_what_lives_is_left_alone(name: str) -> None:
    picture, stacks = load(name)
    for told in (waits(picture, {}), waits(picture, stacks)):
        assert not is_deadlock(picture, told, dead(told))


@pytest.mark.parametrize("name", [name for name in DEADLOCKS if name.startswith(("openmp-b", "native"))])
def test_the_holder_of_the_gil_comes_first(name: str) -> None:
    first, *_ = explained(name).threads
    assert first.holds_gil or first.is_main


def test_of_a_stripped_runtime_the_file_tells_enough() -> None:
    holder, worker, *_ = explained("openmp-barrier-gnu-stripped").threads
    assert holder.native[0].library.startswith("/usr/lib/libgomp.so.1")
    assert {frame.function for frame in worker.native} >= {"PyGILState_Ensure"}
