"""Remedies are tried where something hangs; claims are confirmed or refuted by records, or left open."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gilgrid import config
from gilgrid.claims import Outcome, decide, trials
from gilgrid.errors import MistakesError
from gilgrid.evidence import Evidence
from gilgrid.model import Attempt, Cell, Record, Verdict
from gilgrid.plan import combinations, plan
from gilgrid.report import decided

if TYPE_CHECKING:
    from gilgrid.claims import Decided
    from gilgrid.matrix import Matrix

TEXT = """\
[subject]
name = "tiny"
source = "tiny==1.0"
price = "seconds"
[axes.cython]
versions = ["0.29.37", "3.0.12"]
stages = ["build"]
[axes.scipy]
versions = ["1.10.1", "1.17.1"]
[[probe]]
name = "held"
command = ["x"]
env = {OLD = "1"}
[[probe]]
name = "released"
command = ["x"]
[[expect]]
probe = "held"
cython = ">=3"
scipy = "<1.11"
verdict = "deadlock"
because = "tiny#1"
"""
RELEASE = '[[remedy]]\nname = "release"\ntext = "let go"\nprobes = {held = "released"}\n'
ONE_THREAD = '[[remedy]]\nname = "one"\ntext = "ONE=1"\nprobes = ["held"]\nenv = {ONE = "1"}\n'
NEWER = '[[remedy]]\nname = "newer"\ntext = "newer"\nprobes = ["held"]\nrun = {scipy = "1.17.1"}\n'
REBUILT = '[[remedy]]\nname = "rebuilt"\ntext = "rebuilt"\nprobes = ["held"]\nbuild = {scipy = "1.17.1"}\n'
HANGS = "cp311-cython3.0.12-scipy1.10.1"


def matrix(text: str) -> Matrix:
    return config.parse(TEXT + text, Path("/project/matrix.toml"), shown="matrix.toml")


def mistakes(text: str) -> list[str]:
    with pytest.raises(MistakesError) as caught:
        matrix(text)
    return list(caught.value.mistakes)


def record(cell: str, probe: str, verdict: Verdict = Verdict.OK, seconds: float | None = None) -> Record:
    return Record(
        cell=Cell.parse(cell),
        probe=probe,
        verdict=verdict,
        reason="",
        inputs="",
        measured_at="",
        seconds=0.0,
        attempts=(
            Attempt(
                verdict=verdict,
                seconds=0,
                cpu_seconds=0,
                metrics={} if seconds is None else {"seconds": seconds},
            ),
        ),
    )


def tried(text: str) -> list[str]:
    of = matrix(text)
    without = set(plan(matrix(""), combinations(of, "3.11")).jobs)
    return [str(job) for job in plan(of, combinations(of, "3.11")).jobs if job not in without]


def test_a_change_of_the_environment_is_tried_where_a_hang_is_expected_and_nowhere_else() -> None:
    assert tried(ONE_THREAD) == [f"{HANGS} held+one"]


def test_it_is_the_probe_with_that_change_and_the_settings_that_it_had() -> None:
    probe = matrix(ONE_THREAD).probe("held+one")

    assert (probe.command, probe.env) == (("x",), {"OLD": "1", "ONE": "1"})


def test_a_newer_version_at_run_time_is_tried_with_the_build_that_hangs() -> None:
    assert tried(NEWER) == [f"{HANGS}-run1.17.1 held"]


@pytest.mark.parametrize("remedy", [RELEASE, REBUILT])
def test_what_the_matrix_has_anyway_is_not_run_twice(remedy: str) -> None:
    assert tried(remedy) == []


def test_a_build_that_ran_with_the_newer_version_already_has_nothing_to_change() -> None:
    crossed = '[[cross]]\nbuild = {scipy = "==1.10.1", cython = ">=3"}\nrun = {scipy = "1.17.1"}\n'
    hangs = record(f"{HANGS}-run1.17.1", "held", Verdict.DEADLOCK)

    assert trials(matrix(NEWER + crossed), [hangs]) == []


def test_a_remedy_cures_what_runs_well_with_it_and_costs_what_the_cheapest_does_not() -> None:
    records = [
        record(HANGS, "held", Verdict.DEADLOCK),
        record(HANGS, "released", seconds=1.0),
        record(HANGS, "held+one", seconds=3.0),
        record(f"{HANGS}-run1.17.1", "held", Verdict.DEADLOCK),
    ]

    found = trials(matrix(RELEASE + ONE_THREAD + NEWER), records)

    assert [(trial.remedy.name, trial.cures, trial.price) for trial in found] == [
        ("release", True, 1.0),
        ("one", True, 3.0),
        ("newer", False, None),
        # The crossed cell hangs as well, and nothing was tried on it.
    ]


@pytest.mark.parametrize("verdict", [Verdict.UNAVAILABLE, Verdict.BUILD_FAILED, Verdict.ERROR])
def test_what_could_not_be_run_says_nothing_of_a_remedy(verdict: Verdict) -> None:
    records = [record(HANGS, "held", Verdict.DEADLOCK), record(HANGS, "released", verdict)]

    assert trials(matrix(RELEASE), records) == []


def test_a_remedy_that_makes_it_crash_cures_nothing() -> None:
    records = [record(HANGS, "held", Verdict.TIMEOUT), record(HANGS, "released", Verdict.CRASH, 1.0)]

    (trial,) = trials(matrix(RELEASE), records)

    assert (trial.cures, trial.price) == (False, None)


WITHIN = '[[claim]]\ntext = "t"\nsource = "s"\nhangs = "held"\nwithin = {cython = ">=3"}\n'
BUT_NOT = '[[claim]]\ntext = "t"\nsource = "s"\nhangs = "held"\nbut-not = "released"\n'
CURED = RELEASE + '[[claim]]\ntext = "t"\nsource = "s"\nhangs = "held"\ncured-by = "release"\n'
IDLE = '[[claim]]\ntext = "t"\nsource = "s"\nhangs = "held"\ncpus-below = 0.05\n'
OPEN = '[[claim]]\ntext = "t"\nsource = "s"\n'
HANG = record(HANGS, "held", Verdict.DEADLOCK)
OLD = "cp311-cython0.29.37-scipy1.10.1"


def decision(text: str, *records: Record) -> Decided:
    (one,) = decide(matrix(text), records)
    return one


@pytest.mark.parametrize(
    ("claim", "others", "outcome"),
    [
        (WITHIN, [record(OLD, "held")], Outcome.CONFIRMED),
        (WITHIN, [record(OLD, "held", Verdict.TIMEOUT)], Outcome.REFUTED),
        (WITHIN, [], Outcome.NOT_TESTED),
        (WITHIN, [record(OLD, "held", Verdict.BUILD_FAILED)], Outcome.NOT_TESTED),
        (BUT_NOT, [record(HANGS, "released")], Outcome.CONFIRMED),
        (BUT_NOT, [record(HANGS, "released", Verdict.DEADLOCK)], Outcome.REFUTED),
        (BUT_NOT, [record(OLD, "released")], Outcome.NOT_TESTED),
        (CURED, [record(HANGS, "released")], Outcome.CONFIRMED),
        (CURED, [record(HANGS, "released", Verdict.DEADLOCK)], Outcome.REFUTED),
        (CURED, [], Outcome.NOT_TESTED),
        (OPEN, [record(HANGS, "released")], Outcome.NOT_TESTED),
    ],
)
def test_records_decide_a_claim(claim: str, others: list[Record], outcome: Outcome) -> None:
    assert decision(claim, HANG, *others).outcome is outcome


@pytest.mark.parametrize(
    ("used", "outcome"),
    [
        ([0.0, 0.04], Outcome.CONFIRMED),
        ([0.0, 1.0], Outcome.REFUTED),
        ([0.0, None], Outcome.CONFIRMED),
        ([None], Outcome.NOT_TESTED),
    ],
)
def test_what_a_hang_uses_of_the_cpus_is_that_of_its_busiest_repeat(
    used: list[float | None], outcome: Outcome
) -> None:
    attempts = tuple(
        replace(HANG.attempts[0], evidence=Evidence(detected_after=0.4, cpus_used=cpus)) for cpus in used
    )

    assert decision(IDLE, replace(HANG, attempts=attempts)).outcome is outcome


@pytest.mark.parametrize("claim", [WITHIN, BUT_NOT, CURED, IDLE])
def test_where_nothing_hangs_no_claim_about_hangs_is_tested(claim: str) -> None:
    well = [record(HANGS, "held"), record(OLD, "held"), record(HANGS, "released")]

    assert decision(claim, *well).outcome is Outcome.NOT_TESTED


def test_a_probe_that_hangs_now_and_then_hangs() -> None:
    attempts = tuple(
        Attempt(verdict=verdict, seconds=0, cpu_seconds=0) for verdict in (Verdict.OK, Verdict.DEADLOCK)
    )
    flaky = Record(
        cell=Cell.parse(OLD),
        probe="held",
        verdict=Verdict.FLAKY,
        reason="",
        inputs="",
        measured_at="",
        seconds=0.0,
        attempts=attempts,
    )

    assert decision(WITHIN, HANG, flaky).outcome is Outcome.REFUTED


def test_a_refuted_claim_names_what_refutes_it() -> None:
    (sheet,) = decided.sheets(matrix(WITHIN), [HANG, record(OLD, "held", Verdict.TIMEOUT)])

    assert sheet.rows == (("t", "refuted", f"{OLD} held timeout", "s"),)


def test_only_in_full_are_all_cells_named() -> None:
    others = [record(f"cp3{n}-cython0.29.37-scipy1.10.1", "held", Verdict.TIMEOUT) for n in range(9, 13)]

    (short,) = decided.sheets(matrix(WITHIN), [HANG, *others])
    (full,) = decided.sheets(matrix(WITHIN), [HANG, *others], in_full=True)

    assert short.rows[0][2].splitlines()[2:] == ["and 2 more"]
    assert len(full.rows[0][2].splitlines()) == 4


def test_a_table_of_remedies_counts_what_they_cure() -> None:
    records = [HANG, record(HANGS, "released", seconds=2.0), record(HANGS, "held+one", Verdict.DEADLOCK)]

    (sheet,) = decided.sheets(matrix(RELEASE + ONE_THREAD), records)

    assert sheet.header == ("remedy", "held, cured", "time")
    assert sheet.rows == (("let go", "1 of 1", "1.00"), ("ONE=1", "0 of 1", ""))
    assert "| ONE=1 | 0 of 1 |  |" in decided.markdown([sheet])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            '[[remedy]]\nname = "r"\ntext = "t"\nprobes = ["held"]\n',
            (
                "matrix.toml: [[remedy]] 1 ('r'): nothing is changed for 'held': give env, build or run, "
                "or another probe, as in probes = { held = '...' }"
            ),
        ),
        (
            ONE_THREAD.replace('"held"', '"hold"'),
            "matrix.toml: [[remedy]] 1 ('one') probes: there is no probe 'hold'; did you mean 'held'?",
        ),
        (
            REBUILT.replace("1.17.1", "1.12.0"),
            "matrix.toml: [[remedy]] 1 ('rebuilt') build scipy: '1.12.0' is none of 1.10.1, 1.17.1",
        ),
        (
            RELEASE + RELEASE,
            "matrix.toml: [[remedy]] 2 ('release') name: 'release' is already the name of another remedy",
        ),
        (
            CURED.replace('"release"\n', '"releas"\n').replace('name = "releas"', 'name = "release"'),
            "matrix.toml: [[claim]] 1 cured-by: there is no remedy 'releas'; did you mean 'release'?",
        ),
        (
            CURED.replace('hangs = "held"', 'hangs = "released"'),
            "matrix.toml: [[claim]] 1 hangs: the remedy 'release' is not tried on 'released'",
        ),
        (
            WITHIN + 'but-not = "released"\n',
            "matrix.toml: [[claim]] 1 but-not: a claim is tested in one way, and it has within already",
        ),
        (
            IDLE.replace("0.05", '"5 %"'),
            "matrix.toml: [[claim]] 1 cpus-below: '5 %' should be a number over 0",
        ),
        (
            BUT_NOT.replace('hangs = "held"\n', ""),
            "matrix.toml: [[claim]] 1 hangs: is missing",
        ),
    ],
)
def test_a_mistake_is_named_with_its_table_and_key(text: str, sentence: str) -> None:
    assert mistakes(text) == [sentence]


def test_a_rule_may_speak_of_what_a_remedy_makes_of_a_probe() -> None:
    rule = '[[expect]]\nprobe = "held+one"\nverdict = "deadlock"\nbecause = "tiny#2"\n'

    found = matrix(ONE_THREAD + rule).rule(Cell.parse(HANGS), "held+one")

    assert found is not None
    assert found.verdict is Verdict.DEADLOCK
