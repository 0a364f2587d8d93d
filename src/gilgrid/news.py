"""What differs from what is expected, what of it did not the last time, and what no longer does. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gilgrid.model import Verdict
from gilgrid.printable import line

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from typing import Self

    from gilgrid.expectations import Judged

_SAYS_NOTHING = {Verdict.UNAVAILABLE, Verdict.ERROR}
"""Of the subject: two pre-releases that exclude each other, a machine that failed."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A probe that ends otherwise than expected, alike in each of these cells."""

    probe: str
    seen: str
    expected: str
    because: str = field(default="", compare=False)
    reason: str = field(default="", compare=False)
    cells: tuple[str, ...] = field(default=(), compare=False)
    well_in: tuple[str, ...] = field(default=(), compare=False)
    """The cells of the same probe that are as expected."""

    @property
    def is_better(self) -> bool:
        """Whether it is well where a rule says that it is not."""
        return self.seen == Verdict.OK

    def to_json(self) -> dict[str, Any]:
        """As it is kept until the next time."""
        return {"probe": self.probe, "seen": self.seen, "expected": self.expected, "cells": list(self.cells)}

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> Self:
        """One that was kept. Raises ``KeyError`` or ``TypeError`` where it is none."""
        return cls(
            probe=str(kept["probe"]),
            seen=str(kept["seen"]),
            expected=str(kept["expected"]),
            cells=tuple(map(str, kept["cells"])),
        )


@dataclass(frozen=True, kw_only=True)
class News:
    """All that differs, and what of it is new; what differed the last time, and no longer does."""

    differing: tuple[Difference, ...]
    new: tuple[Difference, ...]
    gone: tuple[tuple[Difference, tuple[str, ...]], ...]
    """With the cells that are as expected now."""


def differences(judged: Iterable[Judged]) -> list[Difference]:
    """What is not as expected, cells that are alike together."""
    entries = [entry for entry in judged if entry.record.verdict not in _SAYS_NOTHING]
    found: dict[tuple[str, str, str], list[Judged]] = {}
    for entry in entries:
        if not entry.as_expected:
            found.setdefault((entry.record.probe, entry.seen, entry.expectation), []).append(entry)
    return [
        Difference(
            probe=probe,
            seen=seen,
            expected=expected,
            because=alike[0].rule.because if alike[0].rule else "",
            reason=line(alike[0].record.reason),
            cells=tuple(str(entry.record.cell) for entry in alike),
            well_in=_well_in(entries, probe),
        )
        for (probe, seen, expected), alike in found.items()
    ]


def news(judged: Sequence[Judged], before: Sequence[Difference], missing: Collection[str]) -> News:
    """What changed since ``before``; of a probe in ``missing``, which lacks records, nothing is gone."""
    now = differences(judged)
    gone = [one for one in before if one not in now and one.probe not in missing]
    return News(
        differing=(*now, *(one for one in before if one not in now and one.probe in missing)),
        new=tuple(one for one in now if one not in before),
        gone=tuple((one, _well_in(judged, one.probe)) for one in gone),
    )


def _well_in(judged: Iterable[Judged], probe: str) -> tuple[str, ...]:
    return tuple(
        str(entry.record.cell) for entry in judged if entry.record.probe == probe and entry.as_expected
    )
