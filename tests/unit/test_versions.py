"""Lines over versions, and what is a step in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gilgrid import config
from gilgrid.dashboard.steps import detect
from gilgrid.model import Attempt, Cell, Record, Verdict
from gilgrid.report.versions import Line, Sample, lines, of_matrix, to_json
from tests.unit.test_plan import TEXT


def samples(values: dict[str, tuple[float, ...]], unit: str = "seconds", **others: str) -> list[Sample]:
    return [
        Sample(
            benchmark="b",
            parameters="",
            unit=unit,
            where="Python 3.11",
            versions={"scipy": version, **others},
            values=of,
        )
        for version, of in values.items()
    ]


def only(found: list[Line]) -> Line:
    (line,) = found
    return line


def steps(values: dict[str, tuple[float, ...]]) -> list[tuple[str, float]]:
    return [(step.version, round(step.ratio, 2)) for step in only(lines(samples(values), detect)).steps]


def test_versions_are_in_their_own_order() -> None:
    found = only(lines(samples({"1.10.1": (1,), "1.9.3": (1,)}), detect))
    assert list(found.points) == ["1.9.3", "1.10.1"]
    assert found.others == "Python 3.11"


def test_all_versions_of_an_axis_are_in_order_with_prereleases_before_their_release() -> None:
    one = samples({"3.0.0": (1,), "3.0.0rc1": (1,)})
    other = samples({"3.0.0a11": (1,), "3.1": (1,)}, cython="3")
    told = to_json(lines([*one, *other], detect))
    assert told["versions"]["scipy"] == ["3.0.0a11", "3.0.0rc1", "3.0.0", "3.1"]


def test_one_version_is_no_line_and_what_was_not_measured_no_point() -> None:
    assert lines(samples({"1.9.3": (1,), "1.10.1": ()}), detect) == []


def test_a_level_from_a_version_on_is_a_step() -> None:
    assert steps({"1": (3.0, 3.1, 2.9), "2": (3.0, 3.1, 3.0), "3": (1.0, 1.0, 1.1)}) == [("3", 0.33)]
    three: dict[str, tuple[float, ...]] = {"1": (1.0, 1.0, 1.0), "2": (2.0, 2.1, 2.1), "3": (4.0, 4.1, 4.1)}
    assert steps(three) == [("2", 2.1), ("3", 1.95)]


@pytest.mark.parametrize(
    "values",
    [
        {"1": (1.0, 1.02, 0.98), "2": (1.01, 1.0, 1.03)},
        {"1": (1.0, 1.0, 1.0), "2": (1.05, 1.05, 1.05)},  # a step, too small to be told
        {"1": (1.0, 1.0, 1.0), "2": (1.0, 9.0, 9.0, 1.0, 1.0)},  # disturbed while it ran
        {"1": (1.0, 5.0, 1.0, 5.0), "2": (5.0, 1.0, 5.0, 5.0)},
        {"1": (0.0, 0.0, 0.0), "2": (1.0, 1.0, 1.0)},  # no ratio
        {"1": (3.0,), "2": (1.0,)},  # measured once
        {"1": (3.0, 3.0), "2": (1.0, 1.0)},
    ],
)
def test_what_is_noise_is_no_step(values: dict[str, tuple[float, ...]]) -> None:
    assert steps(values) == []


def told(unit: str) -> dict[str, Any]:
    more = samples({"1.9": (4.0,) * 3, "1.10": (1.0,) * 3}, unit, cython="3.0")
    same = samples({"1.9": (4.0,) * 3, "1.10": (4.0,) * 3}, unit, cython="3.1")
    return to_json(lines([*more, *same], detect))


def test_steps_of_all_lines_are_told_together() -> None:
    (step,) = [step for step in told("seconds")["steps"] if step["axis"] == "scipy"]
    assert step["text"] == "scipy 1.10: 4.0 times faster"
    assert (step["lines"], step["of"]) == (1, 2)
    (step,) = [step for step in told("bytes")["steps"] if step["axis"] == "cython"]
    assert step["text"] == "cython 3.1: 4.0 times larger"


def test_opposite_steps_are_not_made_to_one() -> None:
    slower = samples({"1.9": (1.0,) * 3, "1.10": (2.0,) * 3}, cython="3.0")
    faster = samples({"1.9": (2.0,) * 3, "1.10": (1.0,) * 3}, cython="3.1")
    found = [one for one in to_json(lines([*slower, *faster], detect))["steps"] if one["axis"] == "scipy"]
    assert [(one["text"], one["lines"], one["of"]) for one in found] == [
        ("scipy 1.10: 2.0 times slower", 1, 2),
        ("scipy 1.10: 2.0 times faster", 1, 2),
    ]


def test_what_several_machines_have_measured_is_on_lines_of_their_own() -> None:
    matrix = config.parse(TEXT, Path("/project/matrix.toml"), shown="matrix.toml")
    of_probe = [
        Record(
            cell=Cell.parse(f"cp311-cython3.0.12-scipy{scipy}"),
            probe="both",
            verdict=Verdict.OK,
            reason="",
            inputs="",
            measured_at="",
            seconds=1.0,
            attempts=(Attempt(verdict=Verdict.OK, seconds=1.0, cpu_seconds=1.0, metrics={"seconds": 1.0}),),
            machine={"cpu": cpu, "cpus": 2},
        )
        for scipy, cpu in (("1.9.3", "EPYC"), ("1.10.1", "EPYC"), ("1.17.1", "Xeon"))
    ]
    found = only([line for line in lines(of_matrix(matrix, of_probe), detect) if line.axis == "scipy"])
    assert list(found.points) == ["1.9.3", "1.10.1"]
    assert found.others == "Python 3.11, EPYC, 2 CPUs, ?, cython 3.0.12"
    same = lines(of_matrix(matrix, of_probe[:2]), detect)
    assert only([line for line in same if line.axis == "scipy"]).others == "Python 3.11, cython 3.0.12"
