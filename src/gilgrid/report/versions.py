"""A benchmark over the versions of one axis, with all else the same: lines, and the steps in them. Pure."""

from __future__ import annotations

import itertools
import math
import statistics
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from packaging.version import Version

from gilgrid.comparison import chance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from gilgrid.matrix import Matrix
    from gilgrid.model import Record

    Detect = Callable[[Sequence[float]], Sequence[int]]
    """Where each part of a series begins that has one level."""

LEAST_STEP = 1.1
"""By what factor a level must differ from the one before to be told."""
_LEAST_POINTS = 2
_FALSE_ALARMS = 0.05
"""How likely so clear a step may be by chance: it takes three values on each side, and none out of order."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What a benchmark at its parameters came to, with one version of each axis."""

    benchmark: str
    parameters: str
    unit: str
    where: str
    """The Python, and what else environments differ in that is no version."""
    versions: Mapping[str, str]
    values: tuple[float, ...]
    """More than one where it was repeated, or where its quartiles are known: they show how noisy it is."""
    at: str = ""
    """Of which commit that is, where it is of one."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """A version from which on all is faster, or slower."""

    version: str
    ratio: float
    """Of the level after it to that before it."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """A benchmark over the versions of one axis."""

    benchmark: str
    parameters: str
    unit: str
    axis: str
    others: str
    """What was the same, as ``Python 3.11, cython 3.0.12``."""
    at: str
    """Of which commit, where it is of one."""
    points: Mapping[str, tuple[float, ...]]
    """By version, in ascending order."""
    steps: tuple[Step, ...]


def of_matrix(matrix: Matrix, records: Iterable[Record]) -> list[Sample]:
    """What probes have measured; of those that run with what they are built with, each machine by itself."""
    found = []
    several = list(records)
    has_several_machines = len({record.machine_name for record in several}) > 1
    for record in several:
        if record.cell.is_crossed or record.probe in matrix.tried:
            continue
        names = dict.fromkeys(name for attempt in record.attempts for name in attempt.metrics)
        for name in names:
            values = (attempt.metrics.get(name) for attempt in record.attempts)
            found.append(
                Sample(
                    benchmark=record.probe,
                    parameters=name,
                    unit="seconds" if name.startswith("seconds") else "",
                    where=", ".join(
                        [
                            f"Python {record.cell.python}",
                            *([record.machine_name] if has_several_machines else []),
                        ]
                    ),
                    versions={c.axis: c.version for c in record.cell.coordinates},
                    values=tuple(value for value in values if value is not None),
                )
            )
    return found


def lines(samples: Iterable[Sample], detect: Detect) -> list[Line]:
    """Every line with two versions and more, in the order of the samples."""
    found: dict[tuple[str, str, str, str], dict[str, list[float]]] = {}
    first: dict[tuple[str, str, str, str], Sample] = {}
    for sample in samples:
        for axis, version in sample.versions.items():
            same = [f"{name} {other}" for name, other in sample.versions.items() if name != axis]
            others = ", ".join([sample.where, *same])
            key = sample.benchmark, sample.parameters, axis, others
            first.setdefault(key, sample)
            found.setdefault(key, {}).setdefault(version, []).extend(sample.values)
    made = []
    for key, by_version in found.items():
        benchmark, parameters, axis, others = key
        points = {
            version: tuple(by_version[version])
            for version in sorted(by_version, key=Version)
            if by_version[version]
        }
        if len(points) >= _LEAST_POINTS:
            made.append(
                Line(
                    benchmark=benchmark,
                    parameters=parameters,
                    unit=first[key].unit,
                    axis=axis,
                    others=others,
                    at=first[key].at,
                    points=points,
                    steps=tuple(_steps(points, detect)),
                )
            )
    return made


def to_json(found: Sequence[Line]) -> dict[str, Any]:
    """What the page shows: every line, and the steps of all lines of a benchmark together, greatest first.

    What is faster with one Cython and slower with another are two steps.
    """
    together: dict[tuple[str, str, str, str, bool], list[float]] = {}
    for one in found:
        for step in one.steps:
            key = one.benchmark, one.parameters, one.axis, step.version, step.ratio > 1
            together.setdefault(key, []).append(step.ratio)
    alike = Counter((one.benchmark, one.parameters, one.axis) for one in found)
    units = {(one.benchmark, one.parameters, one.axis): one.unit for one in found}
    steps = []
    for (benchmark, parameters, axis, version, _), ratios in together.items():
        ratio = statistics.median(ratios)
        steps.append(
            {
                "benchmark": benchmark,
                "parameters": parameters,
                "axis": axis,
                "ratio": ratio,
                "text": f"{axis} {version}: {_text(ratio, units[benchmark, parameters, axis])}",
                "lines": len(ratios),
                "of": alike[benchmark, parameters, axis],
            }
        )
    seen: dict[str, set[str]] = {}
    for one in found:
        seen.setdefault(one.axis, set()).update(one.points)
    return {
        "versions": {axis: sorted(versions, key=Version) for axis, versions in seen.items()},
        "lines": [
            {
                "benchmark": one.benchmark,
                "parameters": one.parameters,
                "unit": one.unit,
                "axis": one.axis,
                "others": one.others,
                "at": one.at,
                "points": [
                    [version, statistics.median(values), min(values), max(values)]
                    for version, values in one.points.items()
                ],
                "steps": [
                    {"version": step.version, "ratio": step.ratio, "text": _text(step.ratio, one.unit)}
                    for step in one.steps
                ],
            }
            for one in found
        ],
        # What is seen with one Cython of six is less than what is seen with all.
        "steps": sorted(steps, key=lambda step: -abs(math.log(step["ratio"])) * step["lines"] / step["of"]),
    }


def _text(ratio: float, unit: str) -> str:
    """The step in words: ``3.1 times faster``."""
    less, more = ("faster", "slower") if unit == "seconds" else ("smaller", "larger")
    return f"{max(ratio, 1 / ratio):.1f} times {more if ratio > 1 else less}"


def _steps(points: Mapping[str, tuple[float, ...]], detect: Detect) -> Iterable[Step]:
    """Those between two versions; a level that changes among the repeats of one version is noise."""
    begins = dict(zip(itertools.accumulate(map(len, points.values()), initial=0), points, strict=False))
    found = set(detect([*itertools.chain.from_iterable(points.values())]))
    parts: list[tuple[str, list[float]]] = []
    for begin, version in begins.items():
        if begin in found or not parts:
            parts.append((version, []))
        parts[-1][1].extend(points[version])
    for (_, before), (version, after) in itertools.pairwise(parts):
        levels = statistics.median(before), statistics.median(after)
        if min(levels) > 0 and max(levels) / min(levels) >= LEAST_STEP and _are_apart(before, after):
            yield Step(version=version, ratio=levels[1] / levels[0])


def _are_apart(before: Sequence[float], after: Sequence[float]) -> bool:
    """Whether three quarters of one are on one side of three quarters of the other, and hardly by chance."""
    low, high = sorted([sorted(before), sorted(after)], key=statistics.median)
    is_clear = low[len(low) * 3 // 4 - (len(low) % 4 == 0)] < high[len(high) // 4]
    return is_clear and chance(low, high) <= _FALSE_ALARMS
