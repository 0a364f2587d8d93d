"""Of all that are dead, the few that hold each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gilgrid.guard.proof.cycle import cycle
from gilgrid.guard.proof.waits import Kind, Wait

if TYPE_CHECKING:
    from collections.abc import Mapping

PRECISE = (Kind.GIL, Kind.MUTEX, Kind.JOIN, Kind.BARRIER, Kind.INITIALISER, Kind.ONCE)


def told(kind: Kind, *released_by: int) -> Wait:
    return Wait(kind=kind, released_by=frozenset(released_by))


def found(waits: Mapping[int, Wait], *starts: int, costs: Mapping[int, int] | None = None) -> tuple[int, ...]:
    return cycle(waits, frozenset(waits), starts or sorted(waits), lambda tid: (costs or {}).get(tid, 1))


def test_two_hold_each_other_and_who_waits_for_them_does_not() -> None:
    waits = {1: told(Kind.GIL, 2), 2: told(Kind.JOIN, 3), 3: told(Kind.GIL, 2)}
    assert found(waits) == (2, 3)


def test_a_cycle_begins_with_the_first_of_the_starts_that_is_in_one() -> None:
    waits = {1: told(Kind.MUTEX, 2), 2: told(Kind.MUTEX, 1), 3: told(Kind.MUTEX, 4), 4: told(Kind.MUTEX, 3)}
    assert found(waits, 4, 1) == (4, 3)
    assert found(waits, 2, 4) == (2, 1)


def test_who_is_not_dead_is_no_start() -> None:
    waits = {1: told(Kind.MUTEX, 1), 2: told(Kind.MUTEX, 2)}
    assert cycle(waits, frozenset({2}), (1, 2), lambda _: 1) == (2,)


@pytest.mark.parametrize("released_by", [(), (1,), (1, 2)])
def test_who_only_itself_could_release_is_a_cycle_of_its_own(released_by: tuple[int, ...]) -> None:
    waits = {1: told(Kind.MUTEX, *released_by), 2: told(Kind.MUTEX, 1)}
    assert found(waits) == (1,)


def test_there_is_no_cycle_where_nobody_waits_in_one() -> None:
    waits = {1: told(Kind.JOIN, 2), 2: told(Kind.JOIN, 3), 3: told(Kind.RUNNING)}
    assert cycle(waits, frozenset({1, 2}), (1, 2), lambda _: 1) == ()
    assert cycle({}, frozenset(), (), lambda _: 1) == ()


@pytest.mark.parametrize("kind", PRECISE)
def test_a_longer_way_on_which_all_is_known_is_more_telling_than_a_guess(kind: Kind) -> None:
    waits = {1: told(kind, 2, 3), 2: told(Kind.LOCK, 1), 3: told(kind, 4), 4: told(kind, 1)}
    assert found(waits) == (1, 3, 4)


@pytest.mark.parametrize("kind", sorted(set(Kind) - set(PRECISE)))
def test_where_nothing_is_known_the_shortest_way_tells_most(kind: Kind) -> None:
    waits = {1: told(kind, 3, 4), 3: told(kind, 5), 4: told(kind, 1), 5: told(kind, 1)}
    assert found(waits) == (1, 4)


def test_who_tells_little_is_left_out_where_that_is_possible() -> None:
    waits = {1: told(Kind.LOCK, 2, 3), 2: told(Kind.LOCK, 1, 3), 3: told(Kind.LOCK, 1, 2)}
    assert found(waits) == (1, 2)
    assert found(waits, costs={2: 3}) == (1, 3)
    chain = {1: waits[1], 2: told(Kind.LOCK, 1), 3: told(Kind.LOCK, 2)}
    assert found(chain, costs={2: 30}) == (1, 2)


def test_a_way_through_one_who_tells_little_is_taken_if_the_other_is_longer_than_it_is_worth() -> None:
    waits = {1: told(Kind.GIL, 2, 3), 2: told(Kind.GIL, 1), 3: told(Kind.GIL, 4), 4: told(Kind.GIL, 1)}
    assert found(waits, costs={2: 2}) == (1, 2)
    assert found(waits, costs={2: 4}) == (1, 3, 4)


def test_the_living_are_in_no_cycle() -> None:
    waits = {
        1: told(Kind.BARRIER, 2, 3),
        2: told(Kind.GIL, 1),
        3: told(Kind.MUTEX, 1),
    }
    assert cycle(waits, frozenset({1, 3}), (1,), lambda _: 1) == (1, 3)


def test_of_cycles_that_tell_the_same_it_is_always_the_same_one() -> None:
    waits = {1: told(Kind.BARRIER, 3, 2, 4), **{tid: told(Kind.GIL, 1) for tid in (4, 3, 2)}}
    assert found(waits) == (1, 2)
