"""Which cells there are, in which order, with which Python, and what each of them needs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gilgrid import config
from gilgrid.errors import MistakesError
from gilgrid.model import Cell, Probe
from gilgrid.pins import Pins, build_pins, input_pins, run_pins
from gilgrid.plan import combinations, command, place, plan, spread
from gilgrid.selection import chosen, select

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gilgrid.matrix import Matrix
    from gilgrid.plan import Cells

TEXT = """\
[subject]
name = "tiny"
source = "tiny==1.0"
build-requires = ["ninja"]
run-requires = ["pytest"]
[axes.cython]
versions = ["0.29.37", "3.0.12", "3.1.8", "3.2.9"]
stages = ["build"]
[axes.scipy]
versions = ["1.9.3", "1.10.1", "1.17.1"]
[[probe]]
name = "both"
command = ["x"]
[[probe]]
name = "scipy-only"
command = ["x"]
axes = ["scipy"]
"""
CROSS = '[[cross]]\nbuild = {scipy = "==1.10.1", cython = "==3.0.12"}\nrun = {scipy = "1.17.1"}\n'


def matrix(text: str = TEXT) -> Matrix:
    return config.parse(text, Path("/project/matrix.toml"), shown="matrix.toml")


def cells_of(text: str = TEXT) -> list[Cell]:
    return listed(combinations(matrix(text), "3.11"))


def listed(cells: Cells) -> list[Cell]:
    return [cell for of_subject in cells.values() for cell in of_subject]


def names(cells: Sequence[Cell]) -> list[str]:
    return [str(cell) for cell in cells]


@pytest.mark.parametrize(
    ("count", "order"),
    [(1, [0]), (2, [0, 1]), (3, [0, 2, 1]), (5, [0, 4, 2, 1, 3]), (6, [0, 5, 2, 1, 3, 4])],
)
def test_positions_go_from_the_outside_in(count: int, order: list[int]) -> None:
    assert spread(count) == order


@pytest.mark.parametrize("count", range(1, 40))
def test_every_position_comes_once(count: int) -> None:
    assert sorted(spread(count)) == list(range(count))


def test_the_corners_of_the_grid_come_first() -> None:
    assert set(names(cells_of())[:4]) == {
        "cp311-cython0.29.37-scipy1.9.3",
        "cp311-cython0.29.37-scipy1.17.1",
        "cp311-cython3.2.9-scipy1.9.3",
        "cp311-cython3.2.9-scipy1.17.1",
    }


def test_every_pair_is_a_cell_once() -> None:
    cells = cells_of()

    assert len(cells) == len(set(cells)) == 12


def test_what_runs_with_another_version_comes_last() -> None:
    cells = cells_of(TEXT + CROSS)

    assert names(cells)[12:] == ["cp311-cython3.0.12-scipy1.10.1-run1.17.1"]


def test_a_cross_to_its_own_version_is_no_further_cell() -> None:
    text = TEXT + '[[cross]]\nbuild = {cython = "==3.0.12"}\nrun = {scipy = "1.17.1"}\n'

    assert names(cells_of(text))[12:] == [
        "cp311-cython3.0.12-scipy1.9.3-run1.17.1",
        "cp311-cython3.0.12-scipy1.10.1-run1.17.1",
    ]


def test_two_crosses_to_the_same_cell_make_it_once() -> None:
    assert len(cells_of(TEXT + CROSS + CROSS)) == 13


def test_a_probe_runs_once_for_all_versions_that_it_does_not_depend_on() -> None:
    jobs = plan(matrix(), combinations(matrix(), "3.11")).jobs

    assert len([job for job in jobs if job.probe == "both"]) == 12
    assert {str(job.cell) for job in jobs if job.probe == "scipy-only"} == {
        "cp311-scipy1.9.3",
        "cp311-scipy1.10.1",
        "cp311-scipy1.17.1",
    }


def test_a_probe_away_from_a_build_axis_runs_without_the_subject() -> None:
    jobs = plan(matrix(), combinations(matrix(), "3.11")).jobs

    assert {(job.probe, job.with_subject) for job in jobs} == {("both", True), ("scipy-only", False)}


def test_a_limited_probe_runs_only_within_its_limits() -> None:
    limited = matrix(
        TEXT.replace('name = "both"', 'name = "both"\nonly = {cython = ">=3.2", scipy = "<1.10"}')
    )

    jobs = plan(limited, combinations(limited, "3.11")).jobs

    assert [str(job.cell) for job in jobs if job.probe == "both"] == ["cp311-cython3.2.9-scipy1.9.3"]


def test_jobs_come_most_valuable_first() -> None:
    jobs = plan(matrix(), combinations(matrix(), "3.11")).jobs

    assert str(jobs[0]) == "cp311-cython0.29.37-scipy1.9.3 both"
    assert [job.cell for job in jobs if job.probe == "both"] == cells_of()


@pytest.mark.parametrize(
    ("pattern", "count"),
    [
        ("cp311-cython3.0.12-scipy1.10.1", 2),
        ("cython3.0.12-scipy1.10.1", 2),
        ("cython3.0.12-*", 6),
        ("*scipy1.10.1", 5),
        ("cp311-*", 15),
        ("scipy1.10.1", 1),
        ("*scipy1.10", 0),
        ("cp312-*", 0),
        ("*scipy1.1[07].1", 10),
    ],
)
def test_a_pattern_chooses_cells_with_or_without_their_python(pattern: str, count: int) -> None:
    whole = plan(matrix(), combinations(matrix(), "3.11"))

    assert len(select(whole, [pattern]).jobs) == count


def test_a_pair_has_the_probes_that_depend_on_a_part_of_it() -> None:
    chosen = select(plan(matrix(), combinations(matrix(), "3.11")), ["cython3.0.12-scipy1.10.1"])

    assert [str(job) for job in chosen.jobs] == [
        "cp311-scipy1.10.1 scipy-only",
        "cp311-cython3.0.12-scipy1.10.1 both",
    ]
    assert names(chosen.cells) == ["cp311-cython3.0.12-scipy1.10.1"]


def test_a_pattern_chooses_probes() -> None:
    whole = plan(matrix(), combinations(matrix(), "3.11"))

    chosen = select(whole, ["*scipy1.10.1"], ["scipy-*"])

    assert [str(job) for job in chosen.jobs] == ["cp311-scipy1.10.1 scipy-only"]
    assert len(chosen.cells) == 4


class Wheels:
    """Which SciPy has wheels for which Python; counts how often it was asked."""

    def __init__(self, served: dict[str, set[str]]) -> None:
        self._served = served
        self.asked: list[str] = []

    def serves(self, pins: Pins) -> bool:
        self.asked.append(pins.python)
        (scipy,) = (line.removeprefix("scipy==") for line in pins.requirements if line.startswith("scipy=="))
        return scipy in self._served.get(pins.python, set())


def test_one_python_that_serves_all_is_taken_and_no_other_asked() -> None:
    wheels = Wheels({"3.11": {"1.9.3", "1.10.1", "1.17.1"}, "3.12": {"1.17.1"}})

    cells = listed(place(matrix(), [["3.11", "3.12"]], wheels.serves))

    assert {cell.python for cell in cells} == {"3.11"}
    assert set(wheels.asked) == {"3.11"}


def test_the_python_that_serves_most_is_taken_and_another_for_the_rest() -> None:
    wheels = Wheels({"3.13": {"1.17.1"}, "3.11": {"1.10.1", "1.17.1"}, "3.8": {"1.9.3"}})

    cells = listed(place(matrix(), [["3.13", "3.11", "3.8"]], wheels.serves))

    pythons = {(c.version, cell.python) for cell in cells if (c := cell.coordinate("scipy"))}
    assert pythons == {("1.17.1", "3.11"), ("1.10.1", "3.11"), ("1.9.3", "3.8")}


def test_a_later_tier_is_not_looked_at_while_an_earlier_one_serves() -> None:
    def tiers() -> Iterator[list[str]]:
        yield ["3.11"]
        pytest.fail("the second tier was asked for")

    assert len(listed(place(matrix(), tiers(), Wheels({"3.11": {"1.9.3", "1.10.1", "1.17.1"}}).serves))) == 12


def test_a_later_tier_serves_what_no_earlier_one_does() -> None:
    wheels = Wheels({"3.12": {"1.17.1"}, "3.10": {"1.9.3", "1.10.1"}})

    cells = listed(place(matrix(), [["3.12"], [], ["3.10"]], wheels.serves))

    assert {cell.python for cell in cells} == {"3.12", "3.10"}
    assert len(cells) == 12


def test_a_cell_that_nobody_serves_keeps_the_first_python() -> None:
    cells = listed(place(matrix(), [["3.12", "3.11"]], Wheels({"3.11": {"1.10.1"}}).serves))

    assert {cell.python for cell in cells if (c := cell.coordinate("scipy")) and c.version == "1.9.3"} == {
        "3.12"
    }


def test_without_any_python_there_are_cells_still() -> None:
    assert len(listed(place(matrix(), [[]], Wheels({}).serves))) == 12


def test_pythons_of_the_file_are_not_looked_for() -> None:
    both = matrix(TEXT.replace("[[probe]]", '[axes.python]\nversions = ["3.9", "3.13"]\n[[probe]]', 1))

    cells = listed(
        place(both, [["3.11"]], lambda _pins: pytest.fail("a resolution that the file makes needless"))
    )

    assert [cell.python for cell in cells] == ["3.9"] * 12 + ["3.13"] * 12


def test_a_crossed_cell_needs_wheels_for_its_build_too() -> None:
    crossed = matrix(TEXT.replace('"1.9.3", "1.10.1", "1.17.1"', '"1.10.1"') + CROSS)
    wheels = Wheels({"3.12": {"1.17.1"}, "3.11": {"1.10.1", "1.17.1"}})

    cells = listed(place(crossed, [["3.12", "3.11"]], wheels.serves))

    assert {cell.python for cell in cells} == {"3.11"}


def test_order_stays_when_cells_have_several_pythons() -> None:
    wheels = Wheels({"3.12": {"1.17.1"}, "3.10": {"1.9.3", "1.10.1"}})

    cells = listed(place(matrix(), [["3.12", "3.10"]], wheels.serves))

    assert [cell.coordinates for cell in cells] == [c.coordinates for c in cells_of()]


CROSSED = Cell.parse("cp311-cython3.0.12-scipy1.10.1-run1.17.1")


def test_a_probe_runs_beside_the_run_time_versions_only() -> None:
    assert run_pins(matrix(), matrix().subjects[0], CROSSED) == Pins(
        python="3.11", requirements=("pytest", "scipy==1.17.1")
    )


def test_a_build_sees_the_build_time_versions_and_its_backend() -> None:
    assert build_pins(matrix(), matrix().subjects[0], CROSSED).requirements == (
        "cython==3.0.12",
        "ninja",
        "pip",
        "scipy==1.10.1",
    )


def test_build_inputs_are_read_where_the_build_time_versions_run_anyway() -> None:
    named = matrix(TEXT.replace('"1.17.1"]', '"1.17.1"]\nbuild-inputs = ["scipy/*.pxd"]'))

    (subject,) = named.subjects
    as_built = Cell.parse("cp311-cython3.0.12-scipy1.10.1")
    assert input_pins(named, subject, CROSSED) == run_pins(named, subject, as_built)


def test_without_build_inputs_no_environment_is_needed_to_read_them() -> None:
    assert input_pins(matrix(), matrix().subjects[0], CROSSED) is None


def test_placeholders_of_a_command_are_filled_in() -> None:
    probe = Probe(
        name="p", command=("x", "-t{threads}", "{project}/t", "{other}"), axes=("scipy",), threads=2
    )

    assert command(probe, "/here") == ("x", "-t2", "/here/t", "{other}")


@pytest.mark.parametrize(
    ("cells", "probes", "known"),
    [
        (["*nope*"], [], "--cell *nope*; a cell is cp311-cython0.29.37-scipy1.9.3, "),
        ([], ["nope"], "--probe nope; the probes are: both, "),
        (["*nope*"], ["both"], "a pattern may have * in it, and gilgrid plan lists all "),
    ],
)
def test_what_matches_nothing_is_told_with_what_there_is(
    cells: list[str], probes: list[str], known: str
) -> None:
    with pytest.raises(MistakesError) as raised:
        chosen(plan(matrix(), combinations(matrix(), "3.11")), cells, probes)
    assert known in str(raised.value)
