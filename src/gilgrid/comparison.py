"""Two sides that were measured in turns: what differs by more than the noise of the same run. Pure.

Two looks. The first, at everything, finds what may differ. The second, at those alone and with values of its
own, decides: a rank test allows for their number, so that of two equal sides the second is called worse in at
most one run of a hundred.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from gilgrid.model import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_SECOND_LOOK = 12
_LEEWAY = 10_000
"""How much more likely than the most unlikely order of all values it may be, and still decide."""
_FALSE_ALARMS = 0.01
"""Of all runs that compare two equal sides."""
_ENDINGS = 3
"""Rounds in which something must end in the same way for it to be what it does."""


@dataclass(frozen=True, kw_only=True, order=True)
class Case:
    """A benchmark at its parameters, in a cell; the cell without what differs between the sides."""

    cell: str
    benchmark: str
    parameters: str = ""


@dataclass(frozen=True, kw_only=True)
class Turn:
    """What one process of a benchmark came to: a value, or how else it ended; neither if it was skipped."""

    value: float | None = None
    verdict: Verdict = Verdict.OK
    reason: str = ""


@dataclass(kw_only=True)
class Turns:
    """A case on both sides, in turns."""

    case: Case
    unit: str = ""
    first: list[tuple[Turn, Turn]] = field(default_factory=list)
    second: list[tuple[Turn, Turn]] = field(default_factory=list)

    @property
    def is_comparable(self) -> bool:
        """Whether both sides have values in all turns, of which a ratio can be made."""
        return bool(self.first) and all(
            turn.value is not None and turn.value > 0
            for turns in (self.first, self.second)
            for pair in turns
            for turn in pair
        )

    @property
    def has_no_ratio(self) -> bool:
        """Whether all ended well, with a value of 0 or below in some turn."""
        turns = [turn for pair in (*self.first, *self.second) for turn in pair]
        return (
            self.is_measured and not self.is_comparable and all(turn.verdict is Verdict.OK for turn in turns)
        )

    @property
    def is_measured(self) -> bool:
        """Whether any turn had a value, or did not end well: all others were skipped."""
        return any(
            turn.value is not None or turn.verdict is not Verdict.OK for pair in self.first for turn in pair
        )

    def values(self, side: int) -> list[float]:
        """All values of a side."""
        return [pair[side].value or 0.0 for pair in (*self.first, *self.second)]


class Outcome(StrEnum):
    """What became of a case."""

    SLOWER = "slower"
    FASTER = "faster"
    LARGER = "larger"
    SMALLER = "smaller"
    ENDS_WORSE = "ends worse"
    ENDS_WELL = "ends well"
    ENDS_OTHERWISE = "ends otherwise"
    UNDECIDED = "undecided"
    """It ends in several ways, which may be chance: one hang in ten needs many runs."""

    @property
    def is_regression(self) -> bool:
        """Whether the second side is worse."""
        return self in {Outcome.SLOWER, Outcome.LARGER, Outcome.ENDS_WORSE}


@dataclass(frozen=True, kw_only=True)
class Change:
    """One difference that was found."""

    case: Case
    outcome: Outcome
    before: str | float
    after: str | float
    unit: str = ""
    ratio: float | None = None
    noise: float | None = None
    """By what factor two processes of one side differ, here, in the median."""
    reason: str = ""


def suspects(measured: Iterable[Turns], factor: float) -> list[Turns]:
    """What the first look leaves open."""
    return [one for one in measured if one.is_comparable and abs(_middle(one.first)) > math.log(factor) / 2]


def rounds_to_decide(cases: int) -> int:
    """How many rounds of the second look can decide on so many cases, with an outlier or two."""
    return next(
        rounds
        for rounds in itertools.count(_SECOND_LOOK)
        if _LEEWAY / math.comb(2 * rounds, rounds) <= _FALSE_ALARMS / max(cases, 1)
    )


def slower_or_faster(suspected: Sequence[Turns], factor: float) -> list[Change]:
    """What the second look confirms, worst first."""
    found = []
    for one in suspected:
        if not one.is_comparable or not one.second:
            continue
        middle = _middle(one.second)
        sides = [[pair[side].value or 0.0 for pair in one.second] for side in (0, 1)]
        lower, higher = sides if middle > 0 else reversed(sides)
        if abs(middle) > math.log(factor) and chance(lower, higher) <= _FALSE_ALARMS / len(suspected):
            found.append((middle, _difference(one, middle)))
    return [change for _, change in sorted(found, key=lambda pair: -pair[0])]


def ended_otherwise(case: Case, turns: Sequence[tuple[Turn, Turn]]) -> Change | None:
    """How a case's endings changed; undecided unless each side ended in one way in all rounds."""
    before, after = (Counter(pair[side].verdict for pair in turns) for side in (0, 1))
    if before.keys() == after.keys():
        return None
    reason = next((turn.reason for pair in turns for turn in reversed(pair) if turn.reason), "")
    if len(before) == len(after) == 1:
        return changed_verdict(case, next(iter(before)), next(iter(after)), reason)
    told = [", ".join(f"{count} {verdict}" for verdict, count in side.items()) for side in (before, after)]
    return Change(case=case, outcome=Outcome.UNDECIDED, before=told[0], after=told[1], reason=reason)


