"""Two sides in turns: what is called different, and how seldom two equal ones are."""

from __future__ import annotations

import random

import pytest

from gilgrid.comparison import (
    Case,
    Outcome,
    Turn,
    Turns,
    chance,
    ended_otherwise,
    is_settled,
    noise,
    rounds_to_decide,
    slower_or_faster,
    suspects,
)
from gilgrid.model import Verdict
from gilgrid.report.compared import conclusion

FACTOR = 1.1
HUNG = Turn(verdict=Verdict.DEADLOCK, reason="the GIL against a barrier")
SKIPPED = Turn()


def pair(before: float, after: float) -> tuple[Turn, Turn]:
    return Turn(value=before), Turn(value=after)


def drawn(random_: random.Random, slower: float, noise_: float, rounds: int) -> list[tuple[Turn, Turn]]:
    """Of a machine that now and then takes three times as long."""

    def value() -> float:
        return random_.lognormvariate(0, noise_) * (3 if random_.random() < 0.05 else 1)

    return [pair(value(), slower * value()) for _ in range(rounds)]


def compared(random_: random.Random, slower: float, noise_: float, cases: int) -> list[Outcome]:
    measured = [
        Turns(case=Case(cell="c", benchmark=str(n)), unit="seconds", first=drawn(random_, slower, noise_, 3))
        for n in range(cases)
    ]
    looked_at = suspects(measured, FACTOR)
    for one in looked_at:
        one.second = drawn(random_, slower, noise_, rounds_to_decide(len(looked_at)))
    return [change.outcome for change in slower_or_faster(looked_at, FACTOR)]


@pytest.mark.parametrize("noise_", [0.01, 0.1, 0.4])
def test_two_equal_sides_are_called_different_in_at_most_one_run_of_twenty(noise_: float) -> None:
    random_ = random.Random(1)  # noqa: S311 - no secret
    runs = [compared(random_, 1.0, noise_, cases=100) for _ in range(40)]
    assert sum(bool(run) for run in runs) <= 2


@pytest.mark.parametrize(("slower", "outcome"), [(1.25, Outcome.SLOWER), (0.8, Outcome.FASTER)])
def test_a_difference_beyond_the_noise_is_found(slower: float, outcome: Outcome) -> None:
    random_ = random.Random(2)  # noqa: S311 - no secret
    found = compared(random_, slower, 0.03, cases=100)
    assert set(found) == {outcome}
    assert len(found) > 80


def test_what_is_below_the_factor_is_not_told() -> None:
    one = Turns(case=Case(cell="c", benchmark="b"), first=[pair(1, 1.08)] * 3, second=[pair(1, 1.08)] * 12)
    assert suspects([one], FACTOR) == [one]
    assert slower_or_faster([one], FACTOR) == []
    assert len(slower_or_faster([one], 1.05)) == 1


def test_what_is_no_time_is_larger_and_not_slower() -> None:
    one = Turns(case=Case(cell="c", benchmark="b"), unit="bytes", first=[pair(1, 2)] * 3)
    one.second = [pair(1, 2)] * 12
    (change,) = slower_or_faster([one], FACTOR)
    assert change.outcome is Outcome.LARGER
    assert change.outcome.is_regression
    assert (change.before, change.after, change.ratio) == (1, 2, 2)


def test_values_that_have_no_ratio_are_left_alone() -> None:
    around_nothing = Turns(case=Case(cell="c", benchmark="b"), first=[pair(1e-9, -1e-9), pair(0, 1)])
    skipped = Turns(case=Case(cell="c", benchmark="b"), first=[(SKIPPED, SKIPPED)])
    assert suspects([around_nothing, skipped], FACTOR) == []
    assert noise([around_nothing, skipped]) == []


@pytest.mark.parametrize(
    ("before", "after", "outcome"),
    [
        (Turn(value=1), HUNG, Outcome.ENDS_WORSE),
        (HUNG, Turn(value=1), Outcome.ENDS_WELL),
        (HUNG, Turn(verdict=Verdict.CRASH), Outcome.ENDS_OTHERWISE),
    ],
)
def test_another_ending_is_a_change(before: Turn, after: Turn, outcome: Outcome) -> None:
    change = ended_otherwise(Case(cell="c", benchmark="b"), [(before, after)] * 3)
    assert change is not None
    assert change.outcome is outcome


def test_what_ends_in_several_ways_on_one_side_is_undecided() -> None:
    turns = [(Turn(value=1), HUNG), (Turn(value=1), Turn(value=1)), (Turn(value=1), HUNG)]
    change = ended_otherwise(Case(cell="c", benchmark="b"), turns)
    assert change is not None
    assert (change.outcome, change.before, change.after) == (Outcome.UNDECIDED, "3 ok", "2 deadlock, 1 ok")
    assert not change.outcome.is_regression
    assert change.reason == HUNG.reason


def test_what_ends_in_the_same_ways_on_both_sides_is_no_change() -> None:
    turns = [(Turn(value=1), HUNG), (HUNG, Turn(value=1)), (Turn(value=1), HUNG)]
    assert ended_otherwise(Case(cell="c", benchmark="b"), turns) is None


def test_a_value_of_nothing_has_no_ratio_and_is_not_counted_as_compared() -> None:
    case = Case(cell="c", benchmark="b")
    assert Turns(case=case, unit="", first=[pair(0, 42)]).has_no_ratio
    assert not Turns(case=case, unit="", first=[pair(1, 42)]).has_no_ratio
    assert not Turns(case=case, unit="", first=[(HUNG, HUNG)]).has_no_ratio
    assert not Turns(case=case, unit="", first=[(SKIPPED, SKIPPED)]).has_no_ratio
    told = conclusion([], 1, 0, [], without_ratio=1)
    assert told[0].startswith("1 benchmark has a value of 0 or below")
    assert told[-1] == "no regression, 0 other changes, of 1 benchmark"


def test_what_is_skipped_is_not_asked_again_and_what_hangs_three_times() -> None:
    assert is_settled([(SKIPPED, SKIPPED)])
    assert not is_settled([])
    assert not is_settled([(HUNG, HUNG)] * 2)
    assert is_settled([(HUNG, HUNG)] * 3)
    assert not is_settled([pair(1, 1)] * 5)


def test_the_rank_test_is_exact() -> None:
    # Of the 20 ways to choose three of six, one has all nine pairs in order, one has eight, two seven.
    assert chance([1, 2, 3], [4, 5, 6]) == 1 / 20
    assert chance([1, 2, 4], [3, 5, 6]) == 2 / 20
    assert chance([1, 2, 5], [3, 4, 6]) == 4 / 20
    assert chance([4, 5, 6], [1, 2, 3]) == 1
    assert chance([1, 1, 1], [1, 1, 1]) > 0.5


def test_more_cases_need_more_rounds() -> None:
    assert rounds_to_decide(1) == 12
    assert rounds_to_decide(100_000) > 15


def test_noise_is_that_of_one_side() -> None:
    one = Turns(case=Case(cell="c", benchmark="b"), first=[pair(1, 8), pair(2, 8), pair(2, 4)])
    assert noise([one]) == pytest.approx([1, 1, 2, 2])
