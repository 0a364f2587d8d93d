"""What ``matrix.toml`` says, as data: subjects, axes, probes, rules and claims, for any native extension."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

from packaging.version import Version

from gilgrid.model import Stage

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from packaging.specifiers import SpecifierSet

    from gilgrid.evidence import Cause
    from gilgrid.model import Cell, Coordinate, Probe, Verdict

TRIED = "+"
"""In the name of a probe that is another with a remedy's change, ``held+one-thread``: nobody writes it so."""

Specifiers: TypeAlias = "Mapping[str, SpecifierSet]"
"""By axis; an axis that is not named admits every version."""


Settings: TypeAlias = tuple[tuple[str, str], ...]
"""The ``config_settings`` of PEP 517, passed to a build backend; a key may stand there more than once."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A native extension that is built in each cell of its axes; a matrix may have several."""

    name: str
    source: Path | str
    """A folder with a ``pyproject.toml``, or a requirement whose sdist is built."""
    axes: tuple[str, ...]
    """What its cells are made of: it is neither built nor run once more along any other axis."""
    build_axes: tuple[str, ...]
    """Those of them that its build depends on: a probe away from one of them runs without it."""
    build_requires: tuple[str, ...] = ()
    run_requires: tuple[str, ...] = ()
    requires_python: SpecifierSet | None = None
    dependencies: tuple[str, ...] = ()
    """What its ``pyproject.toml`` says that it needs while it runs."""
    build_settings: Settings = ()
    price: str = ""
    """The metric of its probes by which two remedies are compared; the less, the better."""

    @property
    def folder(self) -> Path | None:
        """The folder to build; ``None`` where the subject is a requirement."""
        return None if isinstance(self.source, str) else self.source

    def supports(self, python: str) -> bool:
        """Whether the subject says that it runs on that Python."""
        # A bound such as >=3.9.2 speaks of patch levels, of which 3.9 has a late one.
        return self.requires_python is None or contains(self.requires_python, f"{python}.99")


@dataclass(frozen=True, kw_only=True)
class Axis:
    """A package with a list of versions; or, where it has build settings, a way to build."""

    name: str
    versions: tuple[str, ...]
    stages: frozenset[Stage] = frozenset(Stage)
    build_inputs: tuple[str, ...] = ()
    """Patterns below ``site-packages``: all that a compiler sees of the package. Same content, same build."""
    build_settings: Settings = ()
    """With ``{version}`` in them: what the build backend is told. Nothing is installed for such an axis."""

    def place(self, version: str) -> tuple[int, Version]:
        """Where a version stands in tables: in the order of the file, then what only a remedy names."""
        listed = version in self.versions
        return self.versions.index(version) if listed else len(self.versions), Version(version)

    def is_installed(self, stage: Stage) -> bool:
        """Whether it is a package that is there at that stage."""
        return stage in self.stages and not self.build_settings


@dataclass(frozen=True, kw_only=True)
class Cross:
    """Builds that are also run with another version than the one they were built with."""

    where: str
    build: Specifiers
    run: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """An expectation: in these cells, that probe has this verdict, and why."""

    where: str
    """How messages name it: ``[[expect]] 3``."""
    probes: tuple[str, ...]
    build: Specifiers
    run: Specifiers
    verdict: Verdict
    because: str
    cause: Cause | None = None
    """Of a hang: another cause differs as another verdict does. ``None`` expects any."""

    @property
    def expects_a_hang(self) -> bool:
        """Whether it hangs there, or does in some of its repeats."""
        return self.verdict.is_hang or bool(self.cause)

    def matches(self, cell: Cell, probe: str) -> bool:
        """Whether the rule speaks of that probe in that cell."""
        return (
            probe in self.probes
            and admits(self.build, cell)
            and all(
                (c := cell.coordinate(axis)) is not None and contains(specifiers, c.at_run)
                for axis, specifiers in self.run.items()
            )
        )


