"""Several subjects in one ``matrix.toml``: their axes, their probes, and what of it is a mistake."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gilgrid import claims, config
from gilgrid.errors import MistakesError
from gilgrid.expectations import judge
from gilgrid.model import Cell, Record, Verdict
from gilgrid.pins import build_pins, input_pins, run_pins
from gilgrid.plan import combinations, place, plan
from gilgrid.report.grid import grids
from gilgrid.selection import select

if TYPE_CHECKING:
    from gilgrid.matrix import Matrix

TEXT = """\
[[subject]]
name = "pairs"
source = "pairs==1.0"
axes = ["cython", "scipy"]
[[subject]]
name = "headers"
source = "headers==1.0"
axes = ["pybind11", "assertions"]
run-requires = ["scipy"]
[[subject]]
name = "plain"
source = "plain==1.0"
axes = ["scipy"]
build-axes = []
[axes.cython]
versions = ["0.29.37", "3.0.12"]
stages = ["build"]
[axes.scipy]
versions = ["1.10.1", "1.17.1"]
build-inputs = ["scipy/*.pxd"]
[axes.pybind11]
versions = ["2.10.4", "3.0.1"]
stages = ["build"]
[axes.assertions]
versions = ["0", "1"]
stages = ["build"]
build-settings = { setup-args = "-Dassertions={version}" }
[[probe]]
name = "held"
subject = "pairs"
command = ["x"]
[[probe]]
name = "touched"
subject = "headers"
command = ["x"]
[[probe]]
name = "processes"
subject = "plain"
command = ["x"]
"""
CURE = """\
[[expect]]
probe = "held"
cython = ">=3"
verdict = "deadlock"
because = "it does"
[[remedy]]
name = "processes"
text = "processes instead of threads"
probes = { held = "processes" }
"""
CROSS = '[[cross]]\nbuild = { scipy = "==1.10.1" }\nrun = { scipy = "1.17.1" }\n'


def matrix(text: str = TEXT) -> Matrix:
    return config.parse(text, Path("/project/matrix.toml"), shown="matrix.toml")


def mistakes(text: str) -> tuple[str, ...]:
    with pytest.raises(MistakesError) as refusal:
        matrix(text)
    return refusal.value.mistakes


def jobs(of: Matrix) -> list[str]:
    return [str(job) for job in plan(of, combinations(of, "3.11")).jobs]


def ended(cell: Cell, probe: str, verdict: Verdict = Verdict.OK) -> Record:
    return Record(cell=cell, probe=probe, verdict=verdict, reason="", inputs="", measured_at="", seconds=0.0)


def test_each_subject_has_the_cells_of_its_own_axes() -> None:
    cells = combinations(matrix(), "3.11")

    assert {name: len(of_subject) for name, of_subject in cells.items()} == {
        "pairs": 4,
        "headers": 4,
        "plain": 2,
    }
    assert str(cells["headers"][0]) == "cp311-pybind11_2.10.4-assertions0"


def test_a_probe_runs_in_the_cells_of_its_subject_alone() -> None:
    assert [job for job in jobs(matrix()) if job.endswith("processes")] == [
        "cp311-scipy1.10.1 processes",
        "cp311-scipy1.17.1 processes",
    ]


def test_what_a_subject_is_not_built_with_is_not_crossed_for_it() -> None:
    crossed = combinations(matrix(TEXT + CROSS), "3.11")

    assert [cell.is_crossed for cell in crossed["pairs"]].count(True) == 2
    assert not any(cell.is_crossed for cell in crossed["plain"])


def test_no_subject_waits_for_another() -> None:
    of = matrix()
    found = plan(of, combinations(of, "3.11")).jobs

    assert [job.probe for job in found[:3]] == ["held", "touched", "processes"]


@pytest.mark.parametrize(
    ("pattern", "chosen"),
    [
        ("cython3.0.12-scipy1.10.1", ["held"]),
        ("*scipy1.10.1", ["held", "held", "processes"]),
        ("*assertions1", ["touched", "touched"]),
    ],
)
def test_a_pattern_chooses_no_cells_of_another_subject(pattern: str, chosen: list[str]) -> None:
    of = matrix()
    selected = select(plan(of, combinations(of, "3.11")), [pattern])

    assert sorted(job.probe for job in selected.jobs) == chosen


def test_what_only_a_remedy_names_has_its_place_after_the_versions_of_the_file() -> None:
    of = matrix(
        TEXT
        + CURE.replace('"held"\n', '"processes"\nscipy = "==1.10.1"\n', 1)
        .replace('cython = ">=3"\n', "")
        .replace('probes = { held = "processes" }', 'probes = ["processes"]\nrun = { scipy = "1.12.0" }')
    )
    tried = Cell.parse("cp311-scipy1.12.0")

    assert f"{tried} processes" in jobs(of)
    assert not of.declares(tried)
    listed = [Cell.parse("cp311-scipy1.10.1"), Cell.parse("cp311-scipy1.17.1")]
    (grid,) = grids(of, judge(of, [ended(cell, "processes") for cell in (tried, *listed)]))
    assert grid.columns == ("1.10.1", "1.17.1", "1.12.0")


def test_a_claim_may_set_a_probe_against_that_of_another_subject() -> None:
    claim = '[[claim]]\ntext = "t"\nsource = "s"\nhangs = "held"\nbut-not = "processes"\n'
    of = matrix(TEXT + CROSS + claim)
    hang = ended(Cell.parse("cp311-cython3.0.12-scipy1.10.1-run1.17.1"), "held", Verdict.DEADLOCK)
    well = ended(Cell.parse("cp313-scipy1.17.1"), "processes")

    (decided,) = claims.judge(of, [hang, well]).claims

    assert (decided.outcome, decided.supporting) == (claims.Outcome.CONFIRMED, (well,))


def test_a_remedy_may_be_a_probe_of_another_subject() -> None:
    of = matrix(TEXT + CURE + CROSS)
    (remedy,) = of.remedies
    built_with_another = Cell.parse("cp311-cython3.0.12-scipy1.10.1-run1.17.1")

    # What only runs has no version that it was built with.
    assert of.trial(remedy, built_with_another, "held") == (Cell.parse("cp311-scipy1.17.1"), "processes")
    assert sorted(jobs(of)) == sorted(jobs(matrix(TEXT + CROSS)))


def test_a_way_to_build_is_told_to_the_backend_and_never_installed() -> None:
    of = matrix()
    _, headers, _ = of.subjects
    cell = Cell.parse("cp311-pybind11_3.0.1-assertions1")

    assert of.recipe(headers, cell).build_settings == (("setup-args", "-Dassertions=1"),)
    assert build_pins(of, headers, cell).requirements == ("pip", "pybind11==3.0.1")
    assert run_pins(of, headers, cell).requirements == ("scipy",)
    assert input_pins(of, headers, cell) is None


def test_the_build_of_a_subject_that_is_only_run_with_an_axis_does_not_depend_on_it() -> None:
    of = matrix()
    plain = of.subjects[2]
    cell = Cell.parse("cp311-scipy1.10.1")

    assert build_pins(of, plain, cell).requirements == ("pip",)
    assert run_pins(of, plain, cell).requirements == ("scipy==1.10.1",)
    assert input_pins(of, plain, cell) is None


def test_each_subject_takes_a_python_that_has_wheels_for_its_own_versions() -> None:
    cells = place(
        matrix(),
        iter([["3.13"], ["3.11"]]),
        lambda pins: pins.python == "3.11" or "scipy==1.10.1" not in pins.requirements,
    )

    pythons = {name: {cell.python for cell in of_subject} for name, of_subject in cells.items()}
    assert pythons == {"pairs": {"3.13", "3.11"}, "headers": {"3.13"}, "plain": {"3.13", "3.11"}}


@pytest.mark.parametrize(
    ("part", "other", "sentence"),
    [
        ('subject = "pairs"\n', "", "[[probe]] 1 ('held') subject: is missing"),
        (
            'subject = "pairs"',
            'subject = "pair"',
            "[[probe]] 1 ('held') subject: there is no subject 'pair'; did you mean 'pairs'?",
        ),
        (
            'subject = "pairs"',
            'subject = "pairs"\naxes = ["pybind11"]',
            "[[probe]] 1 ('held') axes: there is no axis 'pybind11'; there are: cython, scipy",
        ),
        (
            'name = "headers"',
            'name = "pairs"',
            "[[subject]] 2 ('pairs') name: 'pairs' is already the name of another subject",
        ),
        ('axes = ["scipy"]', 'axes = ["numpy"]', "[[subject]] 3 ('plain') axes: there is no axis 'numpy'"),
        ('source = "plain==1.0"', "", "[[subject]] 3 ('plain') source: is missing"),
        (
            "build-axes = []",
            'build-axes = ["cython"]',
            "[[subject]] 3 ('plain') build-axes: there is no axis 'cython'",
        ),
        (
            'axes = ["pybind11", "assertions"]',
            'axes = ["pybind11"]',
            "[[subject]] 1 ('pairs') axes: no subject has the axis 'assertions'; name it here, or remove it",
        ),
        (
            'versions = ["0", "1"]\nstages = ["build"]',
            'versions = ["0", "1"]',
            "[axes.assertions] build-settings: what a build is told is there at build time alone",
        ),
        (
            'build-settings = { setup-args = "-Dassertions={version}" }',
            "build-settings = {}",
            "[axes.assertions] build-settings: is empty",
        ),
        (
            'run-requires = ["scipy"]',
            'build-settings = { setup-args = "{version}" }',
            "[[subject]] 2 ('headers') build-settings: {version} is that of an axis",
        ),
        (
            'run-requires = ["scipy"]',
            'build-axes = ["pybind11"]',
            "[[subject]] 2 ('headers') axes: nothing differs along 'assertions'",
        ),
        (
            'axes = ["scipy"]\nbuild-axes = []',
            'axes = []\nbuild-axes = ["scipy"]',
            "[[subject]] 3 ('plain') build-axes: there is no axis that could be named here",
        ),
        ("{version}", "x", "[axes.assertions] build-settings: no value has {version} in it"),
        (
            'build-settings = { setup-args = "-Dassertions={version}" }',
            'build-settings = { setup-args = "-Dassertions={version}" }\nbuild-inputs = ["a"]',
            "[axes.assertions] build-inputs: an axis with build-settings is no package",
        ),
    ],
)
def test_a_mistake_is_named_with_its_subject(part: str, other: str, sentence: str) -> None:
    text = TEXT.replace(part, other, 1)
    assert text != TEXT

    assert any(mistake.startswith(f"matrix.toml: {sentence}") for mistake in mistakes(text)), mistakes(text)


def test_an_array_of_no_subjects_is_a_mistake() -> None:
    _, axes, rest = TEXT.partition("[axes.cython]")

    assert mistakes(f"subject = []\n{axes}{rest}")[0].startswith(
        "matrix.toml: subject: at least one is needed"
    )


def test_a_cross_over_what_nobody_is_built_with_is_told_so() -> None:
    text = TEXT.replace('axes = ["cython", "scipy"]', 'axes = ["cython", "scipy"]\nbuild-axes = ["cython"]')

    assert mistakes(text + CROSS) == ("matrix.toml: [[cross]] 1 run: no subject is built with scipy",)


def test_a_probe_of_a_subject_without_axes_may_say_so() -> None:
    alone = '[[subject]]\nname = "alone"\nsource = "alone==1.0"\naxes = []\n'
    probe = '[[probe]]\nname = "p"\nsubject = "alone"\ncommand = ["x"]\naxes = []\n'

    assert "cp311 p" in jobs(matrix(alone + TEXT + probe))
