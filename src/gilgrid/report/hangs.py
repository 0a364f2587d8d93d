"""The hangs among records, each told once: a probe that hangs alike in many cells has one report."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from rich.console import Group, RenderableType
from rich.text import Text

from gilgrid.report import hang
from gilgrid.report.terminal import counted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gilgrid.evidence import Cause, Evidence
    from gilgrid.expectations import Judged
    from gilgrid.model import Attempt, Verdict

    _Like: TypeAlias = tuple[str, Verdict, Cause | None]


@dataclass(frozen=True, kw_only=True)
class Hang:
    """One attempt that hung, for all that are like it: the same probe, verdict and cause."""

    entry: Judged
    attempt: Attempt
    evidence: Evidence
    further_cells: int = 0

    @property
    def heading(self) -> str:
        """What hung where."""
        record = self.entry.record
        further = f" and {counted(self.further_cells, 'further cell')}" if self.further_cells else ""
        during = f", during {self.attempt.running}" if self.attempt.running else ""
        return f"{record.probe} in {record.cell}{further}{during}"

    @property
    def text(self) -> str:
        """The report as plain text."""
        return hang.text(self.evidence, verdict=self.attempt.verdict, deadline_s=self._deadline_s)

    @property
    def renderable(self) -> RenderableType:
        """The report for a terminal."""
        return hang.hang(self.evidence, verdict=self.attempt.verdict, deadline_s=self._deadline_s)

    @property
    def _deadline_s(self) -> float:
        return round(self.attempt.seconds, 1)


def hangs(judged: Iterable[Judged]) -> list[Hang]:
    """The hangs that have evidence, in the order of their records."""
    found: dict[_Like, Hang] = {}
    for entry in judged:
        of_record: dict[_Like, Hang] = {}
        for attempt in entry.record.attempts:
            evidence = attempt.evidence
            if evidence and (evidence.threads or evidence.cause or evidence.not_permitted):
                key = entry.record.probe, attempt.verdict, attempt.cause
                of_record.setdefault(key, Hang(entry=entry, attempt=attempt, evidence=evidence))
        for key, one in of_record.items():
            known = found.get(key)
            found[key] = replace(known, further_cells=known.further_cells + 1) if known else one
    return list(found.values())


def reports(judged: Iterable[Judged]) -> RenderableType:
    """The report of each hang under what hung where."""
    return Group(
        *(
            part
            for one in hangs(judged)
            for part in (Text(one.heading, "bold underline"), one.renderable, Text(""))
        )
    )
