"""Remedies and claims against records: what cures, at what price; what is confirmed or refuted. Pure."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

from gilgrid.matrix import admits
from gilgrid.model import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from gilgrid.matrix import Claim, Matrix, Remedy
    from gilgrid.model import Cell, Record

    Found = Mapping[tuple[Cell, str], Record]
    Spoken = Iterator[tuple[Record, bool]]
    """Records, and whether each speaks for a claim or against it."""


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


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What the records say of all remedies and claims, in the order of ``matrix.toml``."""

    trials: tuple[Trial, ...] = ()
    claims: tuple[Decided, ...] = ()

    @cached_property
    def trials_of(self) -> Mapping[tuple[Cell, str], Sequence[Trial]]:
        """The trials by the hang, its cell and probe."""
        found: dict[tuple[Cell, str], list[Trial]] = {}
        for trial in self.trials:
            found.setdefault((trial.hangs.cell, trial.hangs.probe), []).append(trial)
        return found


def median(record: Record, metric: str) -> float | None:
    """What the repeats of a record measured; None where they did not."""
    values = [attempt.metrics[metric] for attempt in record.attempts if metric in attempt.metrics]
    return statistics.median(values) if values else None


def judge(matrix: Matrix, records: Iterable[Record]) -> Judgement:
    """Judge by all records of a matrix: a part of them could confirm what another part refutes."""
    found = {(record.cell, record.probe): record for record in records}
    tried = _trials(matrix, found)
    return Judgement(
        trials=tuple(tried), claims=tuple(_decided(matrix, claim, found, tried) for claim in matrix.claims)
    )


def _trials(matrix: Matrix, found: Found) -> list[Trial]:
    """Every remedy that was tried on a hang that was measured, unless it could not be run."""
    record_of = _finder(found)
    tried = []
    for hanging in filter(_hangs, found.values()):
        if not matrix.declares(hanging.cell):
            continue  # it was only to show whether another hang is cured there
        of_hang = [
            (remedy, record)
            for remedy in matrix.remedies
            if (trial := matrix.trial(remedy, hanging.cell, hanging.probe))
            and (record := record_of(*trial))
            and record.verdict not in _SAYS_NOTHING
        ]
        prices = {remedy.name: _price(matrix, hanging, record) for remedy, record in of_hang}
        cheapest = min((price for price in prices.values() if price), default=None)
        for remedy, record in of_hang:
            price = prices[remedy.name]
            ratio = price / cheapest if price and cheapest else None
            tried.append(Trial(remedy=remedy, hangs=hanging, record=record, price=ratio))
    order = {remedy.name: number for number, remedy in enumerate(matrix.remedies)}
    return sorted(tried, key=lambda trial: order[trial.remedy.name])


def _finder(found: Found) -> Callable[[Cell, str], Record | None]:
    """Looks for a probe in a cell, then in that of another Python: subjects choose theirs each for itself."""
    by_versions = {(cell.coordinates, probe): record for (cell, probe), record in found.items()}
    return lambda cell, probe: found.get((cell, probe)) or by_versions.get((cell.coordinates, probe))


def _decided(matrix: Matrix, claim: Claim, found: Found, tried: Sequence[Trial]) -> Decided:
    if claim.within:
        spoken = _within(claim, found)
    elif claim.but_not:
        spoken = _but_not(matrix, claim, found)
    elif claim.ends:
        spoken = ((record, record.verdict is claim.ends) for record in _spoken_of(matrix, claim, found))
    elif claim.metric:
        spoken = _measured(matrix, claim, found)
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


def _within(claim: Claim, found: Found) -> Spoken:
    measured = [record for record in found.values() if record.probe in claim.hangs]
    inside = [record for record in measured if admits(claim.within, record.cell)]
    outside = [record for record in measured if not admits(claim.within, record.cell)]
    yield from ((record, False) for record in outside if _hangs(record))
    # That nothing hangs elsewhere says nothing where nothing hangs at all, or nothing else runs well.
    if any(record.verdict is Verdict.OK for record in outside):
        yield from ((record, True) for record in inside if _hangs(record))


def _but_not(matrix: Matrix, claim: Claim, found: Found) -> Spoken:
    other = claim.but_not
    yield from ((record, False) for record in found.values() if record.probe == other and _hangs(record))
    record_of = _finder(found)
    for record in _hanging(claim, found):
        beside = record_of(matrix.seen_by(other, record.cell), other)
        if beside and beside.verdict is Verdict.OK:
            yield beside, True


def _cpus_below(limit: float, hanging: Iterable[Record]) -> Spoken:
    for record in hanging:
        seen = [attempt.evidence.cpus_used for attempt in record.attempts if attempt.evidence]
        used = [cpus for cpus in seen if cpus is not None]
        if used:
            yield record, max(used) < limit


def _spoken_of(matrix: Matrix, claim: Claim, found: Found) -> Iterator[Record]:
    return (
        record
        for record in found.values()
        if record.probe in claim.probes
        and matrix.declares(record.cell)
        and admits(claim.only, record.cell)
        and record.verdict not in _SAYS_NOTHING - {claim.ends}
    )


def _measured(matrix: Matrix, claim: Claim, found: Found) -> Spoken:
    """By the median of the repeats, of which one may have been disturbed; of what ended well alone."""
    for record in _spoken_of(matrix, claim, found):
        value = median(record, claim.metric)
        if value is not None and record.verdict is Verdict.OK:
            is_enough = claim.at_least is None or value >= claim.at_least
            yield record, is_enough and (claim.at_most is None or value <= claim.at_most)


def _hanging(claim: Claim, found: Found) -> list[Record]:
    return [record for record in found.values() if record.probe in claim.hangs and _hangs(record)]


def _hangs(record: Record) -> bool:
    """Whether any of its repeats hung."""
    return record.verdict not in _SAYS_NOTHING and any(
        verdict.is_hang for verdict in {record.verdict, *record.counts}
    )


def _price(matrix: Matrix, hanging: Record, record: Record) -> float | None:
    """What a cure costs; None where it is none, or was measured on another machine than the hang."""
    if record.verdict is not Verdict.OK or record.machine != hanging.machine:
        return None
    price = median(record, matrix.subject_of(hanging.probe).price)
    return price if price and price > 0 else None
