"""Who is dead: the greatest set that only itself could release; and when the command is lost with them."""

from __future__ import annotations

import random
import signal
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

import pytest

from gilgrid.guard.proof.fixed_point import dead, idle, is_deadlock, lost
from gilgrid.guard.proof.picture import Call, Channel, File
from gilgrid.guard.proof.waits import Kind, Wait, waits
from tests.unit.pictures.drawn import (
    ANY_CHILD,
    LOCK,
    RUNS,
    SERVES,
    SLEEPS,
    child,
    deadlocked,
    gil,
    joins,
    mutex,
    picture,
    process,
    read_end,
    reads,
    the_dead,
    write_end,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gilgrid.guard.proof.picture import Picture


def waiting(*released_by: int) -> Wait:
    return Wait(kind=Kind.LOCK, released_by=frozenset(released_by))


ALIVE_WAIT = Wait(kind=Kind.RUNNING)


# ---- The fixed point ----


def test_two_that_wait_for_each_other_are_dead() -> None:
    assert dead({1: waiting(2), 2: waiting(1)}) == {1, 2}


def test_who_waits_for_the_dead_is_dead() -> None:
    assert dead({1: waiting(1), 2: waiting(1), 3: waiting(2)}) == {1, 2, 3}


def test_one_that_is_alive_at_the_end_of_a_chain_keeps_all_alive() -> None:
    assert dead({1: waiting(2), 2: waiting(3), 3: waiting(4), 4: ALIVE_WAIT}) == set()


def test_one_of_many_that_could_release_is_enough_to_live() -> None:
    assert dead({1: waiting(2, 3), 2: waiting(1), 3: ALIVE_WAIT}) == set()


def test_who_is_released_by_somebody_unknown_is_alive() -> None:
    assert dead({1: waiting(1, 99)}) == set()


def interrupted(*signalled_by: int) -> Wait:
    return Wait(kind=Kind.LOCK, signalled_by=frozenset(signalled_by))


@pytest.mark.parametrize("kind", [Kind.RUNNING, Kind.TIMED, Kind.STOPPED])
def test_who_may_be_sent_a_signal_by_somebody_who_is_not_at_rest_is_alive(kind: Kind) -> None:
    assert dead({1: interrupted(2), 2: Wait(kind=kind)}) == set()
    assert dead({1: interrupted(2), 2: waiting(3), 3: Wait(kind=kind)}) == set()
    assert dead({1: interrupted(2), 2: interrupted(3), 3: Wait(kind=kind)}) == set()


@pytest.mark.parametrize("kind", [Kind.IDLE, Kind.HANDLER])
def test_who_only_waits_sends_no_signal(kind: Kind) -> None:
    assert dead({1: interrupted(2), 2: Wait(kind=kind)}) == {1}
    assert dead({1: interrupted(2), 2: waiting(3), 3: Wait(kind=kind)}) == {1}


def test_who_could_send_each_other_signals_is_dead() -> None:
    assert dead({1: interrupted(2), 2: interrupted(1)}) == {1, 2}


def test_who_nobody_can_release_is_dead() -> None:
    assert dead({1: waiting()}) == {1}


def random_waits(seed: int) -> dict[int, Wait]:
    chance = random.Random(seed)  # noqa: S311 - no secret
    tids = range(chance.randint(1, 8))
    everybody = [*tids, 99] if chance.random() < 0.1 else [*tids]

    def some(*counts: int) -> frozenset[int]:
        return frozenset(chance.sample(everybody, min(chance.choice(counts), len(tids))))

    return {
        tid: Wait(
            kind=chance.choice(
                [Kind.RUNNING, Kind.TIMED, Kind.OUTSIDE, Kind.IDLE, *[Kind.GIL, Kind.LOCK] * 6]
            ),
            released_by=some(0, 1, 1, 2, 3),
            signalled_by=some(0, 0, 0, 1, 2),
        )
        for tid in tids
    }


def could_all_be_idle(told: Mapping[int, Wait], some: frozenset[int]) -> bool:
    """Whether none of them has a time limit, and none could be woken from outside the set."""
    active = (Kind.RUNNING, Kind.TIMED, Kind.STOPPED, Kind.OUTSIDE, Kind.ALARM)
    return all(
        told[tid].kind not in active and told[tid].released_by | told[tid].signalled_by <= some
        for tid in some
    )


def could_all_be_dead(told: Mapping[int, Wait], some: frozenset[int], silent: frozenset[int]) -> bool:
    """Whether none of them may go on by itself or could be released from outside the set."""
    return all(
        not told[tid].is_alive and told[tid].released_by <= some and told[tid].signalled_by <= silent
        for tid in some
    )


def subsets(tids: Mapping[int, Wait]) -> list[frozenset[int]]:
    sizes = range(len(tids) + 1)
    return [frozenset(some) for size in sizes for some in combinations(tids, size)]


def test_the_dead_are_the_union_of_all_sets_that_could_be_dead() -> None:
    sizes = set()
    for seed in range(500):
        told = random_waits(seed)
        silent = frozenset().union(*(some for some in subsets(told) if could_all_be_idle(told, some)))
        possible = [some for some in subsets(told) if could_all_be_dead(told, some, silent)]
        assert idle(told) == silent, seed
        assert dead(told) == frozenset().union(*possible), seed
        assert dead(told) in possible, seed
        sizes.add(len(dead(told)))
    assert sizes >= {0, 1, 2, 3, 4, 5}, "the graphs are too much alike"


def test_whoever_wakes_up_can_only_make_fewer_dead() -> None:
    for seed in range(200):
        told = random_waits(seed)
        for tid in told:
            assert dead({**told, tid: ALIVE_WAIT}) <= dead(told) - {tid}, seed


# ---- Who is lost ----


def lost_pids(drawn: Picture) -> list[int]:
    return [process.pid for process in lost(drawn, dead(waits(drawn, {})))]


def test_a_process_is_lost_with_its_main_thread() -> None:
    assert lost_pids(picture(process(100, LOCK))) == [100]


def test_a_process_is_lost_with_the_holder_of_a_gil_that_others_want() -> None:
    drawn = picture(process(100, SLEEPS, joins(102), gil(101)))
    assert the_dead(drawn) == {101, 102}
    assert lost_pids(drawn) == [100]


def test_a_process_is_not_lost_with_the_holder_of_another_one_s_gil() -> None:
    drawn = picture(process(100, SLEEPS), process(200, SLEEPS, joins(202), gil(201), parent=100))
    assert lost_pids(drawn) == [200]


def test_a_process_is_not_lost_with_some_thread_of_it() -> None:
    drawn = picture(process(100, SLEEPS, joins(102), joins(101)))
    assert the_dead(drawn) == {101, 102}
    assert lost_pids(drawn) == []
    assert not deadlocked(drawn)


# ---- Whether the command is lost ----

HANGS = process(200, LOCK, parent=100)


def test_a_command_whose_main_thread_is_dead_is_lost() -> None:
    assert deadlocked(picture(process(100, LOCK)))


def test_nothing_is_lost_where_nobody_is_dead() -> None:
    assert not deadlocked(picture(process(100, SERVES)))


def test_a_command_is_lost_that_waits_for_a_child_which_hangs() -> None:
    assert deadlocked(picture(process(100, child(200)), HANGS))


@pytest.mark.parametrize("call", [SERVES, Call(name="pause")])
def test_a_command_is_lost_that_only_waits_while_a_child_hangs(call: Call) -> None:
    assert deadlocked(picture(process(100, call, call), HANGS))


@pytest.mark.parametrize("call", [LOCK, joins(100), gil(100)])
def test_a_command_only_waits_whose_other_threads_wait_for_its_idle_ones(call: Call) -> None:
    assert deadlocked(picture(process(100, SERVES, call), HANGS))


def test_a_command_only_waits_that_waits_for_a_child_which_only_waits() -> None:
    serves = process(200, SERVES, parent=100)
    assert deadlocked(picture(process(100, child(200)), serves, process(300, LOCK, parent=200)))


@pytest.mark.parametrize("call", [RUNS, SLEEPS])
@pytest.mark.parametrize("main", [True, False])
def test_a_parent_that_works_or_gives_up_after_a_time_may_end_a_child_that_hangs(
    call: Call | None,
    main: bool,  # noqa: FBT001 - a parameter
) -> None:
    parent = process(100, call, LOCK) if main else process(100, SERVES, call)
    assert not deadlocked(picture(parent, HANGS))


@pytest.mark.parametrize(
    "facts",
    [
        {"has_timers": True},
        {"files": {3: File(channel=Channel.TIMER)}},
        {"handled": frozenset({signal.SIGALRM})},
        {"handled": frozenset({signal.SIGVTALRM})},
        {"handled": frozenset({signal.SIGPROF})},
    ],
)
def test_a_parent_with_a_timer_may_end_a_child_that_hangs(facts: dict[str, Any]) -> None:
    assert not deadlocked(picture(process(100, SERVES, **facts), HANGS))


def test_a_server_goes_on_without_a_child_that_hangs() -> None:
    listens = {3: File(channel=Channel.OTHER, identity="socket:[7]")}
    assert not deadlocked(picture(process(100, SERVES, files=listens), HANGS))
    assert deadlocked(picture(process(100, child(200), files=listens), HANGS))


def test_nothing_is_lost_where_somebody_is_missing() -> None:
    drawn = picture(process(100, LOCK))
    assert deadlocked(drawn)
    assert not deadlocked(replace(drawn, is_complete=False))
    assert lost(replace(drawn, is_complete=False), frozenset({100})) == []


def test_a_parent_whose_threads_wait_for_one_that_works_may_end_a_child_that_hangs() -> None:
    assert not deadlocked(picture(process(100, SERVES, joins(102), RUNS), HANGS))


def test_a_parent_that_waits_for_a_signal_only_waits() -> None:
    signalled = process(100, LOCK, handled=frozenset({signal.SIGUSR1}))
    assert deadlocked(picture(signalled, HANGS))


@pytest.mark.parametrize(("between", "is_lost"), [(child(300), True), (SLEEPS, False)])
def test_all_above_a_process_that_hangs_must_be_lost_or_idle(between: Call, *, is_lost: bool) -> None:
    drawn = picture(
        process(100, child(200)), process(200, between, parent=100), process(300, LOCK, parent=200)
    )
    assert deadlocked(drawn) == is_lost


def test_a_command_at_rest_is_not_lost_while_one_between_it_and_what_hangs_works() -> None:
    works = process(200, SLEEPS, parent=100)
    assert not deadlocked(picture(process(100, SERVES), works, process(300, LOCK, parent=200)))


@pytest.mark.parametrize(("root", "is_lost"), [(SERVES, True), (SLEEPS, False), (LOCK, True)])
def test_an_orphan_that_hangs_is_lost_where_the_command_only_waits(root: Call, *, is_lost: bool) -> None:
    assert deadlocked(picture(process(100, root), process(200, LOCK, parent=1))) == is_lost


def test_an_orphan_that_hangs_is_lost_where_the_command_has_ended() -> None:
    drawn = picture(process(100, SLEEPS), process(200, LOCK, parent=1))
    alone = type(drawn)(root=100, processes={200: drawn.processes[200]})
    told = waits(alone, {})
    assert is_deadlock(alone, told, dead(told))


def test_a_child_that_lives_keeps_its_parent_alive_but_not_a_lost_command() -> None:
    assert not deadlocked(picture(process(100, ANY_CHILD), process(200, SLEEPS, parent=100)))
    assert deadlocked(picture(process(100, LOCK), process(200, SLEEPS, parent=100)))


def test_what_else_a_process_does_whose_main_thread_is_dead_does_not_help_it() -> None:
    hangs = process(200, mutex(201), mutex(200), SLEEPS, parent=100)
    assert deadlocked(picture(process(100, SERVES), hangs))


def test_one_process_that_is_lost_for_good_is_enough() -> None:
    works = process(200, SLEEPS, parent=100)
    assert deadlocked(picture(process(100, LOCK), works, process(300, LOCK, parent=200)))


@pytest.mark.parametrize("call", [child(200), reads(3)])
def test_another_thread_of_the_parent_may_end_a_child_that_hangs(call: Call) -> None:
    """`timer = Timer(60, process.kill); timer.start(); process.wait()`, or `process.communicate()`."""
    parent = process(100, call, SLEEPS, files={3: read_end("pipe:[1]")})
    hangs = process(200, LOCK, parent=100, files={1: write_end("pipe:[1]")})
    assert not deadlocked(picture(parent, hangs))


@pytest.mark.parametrize("call", [child(200), SERVES])
def test_a_process_beside_it_may_end_a_child_that_hangs(call: Call) -> None:
    """`watchdog = Popen("sleep 60; kill …")`; asyncio that waits for the first of two children."""
    beside = process(300, SLEEPS, parent=100)
    assert not deadlocked(picture(process(100, call), HANGS, beside))
