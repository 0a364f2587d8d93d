"""What is new since the last time, and what it says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gilgrid.expectations import Judged
from gilgrid.matrix import Rule
from gilgrid.model import Cell, Record, Verdict
from gilgrid.news import Difference, differences, news
from gilgrid.report import issue

RELEASE = "cp312-cython3.3.1-scipy1.17.1"
AHEAD = "cp312-cython3.4.0rc1-scipy1.17.1"
FURTHER = "cp312-cython3.4.0rc1-scipy1.18.0rc2"


def judged(cell: str, verdict: Verdict, probe: str = "held", reason: str = "", because: str = "") -> Judged:
    record = Record(
        cell=Cell.parse(cell),
        probe=probe,
        verdict=verdict,
        reason=reason,
        inputs="",
        measured_at="",
        seconds=1.0,
    )
    if not because:
        return Judged(record=record, expected=Verdict.OK, rule=None)
    rule = Rule(
        where="[[expect]] 1", probes=(probe,), build={}, run={}, verdict=Verdict.DEADLOCK, because=because
    )
    return Judged(record=record, expected=Verdict.DEADLOCK, rule=rule)


def well(*cells: str) -> list[Judged]:
    return [judged(cell, Verdict.OK) for cell in cells]


def hung(*cells: str) -> list[Judged]:
    return [judged(cell, Verdict.DEADLOCK, reason="the GIL | <b>") for cell in cells]


def test_where_all_is_as_expected_nothing_is_said() -> None:
    told = news(well(RELEASE, AHEAD), [], set())
    assert (told.differing, told.new, told.gone) == ((), (), ())
    assert issue.title("it", told.differing) == issue.body(told.differing) == issue.comment(told) == ""


def test_cells_that_differ_alike_are_one_difference() -> None:
    (one,) = differences([*well(RELEASE), *hung(AHEAD, FURTHER)])
    assert (one.cells, one.well_in) == ((AHEAD, FURTHER), (RELEASE,))
    assert issue.title("it", [one]) == "it: held is deadlock with the newest versions"
    text = issue.body([one])
    assert f"- **held** is deadlock, expected ok, in `{AHEAD}`, `{FURTHER}`: the GIL \\| &lt;b>." in text
    assert f"As expected in `{RELEASE}`." in text


def test_what_differed_already_is_not_new_though_versions_went_on() -> None:
    before = differences(hung(AHEAD))
    told = news(hung(FURTHER), before, set())
    assert (told.new, told.gone) == ((), ())
    assert told.differing[0].cells == (FURTHER,)
    assert issue.comment(told) == ""


def test_another_verdict_is_new_and_the_former_gone() -> None:
    told = news([judged(AHEAD, Verdict.CRASH)], differences(hung(AHEAD)), set())
    assert [one.seen for one in told.new] == ["crash"]
    assert [one.seen for one, _ in told.gone] == ["deadlock"]


def test_what_is_as_expected_again_is_told_with_its_versions() -> None:
    told = news(well(RELEASE, FURTHER), differences(hung(AHEAD)), set())
    assert issue.body(told.differing) == ""
    assert issue.comment(told).splitlines() == [
        "As expected again:",
        "",
        f"- **held** was deadlock in `{AHEAD}`; as expected in `{RELEASE}`, `{FURTHER}`.",
    ]


def test_what_was_not_measured_is_not_gone() -> None:
    before = differences(hung(AHEAD))
    told = news([], before, {"held"})
    assert told.gone == ()
    assert told.differing == tuple(before)


def test_a_fault_that_a_rule_knows_and_upstream_has_fixed() -> None:
    told = news([judged(AHEAD, Verdict.OK, because="cython/cython#1")], [], set())
    assert "is ok, expected deadlock because cython/cython#1" in issue.comment(told)
    assert "It is fixed there" in issue.comment(told)


@pytest.mark.parametrize("verdict", [Verdict.UNAVAILABLE, Verdict.ERROR])
def test_what_says_nothing_of_the_subject_is_no_news(verdict: Verdict) -> None:
    assert differences([judged(AHEAD, verdict)]) == []


def test_it_is_read_back_as_it_was_kept() -> None:
    (one,) = differences(hung(AHEAD))
    assert Difference.from_json(one.to_json()) == replace(one, reason="")
