"""Records against the rules of ``matrix.toml``. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations as pairs
from typing import TYPE_CHECKING

from gilgrid import plan
from gilgrid.model import Record, Verdict
from gilgrid.printable import line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gilgrid.evidence import Cause
    from gilgrid.matrix import Matrix, Rule
    from gilgrid.plan import Job


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A record beside what was expected of it."""

    record: Record
    expected: Verdict
    rule: Rule | None

    @property
    def as_expected(self) -> bool:
        """Whether the record has the expected verdict, and the cause where one is expected."""
        return self.record.verdict is self.expected and self._cause in {None, self.record.cause}

    @property
    def expectation(self) -> str:
        """The expected verdict, and the cause where one is expected: ``deadlock (lock-order)``."""
        return _with(self.expected, self._cause)

    @property
    def seen(self) -> str:
        """The verdict, and the cause where there is one."""
        return _with(self.record.verdict, self.record.cause)

    @property
    def _cause(self) -> Cause | None:
        return self.rule.cause if self.rule else None

    @property
    def difference(self) -> str:
        """One sentence: what was expected, by which rule, and what was seen."""
        source = f"{self.rule.where} because {self.rule.because}" if self.rule else "no rule names it"
        reason = line(self.record.reason)
        return line(
            f"{self.record.cell} {self.record.probe}: {self.seen}, "
            f"expected {self.expectation} ({source}){f': {reason}' if reason else ''}"
        )


def _with(verdict: Verdict, cause: Cause | None) -> str:
    return f"{verdict} ({cause})" if cause else str(verdict)


def judge(matrix: Matrix, records: Iterable[Record]) -> list[Judged]:
    """Each record with its expectation: what no rule names is expected ``ok``."""
    judged = []
    for record in records:
        rule = matrix.rule(record.cell, record.probe)
        judged.append(Judged(record=record, expected=rule.verdict if rule else Verdict.OK, rule=rule))
    return judged


def mistakes(matrix: Matrix) -> list[str]:
    """Rules that can never speak, and those that expect two verdicts of one probe in one cell."""
    found = [
        f"{rule.where} {axis}: the probe '{probe.name}' does not depend on it, so the rule never speaks of it"
        for rule in matrix.rules
        for probe in matrix.probes
        if probe.name in rule.probes
        for axis in dict.fromkeys([*rule.build, *rule.run])
        if axis != "python" and axis not in probe.axes
    ]
    jobs: dict[str, list[Job]] = {}  # planned only where two rules speak of one probe
    for one, other in pairs(matrix.rules, 2):
        key = "verdict" if one.verdict is not other.verdict else "cause"
        said, before = getattr(other, key), getattr(one, key)
        shared = [probe for probe in one.probes if probe in other.probes]
        if said is before or not (said and before and shared):
            continue
        jobs = jobs or _jobs(matrix)
        of_both = (job for probe in shared for job in jobs[probe])
        both = next(
            (j for j in of_both if one.matches(j.cell, j.probe) and other.matches(j.cell, j.probe)), None
        )
        if both:
            found.append(
                f"{other.where} {key}: '{said}' contradicts '{before}' of {one.where} "
                f"for {both.probe} in {both.cell}; narrow one of them",
            )
    return found


def _jobs(matrix: Matrix) -> dict[str, list[Job]]:
    """By probe, for every Python that a cell may have."""
    jobs: dict[str, list[Job]] = {probe.name: [] for probe in matrix.probes}
    for python in plan.pythons_of(matrix):
        for job in plan.plan(matrix, plan.combinations(matrix, python)).jobs:
            jobs[job.probe].append(job)
    return jobs


def untried(matrix: Matrix) -> list[str]:
    """Remedies for what no rule expects to hang."""
    return [
        f"[[remedy]] ('{remedy.name}') probes: no rule expects '{probe}' to hang, so it is never tried; "
        "write an [[expect]] for the cells where it does"
        for remedy in matrix.remedies
        for probe in remedy.probes
        if not any(probe in rule.probes and rule.expects_a_hang for rule in matrix.rules)
    ]
