"""Records against rules, in both directions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gilgrid import config, expectations
from gilgrid.evidence import Cause, Evidence
from gilgrid.model import Attempt, Cell, Record, Verdict

if TYPE_CHECKING:
    from gilgrid.expectations import Judged

TEXT = """\
[subject]
name = "tiny"
source = "tiny==1.0"
[axes.cython]
versions = ["0.29.37", "3.0.12"]
stages = ["build"]
[axes.scipy]
versions = ["1.10.1", "1.17.1"]
[[cross]]
build = {scipy = "==1.10.1"}
run = {scipy = "1.17.1"}
[[probe]]
name = "held"
command = ["x"]
[[probe]]
name = "released"
command = ["x"]
[[probe]]
name = "scipy-only"
command = ["x"]
axes = ["scipy"]
"""
HELD = '[[expect]]\nprobe = "held"\nverdict = "timeout"\nbecause = "tiny#1"\n'


def judged(
    rule: str,
    cell: str,
    verdict: Verdict = Verdict.OK,
    probe: str = "held",
    *,
    reason: str = "",
    cause: Cause | None = None,
) -> Judged:
    matrix = config.parse(TEXT + rule, Path("/project/matrix.toml"), shown="matrix.toml")
    record = Record(
        cell=Cell.parse(cell),
        probe=probe,
        verdict=verdict,
        reason=reason,
        inputs="",
        measured_at="",
        seconds=0.0,
        attempts=(Attempt(verdict=verdict, seconds=0, cpu_seconds=0, evidence=Evidence(cause=cause)),),
    )
    (entry,) = expectations.judge(matrix, [record])
    return entry


def test_what_no_rule_names_is_expected_ok() -> None:
    assert judged(HELD, "cp311-cython3.0.12-scipy1.10.1", probe="released").as_expected


def test_a_hang_that_no_rule_names_differs() -> None:
    entry = judged(
        HELD, "cp311-cython3.0.12-scipy1.10.1", Verdict.TIMEOUT, "released", reason="still running after 20 s"
    )

    assert entry.difference == (
        "cp311-cython3.0.12-scipy1.10.1 released: timeout, expected ok (no rule names it): "
        "still running after 20 s"
    )


def test_a_hang_that_is_cured_differs_too() -> None:
    entry = judged(HELD, "cp311-cython3.0.12-scipy1.10.1")

    assert not entry.as_expected
    assert entry.difference == (
        "cp311-cython3.0.12-scipy1.10.1 held: ok, expected timeout ([[expect]] 1 because tiny#1)"
    )


DEADLOCK = HELD.replace("timeout", "deadlock")


@pytest.mark.parametrize(
    ("rules", "cause", "as_expected"),
    [
        (DEADLOCK, Cause.LOCK_ORDER, True),
        (DEADLOCK, None, True),
        (f'{DEADLOCK}cause = "lock-order"\n', Cause.LOCK_ORDER, True),
        (f'{DEADLOCK}cause = "lock-order"\n', Cause.JOIN, False),
        (f'{DEADLOCK}cause = "lock-order"\n', None, False),
        (f'{DEADLOCK}{DEADLOCK}cause = "lock-order"\n', Cause.JOIN, False),
    ],
)
def test_another_cause_than_the_named_one_differs(
    rules: str,
    cause: Cause | None,
    as_expected: bool,  # noqa: FBT001 - a column of the table
) -> None:
    entry = judged(rules, "cp311-cython3.0.12-scipy1.10.1", Verdict.DEADLOCK, cause=cause)

    assert entry.as_expected is as_expected


def test_a_difference_names_both_causes() -> None:
    rule = f'{DEADLOCK}cause = "lock-order"\n'
    entry = judged(rule, "cp311-cython3.0.12-scipy1.10.1", Verdict.DEADLOCK, cause=Cause.JOIN)

    assert ": deadlock (join), expected deadlock (lock-order) ([[expect]] 1 because" in entry.difference


def test_a_difference_is_one_line_that_moves_no_cursor() -> None:
    entry = judged("", "cp311-cython3.0.12-scipy1.10.1", Verdict.CRASH, reason="a\n\x1b[2Jb\x07")

    assert entry.difference.endswith(r"a \x1b[2Jb\x07")


@pytest.mark.parametrize(
    ("conditions", "cell", "speaks"),
    [
        ('cython = ">=3.0"', "cp311-cython3.0.12-scipy1.17.1", True),
        ('cython = ">=3.0"', "cp311-cython0.29.37-scipy1.17.1", False),
        ('cython = ">=3.0"\nscipy = "<1.11"', "cp311-cython3.0.12-scipy1.17.1", False),
        ('scipy = "==1.10.1"', "cp311-cython3.0.12-scipy1.10.1-run1.17.1", True),
        ('scipy = "==1.17.1"', "cp311-cython3.0.12-scipy1.10.1-run1.17.1", False),
        ('run = {scipy = ">=1.11"}', "cp311-cython3.0.12-scipy1.10.1-run1.17.1", True),
        ('run = {scipy = ">=1.11"}', "cp311-cython3.0.12-scipy1.10.1", False),
        ('run = {scipy = ">=1.11"}', "cp311-cython3.0.12-scipy1.17.1", True),
        ('scipy = "<1.11"\nrun = {scipy = ">=1.11"}', "cp311-cython3.0.12-scipy1.17.1", False),
        ('python = ">=3.12"', "cp311-cython3.0.12-scipy1.17.1", False),
        ('python = "<3.10"', "cp39-cython3.0.12-scipy1.17.1", True),
        ('scipy = ">1.11"', "cp311-cython3.0.12-scipy1.17.1rc1", True),
    ],
)
def test_a_rule_speaks_of_the_cells_within_its_versions(conditions: str, cell: str, speaks: bool) -> None:  # noqa: FBT001 - a column of the table
    assert (judged(f"{HELD}{conditions}\n", cell).rule is not None) is speaks


def test_a_rule_speaks_of_every_probe_that_it_lists() -> None:
    rule = HELD.replace('"held"', '["held", "released"]')

    assert judged(rule, "cp311-cython3.0.12-scipy1.17.1", Verdict.TIMEOUT, "released").as_expected


def test_a_rule_speaks_of_a_probe_away_from_other_axes() -> None:
    rule = HELD.replace('"held"', '"scipy-only"') + 'scipy = "<1.11"\n'

    assert judged(rule, "cp311-scipy1.10.1", Verdict.TIMEOUT, "scipy-only").as_expected


def test_rules_of_distinct_probes_do_not_contradict() -> None:
    other = HELD.replace("timeout", "crash").replace('"held"', '"released"')

    assert judged(HELD + other, "cp311-cython3.0.12-scipy1.17.1", Verdict.CRASH, "released").as_expected


def test_rules_that_meet_in_no_cell_do_not_contradict() -> None:
    rules = f'{HELD}cython = "<3"\n{HELD.replace("timeout", "crash")}cython = ">=3"\n'

    assert judged(rules, "cp311-cython3.0.12-scipy1.17.1", Verdict.CRASH).as_expected
