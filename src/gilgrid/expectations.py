"""Records against the rules of ``matrix.toml``. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations as pairs
from typing import TYPE_CHECKING

from gilgrid import plan
from gilgrid.model import Record, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gilgrid.matrix import Matrix, Rule
    from gilgrid.model import Cell


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A record beside what was expected of it."""

    record: Record
    expected: Verdict
    rule: Rule | None

    @property
    def as_expected(self) -> bool:
        """Whether the record has the expected verdict."""
        return self.record.verdict is self.expected

    @property
    def difference(self) -> str:
        """One sentence: what was expected, by which rule, and what was seen."""
        source = f"{self.rule.where} because {self.rule.because}" if self.rule else "no rule names it"
        reason = " ".join(self.record.reason.split())
        sentence = (
            f"{self.record.cell} {self.record.probe}: {self.record.verdict}, "
            f"expected {self.expected} ({source}){f': {reason}' if reason else ''}"
        )
        # A compiler's or a probe's words may hold what moves a terminal's cursor.
        return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in sentence)


def rule_for(matrix: Matrix, cell: Cell, probe: str) -> Rule | None:
    """The rule that speaks of this probe in this cell; rules that contradict each other were refused."""
    return next((rule for rule in matrix.rules if rule.matches(cell, probe)), None)


def judge(matrix: Matrix, records: Iterable[Record]) -> list[Judged]:
    """Each record with its expectation: what no rule names is expected ``ok``."""
    judged = []
    for record in records:
        rule = rule_for(matrix, record.cell, record.probe)
        judged.append(Judged(record=record, expected=rule.verdict if rule else Verdict.OK, rule=rule))
    return judged


def mistakes(matrix: Matrix) -> list[str]:
    """Rules that can never speak, and those that expect two verdicts of one probe in one cell."""
    jobs = [
        job
        for python in plan.pythons_of(matrix)
        for job in plan.plan(matrix, plan.combinations(matrix, python)).jobs
    ]
    found = [
        f"{rule.where} {axis}: the probe '{probe.name}' does not depend on it, so the rule never speaks of it"
        for rule in matrix.rules
        for probe in matrix.probes
        if probe.name in rule.probes
        for axis in dict.fromkeys([*rule.build, *rule.run])
        if axis != "python" and axis not in probe.axes
    ]
    for one, other in pairs(matrix.rules, 2):
        if one.verdict is other.verdict:
            continue
        both = next(
            (j for j in jobs if one.matches(j.cell, j.probe) and other.matches(j.cell, j.probe)), None
        )
        if both:
            found.append(
                f"{other.where} verdict: '{other.verdict}' contradicts '{one.verdict}' of {one.where} "
                f"for {both.probe} in {both.cell}; narrow one of them",
            )
    return found
