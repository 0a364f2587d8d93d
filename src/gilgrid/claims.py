"""Remedies and claims against records: what cures, at what price; what is confirmed or refuted. Pure."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from gilgrid.matrix import admits
from gilgrid.model import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from gilgrid.matrix import Claim, Matrix, Remedy
    from gilgrid.model import Cell, Record

    Found = Mapping[tuple[Cell, str], Record]

_SAYS_NOTHING = {Verdict.UNAVAILABLE, Verdict.BUILD_FAILED, Verdict.ERROR}


class Outcome(StrEnum):
    """What the records say of a claim."""

    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    NOT_TESTED = "not tested"


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One remedy, tried on one probe that hangs in one cell."""

    remedy: Remedy
    hangs: Record
    record: Record
    price: float | None
    """What its runs cost, over what those of the cheapest cure of the same hang cost."""

    @property
    def cures(self) -> bool:
        """Whether it runs well with the remedy."""
        return self.record.verdict is Verdict.OK


@dataclass(frozen=True, kw_only=True)
class Decided:
    """A claim, and the records that speak for it and against it."""

    claim: Claim
    outcome: Outcome
    supporting: tuple[Record, ...]
    against: tuple[Record, ...]


def trials(matrix: Matrix, records: Iterable[Record]) -> list[Trial]:
    """Every remedy that was tried on a hang that was measured, in the order of ``matrix.toml``."""
    found = _by_place(records)
    prices = {place: _price(matrix, record) for place, record in found.items()}
    tried = []
    for hanging in (record for record in found.values() if _hangs(record)):
        of_hang = [
            (remedy, found[place])
            for remedy in matrix.remedies
            if (place := matrix.place(remedy, hanging.cell, hanging.probe))
            and place in found
            and found[place].verdict not in _SAYS_NOTHING
        ]
        cures = [prices[r.cell, r.probe] for _, r in of_hang if r.verdict is Verdict.OK]
        cheapest = min((price for price in cures if price), default=None)
        for remedy, record in of_hang:
            price = prices[record.cell, record.probe] if record.verdict is Verdict.OK else None
            ratio = price / cheapest if price and cheapest else None
            tried.append(Trial(remedy=remedy, hangs=hanging, record=record, price=ratio))
    order = {remedy.name: number for number, remedy in enumerate(matrix.remedies)}
    return sorted(tried, key=lambda trial: order[trial.remedy.name])


def decide(matrix: Matrix, records: Sequence[Record]) -> list[Decided]:
    """Every claim, in the order of ``matrix.toml``."""
    return [_decided(matrix, claim, _by_place(records), trials(matrix, records)) for claim in matrix.claims]


def _decided(matrix: Matrix, claim: Claim, found: Found, tried: Sequence[Trial]) -> Decided:
    if claim.within:
        spoken = _within(claim, found)
    elif claim.but_not:
        spoken = _but_not(matrix, claim, found)
    elif claim.cpus_below is not None:
        spoken = _cpus_below(claim.cpus_below, _hanging(claim, found))
    else:
        spoken = (
            (trial.record, trial.cures)
            for trial in tried
            if trial.remedy.name == claim.cured_by and trial.hangs.probe in claim.hangs
        )
    said = list(spoken)
    supporting = tuple(record for record, speaks_for_it in said if speaks_for_it)
    against = tuple(record for record, speaks_for_it in said if not speaks_for_it)
    outcome = Outcome.REFUTED if against else Outcome.CONFIRMED if supporting else Outcome.NOT_TESTED
    return Decided(claim=claim, outcome=outcome, supporting=supporting, against=against)


def _within(claim: Claim, found: Found) -> Iterator[tuple[Record, bool]]:
    measured = [
        record
        for record in found.values()
        if record.probe in claim.hangs and record.verdict not in _SAYS_NOTHING
    ]
    outside = [record for record in measured if not admits(claim.within, record.cell)]
    yield from ((record, False) for record in outside if _hangs(record))
    # That nothing hangs elsewhere says nothing where nothing hangs at all, or nobody has looked.
    if outside:
        yield from ((record, True) for record in measured if record not in outside and _hangs(record))


def _but_not(matrix: Matrix, claim: Claim, found: Found) -> Iterator[tuple[Record, bool]]:
    probe = matrix.probe(claim.but_not)
    for record in _hanging(claim, found):
        other = found.get((record.cell.projected(probe.axes), probe.name))
        if other and other.verdict not in _SAYS_NOTHING:
            yield other, not _hangs(other)


def _cpus_below(limit: float, hanging: Iterable[Record]) -> Iterator[tuple[Record, bool]]:
    for record in hanging:
        seen = [attempt.evidence.cpus_used for attempt in record.attempts if attempt.evidence]
        used = [cpus for cpus in seen if cpus is not None]
        if used:
            yield record, max(used) < limit


def _hanging(claim: Claim, found: Found) -> list[Record]:
    return [record for record in found.values() if record.probe in claim.hangs and _hangs(record)]


def _hangs(record: Record) -> bool:
    """Whether any of its repeats hung."""
    return any(verdict.is_hang for verdict in {record.verdict, *record.counts})


def _by_place(records: Iterable[Record]) -> Found:
    return {(record.cell, record.probe): record for record in records}


def _price(matrix: Matrix, record: Record) -> float | None:
    name = matrix.subject.price
    values = [attempt.metrics[name] for attempt in record.attempts if name in attempt.metrics]
    return statistics.median(values) if values else None
