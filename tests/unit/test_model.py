"""Cells by name, and what several repeats come to."""

from __future__ import annotations

import pytest

from gilgrid.model import Cell, Coordinate, Verdict, agreed


@pytest.mark.parametrize(
    "name",
    [
        "cp311-cython3.0.12-scipy1.10.1",
        "cp38-scipy1.9.3",
        "cp313-cython3.0.12-scipy1.10.1-run1.17.1",
        "cp311-cython3.0.12-run3.1.8-scipy1.10.1-run1.17.1",
        "cp311-pybind11_2.13.6",
        "cp311-pybind11_2.13.6-run2.13.0-numpy2.0.0rc1",
        "cp311-zope_interface7.0",
        "cp311-backports_3to2_1.0",
        "cp311-scipy1.10.1+local.1",
        "cp311-scipy1!1.10.1.post1",
        "cp311-run2_1.0-run1.1",
        "cp311-h5py_3",
    ],
)
def test_a_name_that_is_parsed_is_written_the_same(name: str) -> None:
    assert str(Cell.parse(name)) == name


def test_the_version_of_an_axis_that_ends_in_digits_is_its_own() -> None:
    (coordinate,) = Cell.parse("cp311-pybind11_2.13.6").coordinates

    assert (coordinate.axis, coordinate.version) == ("pybind11", "2.13.6")


def test_an_axis_with_a_hyphen_survives_its_name() -> None:
    cell = Cell(python="3.11", coordinates=(Coordinate(axis="scikit-learn", version="1.5.0"),))

    assert Cell.parse(str(cell)) == cell


def test_a_run_version_belongs_to_the_axis_before_it() -> None:
    cython, scipy = Cell.parse("cp311-cython3.0.12-scipy1.10.1-run1.17.1").coordinates

    assert (cython.at_run, scipy.version, scipy.at_run) == ("3.0.12", "1.10.1", "1.17.1")


def test_a_python_of_two_digits_is_not_one_of_three() -> None:
    assert Cell.parse("cp310-scipy1.10.1").python == "3.10"


@pytest.mark.parametrize(
    ("name", "culprit"),
    [
        ("", "''"),
        ("py311-scipy1.10.1", "'py311'"),
        ("cp3-scipy1.10.1", "'cp3'"),
        ("cp311-", "''"),
        ("cp311-scipy", "'scipy'"),
        ("cp311-1.10.1", "'1.10.1'"),
        ("cp311-run1.17.1", "'run1.17.1'"),
        ("cp311-scipy1.10.1-run1.11-run1.12", "'run1.12'"),
        ("cp311-../etc", "'../etc'"),
    ],
)
def test_what_is_no_cell_is_refused_with_the_part_that_is_wrong(name: str, culprit: str) -> None:
    with pytest.raises(ValueError, match=r"is no cell") as refusal:
        Cell.parse(name)

    assert str(refusal.value).partition("is no cell: ")[2].startswith(culprit)


def test_a_projected_cell_keeps_only_what_its_probe_depends_on() -> None:
    cell = Cell.parse("cp311-cython3.0.12-scipy1.10.1-run1.17.1")

    assert str(cell.projected(("scipy",))) == "cp311-scipy1.10.1-run1.17.1"


def test_a_projected_cell_is_crossed_only_on_the_axes_it_has() -> None:
    cell = Cell.parse("cp311-cython3.0.12-scipy1.10.1-run1.17.1")

    assert cell.is_crossed
    assert not cell.projected(("cython",)).is_crossed


@pytest.mark.parametrize(
    ("repeats", "verdict"),
    [
        ([Verdict.OK, Verdict.OK], Verdict.OK),
        ([Verdict.TIMEOUT] * 3, Verdict.TIMEOUT),
        ([Verdict.OK, Verdict.TIMEOUT, Verdict.OK], Verdict.FLAKY),
        ([Verdict.OK, Verdict.ERROR, Verdict.OK], Verdict.ERROR),
        ([], Verdict.ERROR),
    ],
)
def test_repeats_that_disagree_are_flaky_and_an_error_is_never_outvoted(
    repeats: list[Verdict], verdict: Verdict
) -> None:
    assert agreed(repeats) is verdict


@pytest.mark.parametrize("verdict", Verdict)
def test_every_verdict_says_what_it_means(verdict: Verdict) -> None:
    assert verdict.meaning