def changed_verdict(case: Case, before: Verdict, after: Verdict, reason: str) -> Change:
    """The same, of two verdicts."""
    outcome = (
        Outcome.ENDS_WORSE
        if before is Verdict.OK
        else Outcome.ENDS_WELL
        if after is Verdict.OK
        else Outcome.ENDS_OTHERWISE
    )
    return Change(case=case, outcome=outcome, before=before, after=after, reason=reason)


def is_settled(turns: Sequence[tuple[Turn, Turn]]) -> bool:
    """Whether another round would say nothing new: something does not end well, or is skipped."""
    *_, last = turns or [(Turn(value=1.0),) * 2]
    if all(turn.verdict is Verdict.OK and turn.value is None for turn in last):
        return True
    return len(turns) >= _ENDINGS and any(turn.value is None for pair in turns for turn in pair)


def noise(measured: Iterable[Turns]) -> list[float]:
    """By what factors two processes of one side differed, one after the other, in ascending order."""
    return sorted(itertools.chain.from_iterable(map(_noise_of, measured)))


def chance(lower: Sequence[float], higher: Sequence[float]) -> float:
    """How likely ``higher`` would be so much higher than ``lower`` if both were drawn from the same.

    The rank test of Mann, Whitney and Wilcoxon, one-sided and exact: of all ways to choose which values are
    the ``higher``, the share in which as many pairs are in that order. A few outliers do not mislead it.
    """
    in_order = sum((low < high) + (low == high) / 2 for low in lower for high in higher)
    # The number of ways by the number of pairs in order: coefficients of a Gaussian binomial.
    ways = [1] + [0] * (len(lower) * len(higher))
    for number in range(1, len(higher) + 1):
        for total in reversed(range(len(lower) + number, len(ways))):
            ways[total] -= ways[total - len(lower) - number]
        for total in range(number, len(ways)):
            ways[total] += ways[total - number]
    return sum(ways[math.floor(in_order) :]) / sum(ways)


def _difference(one: Turns, middle: float) -> Change:
    is_time = one.unit == "seconds"
    worse, better = (Outcome.SLOWER, Outcome.FASTER) if is_time else (Outcome.LARGER, Outcome.SMALLER)
    before, after = (statistics.median(one.values(side)) for side in (0, 1))
    return Change(
        case=one.case,
        outcome=worse if middle > 0 else better,
        before=before,
        after=after,
        unit=one.unit,
        ratio=math.exp(middle),
        noise=statistics.median(_noise_of(one)),
    )


def _logs(turns: Iterable[tuple[Turn, Turn]]) -> list[float]:
    return [math.log((after.value or 1) / (before.value or 1)) for before, after in turns]


def _middle(turns: Iterable[tuple[Turn, Turn]]) -> float:
    return statistics.median(_logs(turns))


def _noise_of(one: Turns) -> list[float]:
    if not one.is_comparable:
        return []
    return [
        math.exp(abs(math.log(later / earlier)))
        for side in (0, 1)
        for earlier, later in itertools.pairwise(one.values(side))
    ]
