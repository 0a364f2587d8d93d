"""A plan in parts for as many machines: by what it costs, with what shares a build in one part. Pure."""

from __future__ import annotations

import heapq
import itertools
import math
import statistics
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gilgrid.errors import MistakesError
from gilgrid.pins import as_built, build_pins, input_pins, run_pins
from gilgrid.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence

    from gilgrid.matrix import Matrix
    from gilgrid.model import Cell, Record
    from gilgrid.plan import Job

_ENVIRONMENT_S, _BUILD_S, _REPEAT_S = 3.0, 20.0, 1.5
"""What nothing is known of: 10 s for three environments, a small extension, a hang that is proven."""
_WORSE = 1.2
"""By what a former split may be, and is kept: whoever ran a part has built most of it."""
_A_PART_S = 300.0
"""How long a part should take where their number is not given: a machine takes half a minute to be there."""

MOST_PARTS = 256
"""That GitHub runs of one job's matrix."""


@dataclass(frozen=True, kw_only=True)
class Shard:
    """One part of a plan."""

    number: int
    """From 1."""
    of: int
    plan: Plan
    seconds: float
    """All that is to be done, as if one thing after another."""

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


@dataclass(frozen=True, kw_only=True)
class _Unit:
    """All jobs of one cell, which stay together; and what they need that others may need as well."""

    cell: Cell
    jobs: tuple[Job, ...]
    seconds: float
    needs: Mapping[Hashable, float]
    """Environments and builds, with the seconds that each takes."""


@dataclass(frozen=True, kw_only=True)
class _Part:
    seconds: float = 0.0
    units: tuple[_Unit, ...] = ()
    has: frozenset[Hashable] = frozenset()

    def with_all(self, units: Sequence[_Unit]) -> _Part:
        """It, and these units; what they need is made once."""
        needs = {need: cost for unit in units for need, cost in unit.needs.items() if need not in self.has}
        return _Part(
            seconds=self.seconds + sum(unit.seconds for unit in units) + sum(needs.values()),
            units=(*self.units, *units),
            has=self.has | needs.keys(),
        )


def shards(
    matrix: Matrix,
    whole: Plan,
    records: Iterable[Record],
    number: int | None = None,
    former: Sequence[Plan] = (),
) -> list[Shard]:
    """A plan in that many parts, or in parts of five minutes; none of them is empty.

    ``records`` are earlier ones, of whatever inputs: what they took is what is expected. ``former`` parts of
    the same plan are kept while they are about as good.
    Raises ``MistakesError`` where there are not so many cells.
    """
    units = _units(matrix, whole, records)
    if number is None:
        number = min(math.ceil(_seconds(units) / _A_PART_S), len(units), MOST_PARTS)
    if number > len(units):
        raise MistakesError([f"--shards {number}: there are {len(units)} cells; ask for as many at most"])
    parts = _assigned(units, number)
    as_before = _as_before(units, former)
    if len(as_before) == number and _longest(as_before) <= _WORSE * _longest(parts):
        parts = as_before
    return [
        Shard(number=place, of=number, plan=planned, seconds=part.seconds)
        for place, (part, planned) in enumerate(zip(parts, _plans(whole, parts), strict=True), 1)
    ]


def _as_before(units: Sequence[_Unit], former: Sequence[Plan]) -> list[_Part]:
    """The same parts as before; none where those were not of the same cells."""
    places = {job.cell: place for place, plan in enumerate(former) for job in plan.jobs}
    if places.keys() != {unit.cell for unit in units}:
        return []
    return [
        _Part().with_all([unit for unit in units if places[unit.cell] == place])
        for place in range(len(former))
    ]


def _longest(parts: Sequence[_Part]) -> float:
    return max(part.seconds for part in parts)


def _assigned(units: Sequence[_Unit], number: int) -> list[_Part]:
    """What belongs together to the part that is done first with it, the dearest first."""
    parts = [_Part() for _ in range(number)]
    having: dict[Hashable, set[int]] = defaultdict(set)
    idle = [(0.0, place) for place in range(number)]
    bundles = _bundles(units, number)
    for done, bundle in enumerate(bundles):
        while idle[0][0] != parts[idle[0][1]].seconds:
            heapq.heapreplace(idle, (parts[idle[0][1]].seconds, idle[0][1]))
        candidates = {idle[0][1]}
        if len(bundles) - done > sum(not part.units for part in parts):  # else one for each that is empty
            # Of all others, only one that has some of it can be done with it before the one that is idle.
            candidates |= set().union(*(having[need] for unit in bundle for need in unit.needs))
        place = min(candidates, key=lambda n: (parts[n].with_all(bundle).seconds, n))
        parts[place] = parts[place].with_all(bundle)
        for unit in bundle:
            for need in unit.needs:
                having[need].add(place)
    return parts


