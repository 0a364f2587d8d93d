"""Records of several machines, or of several runs -> one of each probe in each cell. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from gilgrid.model import Record, Verdict, agreed, disagreement

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gilgrid.model import Cell


@dataclass(frozen=True, kw_only=True)
class Merged:
    """What of several sources is kept, and what was to be decided for that."""

    records: tuple[Record, ...]
    twice: int
    """Jobs with more than one record, all of which say the same."""
    notes: tuple[str, ...]
    """A sentence for each other of which there was more than one record."""
    machines: Mapping[str, int]
    """By how people would name it: how many records are of it."""


def merged(sources: Iterable[Sequence[Record]]) -> Merged:
    """One record for each probe in each cell; those that disagree become one that is ``flaky``.

    Only what was measured with the same inputs can disagree: of others, the last to be measured is kept.
    """
    found: dict[tuple[Cell, str], list[Record]] = {}
    for source in sources:
        for record in source:
            found.setdefault((record.cell, record.probe), []).append(record)
    of = _Merge()
    records = tuple(of.one(sorted(several, key=_later)) for several in found.values())
    return Merged(
        records=records,
        twice=of.twice,
        notes=tuple(of.notes),
        machines=Counter(record.machine_name for record in records),
    )


@dataclass(kw_only=True)
class _Merge:
    twice: int = 0
    notes: list[str] = field(default_factory=list)

    def one(self, several: Sequence[Record]) -> Record:
        """Of records of one probe in one cell, the last to be measured last."""
        last = several[-1]
        if all(record == last for record in several):
            self.twice += len(several) > 1
            return last
        sound = [record for record in several if record.attempts] or [
            record for record in several if record.verdict is not Verdict.ERROR
        ]
        last = (sound or several)[-1]
        alike = [record for record in sound if record.inputs == last.inputs]
        if len(alike) < len(sound):
            self._note(last, f"measured with other inputs as well; kept is what was last, {last.measured_at}")
        return self._of_same_inputs(alike) if alike else last

    def _of_same_inputs(self, alike: Sequence[Record]) -> Record:
        best = max(alike, key=lambda record: len(record.attempts))
        attempts = list(best.attempts)
        for record in alike:  # a former merge may have some of them
            attempts += [attempt for attempt in record.attempts if attempt not in attempts]
        if len({record.verdict for record in alike}) > 1 and len(attempts) > len(best.attempts):
            reason = disagreement(attempts)
            machines = {record.machine_name for record in alike}
            told = f", on {' and on '.join(sorted(machines))}" if len(machines) > 1 else ""
            self._note(best, f"{reason}{told}; kept as {agreed([one.verdict for one in attempts])}")
            return replace(
                alike[-1],
                verdict=agreed([one.verdict for one in attempts]),
                reason=reason,
                attempts=tuple(attempts),
                seconds=round(sum(one.seconds for one in attempts), 3),
            )
        if any(record.machine != best.machine for record in alike):
            self._note(best, f"measured on several machines; kept is that of {best.machine_name}")
        else:
            self.twice += len(alike) > 1
        return best

    def _note(self, record: Record, sentence: str) -> None:
        self.notes.append(f"{record.cell} {record.probe}: {sentence}")


def _later(record: Record) -> tuple[str, str]:
    # What was measured in the same second is in some order, and in the same one always.
    return record.measured_at, repr(record)
