"""What is compared with what: two commits, or two versions of an axis, in the cells that asv measures in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from gilgrid.benchmarked import place
from gilgrid.errors import MistakesError
from gilgrid.selection import matches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from gilgrid.matrix import Matrix, Subject
    from gilgrid.model import Cell

    Places = Sequence[tuple[str, Mapping[str, str]]]
    """Pythons, with a version of each axis."""


@dataclass(frozen=True, kw_only=True)
class Side:
    """A cell with the subject as it was at a commit, or as it lies there now."""

    name: str
    cell: Cell
    subject: Subject
    source: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two sides that differ in one thing."""

    sides: tuple[Side, Side]
    axis: str = ""
    """Whose versions differ, where it is no commit."""

    @property
    def label(self) -> str:
        """The cell without what differs."""
        return str(self.without(self.sides[0].cell))

    def without(self, cell: Cell) -> Cell:
        """A cell of a side, or what is left of it on fewer axes, without what differs."""
        return cell.projected(tuple(one.axis for one in cell.coordinates if one.axis != self.axis))


def pairs(
    matrix: Matrix, places: Places, names: tuple[str, str], checkout: Callable[[str, Subject], Path | None]
) -> list[Pair]:
    """Every pair of these two names, ``scipy==1.10.1`` each, or commits that ``checkout`` knows.

    Raises ``MistakesError`` where they are neither.
    """
    match [_version(matrix, name) for name in names]:
        case [None, None]:
            return _of_commits(matrix, places, names, checkout)
        case [(axis, before), (other, after)] if axis == other:
            return _of_versions(matrix, places, axis, (before, after))
        case _:
            sentence = "compare two commits, or two versions of one axis, as scipy==1.10.1 scipy==1.17.1"
            raise MistakesError([f"{names[0]} and {names[1]}: {sentence}"])


def chosen(found: Iterable[Pair], patterns: Sequence[str]) -> list[Pair]:
    """Those with a cell that matches any of the patterns. Raises ``MistakesError`` where that is none."""
    everything = list(found)
    kept = [
        pair
        for pair in everything
        if not patterns or any(matches(side.cell, pattern) for side in pair.sides for pattern in patterns)
    ]
    if not kept:
        asked = " ".join(f"--cell {pattern}" for pattern in patterns)
        known = ", ".join(str(pair.sides[0].cell) for pair in everything)
        raise MistakesError([f"nothing matches {asked}; asv.conf.json has {known}"])
    return kept


def _version(matrix: Matrix, name: str) -> tuple[str, str] | None:
    """The axis and its version that a name says, or nothing."""
    try:
        requirement = Requirement(name)
    except InvalidRequirement:
        return None
    pins = [one for one in requirement.specifier if one.operator == "=="]
    if len(pins) != len(requirement.specifier) or len(pins) != 1:
        return None
    known = {canonicalize_name(axis.name): axis.name for axis in matrix.axes}
    axis = known.get(canonicalize_name(requirement.name))
    if axis is None:
        raise MistakesError([f"{name}: matrix.toml has no such axis; it has {', '.join(known.values())}"])
    return axis, pins[0].version


def _of_versions(matrix: Matrix, places: Places, axis: str, versions: tuple[str, str]) -> list[Pair]:
    found = {}
    for python, others in places:
        if axis in others:
            (subject, before), (_, after) = (
                place(matrix, python, {**others, axis: version}) for version in versions
            )
            pair = Pair(
                axis=axis,
                sides=(
                    Side(name=f"{axis} {versions[0]}", cell=before, subject=subject),
                    Side(name=f"{axis} {versions[1]}", cell=after, subject=subject),
                ),
            )
            found[subject.name, pair.label] = pair
    if not found:
        raise MistakesError([f"asv.conf.json measures nothing with the axis {axis}; add it to its matrix"])
    return list(found.values())


def _of_commits(
    matrix: Matrix,
    places: Places,
    commits: tuple[str, str],
    checkout: Callable[[str, Subject], Path | None],
) -> list[Pair]:
    found = []
    for python, versions in places:
        subject, cell = place(matrix, python, versions)
        before, after = (
            Side(name=commit, cell=cell, subject=subject, source=checkout(commit, subject))
            for commit in commits
        )
        found.append(Pair(sides=(before, after)))
    return found
