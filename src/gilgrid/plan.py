"""Matrix -> cells and jobs, projected on what each probe depends on, most valuable first. Pure."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from gilgrid.matrix import admits
from gilgrid.model import Cell, Coordinate, Probe
from gilgrid.pins import Pins, as_built, run_pins

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from gilgrid.matrix import Matrix, Subject

    Cells: TypeAlias = Mapping[str, tuple[Cell, ...]]
    """By the name of the subject that they are of."""

# A test within a file is named behind a double colon.
_IN_PROJECT = re.compile(r"\{project\}/((?:[^\s:;,]|:(?!:))+)")

SUPPORTED_PYTHONS = tuple(f"3.{minor}" for minor in range(8, 15))
"""Pythons that a cell may be, as far as rules can be checked before interpreters are looked for."""


@dataclass(frozen=True, kw_only=True, order=True)
class Job:
    """One probe to run in one cell; the cell is projected on the axes that the probe depends on."""

    cell: Cell
    probe: str
    axes: tuple[str, ...]
    """Those of its subject: the whole cells that it is of have all of them, and no other."""
    with_subject: bool

    def __str__(self) -> str:
        return f"{self.cell} {self.probe}"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run is made of, most valuable first."""

    cells: tuple[Cell, ...]
    jobs: tuple[Job, ...]


def plan(matrix: Matrix, cells: Cells) -> Plan:
    """The jobs of these cells: a probe that does not depend on an axis runs once for all its versions.

    Where a rule expects a hang, what it is claimed to be cured by is tried as well.
    """
    own = [probe for probe in matrix.probes if probe.name not in matrix.tried]
    jobs = dict.fromkeys(
        job_of(matrix, cell.projected(probe.axes), probe.name)
        for subject, cell in _by_turns(cells)
        for probe in own
        if probe.subject == subject and admits(matrix.only.get(probe.name, {}), cell)
    )
    # Another Python may have wheels for other versions: what a cell of the plan shows is not asked again.
    planned = {(job.cell.coordinates, job.probe) for job in jobs}
    tried = dict.fromkeys(
        job_of(matrix, *trial)
        for job in jobs
        if (rule := matrix.rule(job.cell, job.probe)) and rule.expects_a_hang
        for remedy in matrix.remedies
        if (trial := matrix.trial(remedy, job.cell, job.probe))
        and (trial[0].coordinates, trial[1]) not in planned
        and admits(matrix.only.get(trial[1], {}), trial[0])
    )
    added = (job.cell for job in tried if len(job.cell.coordinates) == len(job.axes))
    listed = itertools.chain.from_iterable(cells.values())
    return Plan(cells=tuple(dict.fromkeys([*listed, *added])), jobs=tuple(jobs | tried))


def _by_turns(cells: Cells) -> Iterator[tuple[str, Cell]]:
    """The most valuable cell of each subject, then the next: no subject has to wait for another."""
    for row in itertools.zip_longest(*cells.values()):
        yield from ((name, cell) for name, cell in zip(cells, row, strict=True) if cell)


def job_of(matrix: Matrix, cell: Cell, probe: str) -> Job:
    """The job of a probe in a cell that is projected on what the probe depends on."""
    subject = matrix.subject_of(probe)
    is_built = set(subject.build_axes) <= set(matrix.probe(probe).axes)
    return Job(cell=cell, probe=probe, axes=subject.axes, with_subject=is_built)


def combinations(matrix: Matrix, *pythons: str) -> Cells:
    """Every cell for these Pythons."""
    return {subject.name: cells_of(matrix, subject, *pythons) for subject in matrix.subjects}


def cells_of(matrix: Matrix, subject: Subject, *pythons: str) -> tuple[Cell, ...]:
    """The cells of one subject for these Pythons."""
    return tuple(cell for python in pythons for cell in _product(matrix, subject, python))


def _product(matrix: Matrix, subject: Subject, python: str) -> tuple[Cell, ...]:
    """The product of a subject's axes, then what is run with another version."""
    axes = [matrix.axis(name) for name in subject.axes]
    product = [
        Cell(
            python=python,
            coordinates=tuple(
                Coordinate(axis=axis.name, version=version)
                for axis, version in zip(axes, versions, strict=True)
            ),
        )
        for versions in itertools.product(*(axis.versions for axis in axes))
    ]
    crossed = [
        _crossed(cell, cross.run)
        for cross in matrix.crosses
        if set(cross.run) <= set(subject.build_axes)
        for cell in product
        if admits(cross.build, cell)
    ]
    ordered = sorted(dict.fromkeys(product), key=lambda cell: _value(matrix, cell))
    return tuple(dict.fromkeys([*ordered, *(cell for cell in crossed if cell.is_crossed)]))


def place(matrix: Matrix, tiers: Iterable[Sequence[str]], serves: Callable[[Pins], bool]) -> Cells:
    """The cells with a Python each: those of the file, else whichever has wheels for their versions.

    Every further Python costs builds of its own, so the first candidate that serves all cells of a subject
    wins, then the one that serves most. A later tier of candidates is asked for only what no earlier one
    serves, and ``serves``, which may be slow, no more than needed. A cell that nobody serves keeps the first
    candidate: resolving it there will say why.
    """
    if matrix.pythons:
        return combinations(matrix, *matrix.pythons)
    for_each = itertools.tee(tiers, len(matrix.subjects))  # as lazy as they are
    return {
        subject.name: _placed(matrix, subject, own, serves)
        for subject, own in zip(matrix.subjects, for_each, strict=True)
    }