@dataclass(frozen=True, kw_only=True)
class Remedy:
    """A change that is claimed to cure a hang: tried in each cell where a rule expects that one."""

    name: str
    text: str
    """What one would do, for people."""
    probes: Mapping[str, str]
    """By probe that hangs: the one that has the change; itself, where only versions change."""
    build: Mapping[str, str] = field(default_factory=dict)
    """By axis: the version to build and run with instead."""
    run: Mapping[str, str] = field(default_factory=dict)
    """By axis: the version to run with instead of the one that it was built with."""

    def cell(self, hangs: Cell) -> Cell:
        """Where it is tried on what hangs in that cell."""
        changed = []
        for c in hangs.coordinates:
            version = self.build.get(c.axis, c.version)
            run = self.run.get(c.axis, version if c.axis in self.build else c.at_run)
            changed.append(replace(c, version=version, run_version=None if run == version else run))
        return replace(hangs, coordinates=tuple(changed))


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A sentence, and what would refute it; of the six ways to test it, it has one or none."""

    text: str
    source: str
    hangs: tuple[str, ...] = ()
    """The probes that it speaks of, where they hang."""
    within: Specifiers = field(default_factory=dict)
    """They hang in no other cells."""
    but_not: str = ""
    """The probe that never hangs, also where they do."""
    cpus_below: float | None = None
    """They use less than so many CPUs once they hang."""
    cured_by: str = ""
    """The remedy that cures them, wherever they hang."""
    probes: tuple[str, ...] = ()
    """The probes that it speaks of, whatever becomes of them."""
    only: Specifiers = field(default_factory=dict)
    """In these cells."""
    ends: Verdict | None = None
    """They end so."""
    metric: str = ""
    """They measure this, within the next two."""
    at_least: float | None = None
    at_most: float | None = None


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """One ``matrix.toml``, checked."""

    path: Path
    subjects: tuple[Subject, ...]
    axes: tuple[Axis, ...]
    probes: tuple[Probe, ...]
    pythons: tuple[str, ...] = ()
    """Empty: each cell takes a Python for which its versions have wheels."""
    crosses: tuple[Cross, ...] = ()
    rules: tuple[Rule, ...] = ()
    only: Mapping[str, Specifiers] = field(default_factory=dict)
    """By probe: the cells it is limited to."""
    remedies: tuple[Remedy, ...] = ()
    claims: tuple[Claim, ...] = ()

    @property
    def project(self) -> Path:
        """The folder that relative paths in the file start from."""
        return self.path.parent

    @property
    def title(self) -> str:
        """What this is the matrix of."""
        return ", ".join(subject.name for subject in self.subjects)

    def axis(self, name: str) -> Axis:
        """The axis of that name, which must exist."""
        return next(axis for axis in self.axes if axis.name == name)

    def subject_of(self, probe: str) -> Subject:
        """The subject that a probe, which must exist, runs with."""
        name = self.probe(probe).subject
        return next(subject for subject in self.subjects if subject.name == name)

    def recipe(self, subject: Subject, cell: Cell) -> Subject:
        """The subject as it is built for a cell: with the build settings of the axes as well."""
        told = tuple(
            (key, value.replace("{version}", coordinate.version))
            for coordinate in cell.coordinates
            if coordinate.axis in subject.build_axes
            for key, value in self.axis(coordinate.axis).build_settings
        )
        return replace(subject, build_settings=subject.build_settings + told)

    def seen_by(self, probe: str, cell: Cell) -> Cell:
        """A cell, perhaps of another subject, as that probe sees it: what it is not built with only runs."""
        built = self.subject_of(probe).build_axes
        projected = cell.projected(self.probe(probe).axes)
        return replace(
            projected,
            coordinates=tuple(
                c if c.axis in built else replace(c, version=c.at_run, run_version=None)
                for c in projected.coordinates
            ),
        )

    @cached_property
    def tried(self) -> frozenset[str]:
        """The probes that only remedies name: they run where another one hangs, and nowhere else."""
        named = {rescued for remedy in self.remedies for rescued in remedy.probes.values()}
        return frozenset(name for name in named if TRIED in name)

    def probe(self, name: str) -> Probe:
        """The probe of that name, which must exist."""
        return self._probes[name]

    @cached_property
    def _probes(self) -> dict[str, Probe]:
        return {probe.name: probe for probe in self.probes}

    def declares(self, cell: Cell) -> bool:
        """Whether the cell is of the axes, or of a ``[[cross]]``: others are there for a remedy alone."""
        if any(c.version not in self.axis(c.axis).versions for c in cell.coordinates):
            return False
        run = {c.axis: c.run_version for c in cell.coordinates if c.run_version}
        built = {c.axis: c.version for c in cell.coordinates}
        return not run or any(
            admits(cross.build, cell)
            and run == {axis: version for axis, version in cross.run.items() if built.get(axis) != version}
            for cross in self.crosses
        )

    def trial(self, remedy: Remedy, cell: Cell, probe: str) -> tuple[Cell, str] | None:
        """Where the remedy is tried on a probe that hangs in that cell; None where it changes nothing."""
        if probe not in remedy.probes:
            return None
        instead = remedy.probes[probe]
        place = self.seen_by(instead, remedy.cell(cell)), instead
        return None if place == (cell, probe) else place

    def rule(self, cell: Cell, probe: str) -> Rule | None:
        """The rule that says most of a probe in a cell; rules that contradict each other were refused."""
        matching = [rule for rule in self.rules if rule.matches(cell, probe)]
        return next((rule for rule in matching if rule.cause), matching[0] if matching else None)


def contains(specifiers: SpecifierSet, version: str) -> bool:
    """Whether the specifiers admit the version; a pre-release that was listed counts as any other."""
    return specifiers.contains(Version(version), prereleases=True)


def admits(specifiers: Specifiers, cell: Cell) -> bool:
    """Whether the cell's build-time versions, and its Python, are within the specifiers."""
    for axis, allowed in specifiers.items():
        coordinate: Coordinate | None = cell.coordinate(axis)
        version = cell.python if axis == "python" else coordinate.version if coordinate else None
        if version is None or not contains(allowed, version):
            return False
    return True