def _bundles(units: Sequence[_Unit], number: int) -> list[list[_Unit]]:
    """What shares a build, in halves where that is too much for a part, or too few; dearest first."""
    groups: dict[Hashable, list[_Unit]] = defaultdict(list)
    for unit in sorted(units, key=lambda unit: -unit.seconds):
        groups[max(unit.needs, key=lambda need: unit.needs[need])].append(unit)
    count = itertools.count()  # so that what costs the same is never compared
    by_cost = [(-_seconds(group), next(count), group) for group in groups.values()]
    heapq.heapify(by_cost)
    enough = _seconds(units) / number
    whole: list[tuple[float, int, list[_Unit]]] = []
    while by_cost:
        cost, _, bundle = by_cost[0]
        if -cost <= enough and len(by_cost) + len(whole) >= number:
            break
        heapq.heappop(by_cost)
        if len(bundle) == 1:
            whole.append((cost, next(count), bundle))
            continue
        for half in (bundle[::2], bundle[1::2]):
            heapq.heappush(by_cost, (-_seconds(half), next(count), half))
    return [bundle for _, _, bundle in sorted([*whole, *by_cost])]


def _seconds(units: Sequence[_Unit]) -> float:
    return _Part().with_all(units).seconds


def _units(matrix: Matrix, whole: Plan, records: Iterable[Record]) -> list[_Unit]:
    costs = _Costs(matrix, whole, records)
    of_cell: dict[Cell, list[Job]] = {}
    for job in whole.jobs:
        of_cell.setdefault(job.cell, []).append(job)
    return [
        _Unit(
            cell=cell,
            jobs=tuple(jobs),
            seconds=sum(map(costs.of_job, jobs)),
            needs={need: cost for job in jobs for need, cost in costs.needs(job)},
        )
        for cell, jobs in of_cell.items()
    ]


def _plans(whole: Plan, parts: Sequence[_Part]) -> list[Plan]:
    """The plan of each part, in the order of the whole."""
    of_cell = {unit.cell: place for place, part in enumerate(parts) for unit in part.units}
    cells: list[list[Cell]] = [[] for _ in parts]
    jobs: list[list[Job]] = [[] for _ in parts]
    for cell in whole.cells:
        if cell in of_cell:  # else only probes that do not depend on all of it
            cells[of_cell[cell]].append(cell)
    for job in whole.jobs:
        jobs[of_cell[job.cell]].append(job)
    return [Plan(cells=tuple(c), jobs=tuple(j)) for c, j in zip(cells, jobs, strict=True)]


class _Costs:
    """What records say that things take, and what to expect where they say nothing."""

    def __init__(self, matrix: Matrix, whole: Plan, records: Iterable[Record]) -> None:
        self._matrix = matrix
        found = {(record.cell, record.probe): record for record in records}
        self._of_job: dict[Job, float] = {}
        self._builds: dict[Hashable, tuple[str, float]] = {}
        by_probe: dict[str, list[float]] = defaultdict(list)
        for job in whole.jobs:
            record = found.get((job.cell, job.probe))
            if not record or not record.attempts:
                continue
            self._of_job[job] = record.seconds
            by_probe[job.probe].append(record.seconds)
            if record.build_key and record.build_seconds:
                self._builds[self._built(job)] = record.build_key, record.build_seconds
        self._of_probe = {probe: statistics.median(seconds) for probe, seconds in by_probe.items()}
        seconds = dict(self._builds.values()).values()
        self._of_build = statistics.median(seconds) if seconds else _BUILD_S

    def of_job(self, job: Job) -> float:
        """All repeats of it."""
        usual = self._of_probe.get(job.probe, _REPEAT_S * self._matrix.probe(job.probe).repeats)
        return self._of_job.get(job, usual)

    def needs(self, job: Job) -> Iterable[tuple[Hashable, float]]:
        """Its environments and its build."""
        matrix, subject = self._matrix, self._matrix.subject_of(job.probe)
        yield run_pins(matrix, subject, job.cell), _ENVIRONMENT_S
        if job.with_subject:
            yield build_pins(matrix, subject, job.cell), _ENVIRONMENT_S
            if inputs := input_pins(matrix, subject, job.cell):
                yield inputs, _ENVIRONMENT_S
            # Which versions build the same is not known before they have.
            yield self._builds.get(self._built(job), (self._built(job), self._of_build))

    def _built(self, job: Job) -> Hashable:
        subject = self._matrix.subject_of(job.probe)
        return subject.name, as_built(job.cell).projected(subject.build_axes)