def _placed(
    matrix: Matrix, subject: Subject, tiers: Iterable[Sequence[str]], serves: Callable[[Pins], bool]
) -> tuple[Cell, ...]:
    first = ""
    chosen: dict[Cell, str] = {}
    left: list[Cell] = []
    for tier in tiers:
        candidates = [python for python in tier if subject.supports(python)]
        if candidates and not first:
            first = candidates[0]
            left = list(_product(matrix, subject, first))
        while left and candidates:
            python, found = _best(matrix, subject, left, candidates, serves)
            if not found:
                break
            candidates.remove(python)
            chosen |= dict.fromkeys(found, python)
            left = [cell for cell in left if cell not in found]
        if first and not left:
            break  # before the next tier is asked for: looking for interpreters takes a second
    return tuple(
        replace(cell, python=chosen.get(cell, first))
        for cell in _product(matrix, subject, first or SUPPORTED_PYTHONS[-1])
    )


def _best(
    matrix: Matrix,
    subject: Subject,
    cells: Sequence[Cell],
    candidates: Sequence[str],
    serves: Callable[[Pins], bool],
) -> tuple[str, set[Cell]]:
    best: tuple[str, set[Cell]] = "", set()
    for python in candidates:
        asked: dict[Pins, bool] = {}
        found = set()
        for cell in cells:
            there = replace(cell, python=python)
            needed = {run_pins(matrix, subject, there), run_pins(matrix, subject, as_built(there))}
            asked |= {pins: serves(pins) for pins in needed if pins not in asked}
            if all(asked[pins] for pins in needed):
                found.add(cell)
        if len(found) > len(best[1]):
            best = python, found
        if len(found) == len(cells):
            break
    return best


def command(probe: Probe, project: str) -> tuple[str, ...]:
    """The probe's command with ``{threads}`` and ``{project}`` filled in."""
    values = {"{threads}": str(probe.threads), "{project}": project}

    def filled(argument: str) -> str:
        for placeholder, value in values.items():
            argument = argument.replace(placeholder, value)
        return argument

    return tuple(filled(argument) for argument in probe.command)


def files_read(probe: Probe) -> tuple[str, ...]:
    """What a probe reads of the project: its ``files``, and what its command names there."""
    named = (match for word in probe.command for match in _IN_PROJECT.findall(word))
    return tuple(dict.fromkeys([*probe.files, *named]))


def mistakes(matrix: Matrix) -> list[str]:
    """What the tables say together that cannot be: one sentence each."""
    found = []
    product = combinations(matrix, *pythons_of(matrix))
    for n, probe in enumerate(matrix.probes, 1):
        limits = matrix.only.get(probe.name, {})
        if not any(admits(limits, cell) for cell in product.get(probe.subject, ())):
            where = f"[[probe]] {n} ('{probe.name}') only"
            found.append(f"{where}: no cell of the axes is within it, so the probe never runs")
    for cross in matrix.crosses:
        if not any(set(cross.run) <= set(subject.build_axes) for subject in matrix.subjects):
            found.append(f"{cross.where} run: no subject is built with {' and '.join(cross.run)}")
            continue
        built = [
            cell
            for subject in matrix.subjects
            if set(cross.run) <= set(subject.build_axes)
            for cell in product[subject.name]
            if not cell.is_crossed and admits(cross.build, cell)
        ]
        if not built:
            found.append(f"{cross.where} build: no cell of the axes is within it")
        elif not any(_crossed(cell, cross.run).is_crossed for cell in built):
            found.append(f"{cross.where} run: that is the version which every such cell was built with")
    return found


def pythons_of(matrix: Matrix) -> tuple[str, ...]:
    """The Pythons that cells may have, as far as the file alone can tell."""
    return matrix.pythons or SUPPORTED_PYTHONS


def spread(count: int) -> list[int]:
    """Positions 0 to ``count - 1`` from the outside in: both ends, the middle, the middles of the halves."""
    order = dict.fromkeys([0, count - 1])
    gaps = [(0, count - 1)]
    while gaps:
        low, high = gaps.pop(0)
        middle = (low + high) // 2
        if low < middle < high:
            order[middle] = None
            gaps += [(low, middle), (middle, high)]
    return list(order)


def _value(matrix: Matrix, cell: Cell) -> tuple[int, int]:
    """Smaller is more valuable: corners of the grid first, for they bound what lies between them."""
    ranks = []
    for coordinate in cell.coordinates:
        versions = matrix.axis(coordinate.axis).versions
        ranks.append(spread(len(versions)).index(versions.index(coordinate.version)))
    return max(ranks, default=0), sum(ranks)


def _crossed(cell: Cell, run: Mapping[str, str]) -> Cell:
    return replace(
        cell,
        coordinates=tuple(
            replace(c, run_version=run[c.axis]) if run.get(c.axis, c.version) != c.version else c
            for c in cell.coordinates
        ),
    )
