"""Remedies are tried where something hangs; claims are confirmed or refuted by records, or left open."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gilgrid import config
from gilgrid.claims import Outcome, judge
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


def test_what_hangs_in_some_of_its_repeats_is_to_be_cured_as_well() -> None:
    text = TEXT.replace('"deadlock"', '"flaky"\ncause = "gil-vs-openmp-barrier"') + ONE_THREAD
    of = config.parse(text, Path("/project/matrix.toml"), shown="matrix.toml")

    assert f"{HANGS} held+one" in map(str, plan(of, combinations(of, "3.11")).jobs)


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

    assert judge(matrix(NEWER + crossed), [hangs]).trials == ()


def test_a_remedy_cures_what_runs_well_with_it_and_costs_what_the_cheapest_does_not() -> None:
    records = [
        record(HANGS, "held", Verdict.DEADLOCK),
        record(HANGS, "released", seconds=1.0),
        record(HANGS, "held+one", seconds=3.0),
        record(f"{HANGS}-run1.17.1", "held", Verdict.DEADLOCK),
    ]

    found = judge(matrix(RELEASE + ONE_THREAD + NEWER), records).trials

    assert [(trial.remedy.name, trial.cures, trial.price) for trial in found] == [
        ("release", True, 1.0),
        ("one", True, 3.0),
        ("newer", False, None),
        # The crossed cell hangs as well, and nothing was tried on it.
    ]


@pytest.mark.parametrize("verdict", [Verdict.UNAVAILABLE, Verdict.BUILD_FAILED, Verdict.ERROR])
def test_what_could_not_be_run_says_nothing_of_a_remedy(verdict: Verdict) -> None:
    records = [record(HANGS, "held", Verdict.DEADLOCK), record(HANGS, "released", verdict)]

    assert judge(matrix(RELEASE), records).trials == ()


def test_a_remedy_that_makes_it_crash_cures_nothing() -> None:
    records = [record(HANGS, "held", Verdict.TIMEOUT), record(HANGS, "released", Verdict.CRASH, 1.0)]

    (trial,) = judge(matrix(RELEASE), records).trials

    assert (trial.cures, trial.price) == (False, None)


WITHIN = '[[claim]]\ntext = "t"\nsource = "s"\nhangs = "held"\nwithin = {cython = ">=3"}\n'
BUT_NOT = '[[claim]]\ntext = "t"\nsource = "s"\nhangs = "held"\nbut-not = "released"\n'
CURED = RELEASE + '[[claim]]\ntext = "t"\nsource = "s"\nhangs = "held"\ncured-by = "release"\n'
IDLE = '[[claim]]\ntext = "t"\nsource = "s"\nhangs = "held"\ncpus-below = 0.05\n'
OPEN = '[[claim]]\ntext = "t"\nsource = "s"\n'
CRASHES = '[[claim]]\ntext = "t"\nsource = "s"\nprobe = "released"\nends = "crash"\n'
SLOW = '[[claim]]\ntext = "t"\nsource = "s"\nprobe = "released"\nmetric = "seconds"\nat-least = 2\n'
HANG = record(HANGS, "held", Verdict.DEADLOCK)
OLD = "cp311-cython0.29.37-scipy1.10.1"


def sheets(text: str, records: list[Record], *, in_full: bool = False) -> list[decided.Sheet]:
    of = matrix(text)
    return decided.sheets(of, judge(of, records), in_full=in_full)


def decision(text: str, *records: Record) -> Decided:
    (one,) = judge(matrix(text), records).claims
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
        (CRASHES, [record(HANGS, "released", Verdict.CRASH)], Outcome.CONFIRMED),
        (
            CRASHES,
            [record(HANGS, "released", Verdict.CRASH), record(OLD, "released")],
            Outcome.REFUTED,
        ),
        (CRASHES, [record(HANGS, "released", Verdict.BUILD_FAILED)], Outcome.NOT_TESTED),
        (
            CRASHES + 'only = {cython = ">=3"}\n',
            [record(HANGS, "released", Verdict.CRASH), record(OLD, "released")],
            Outcome.CONFIRMED,
        ),
        (
            CRASHES.replace("crash", "unavailable"),
            [record(OLD, "released", Verdict.UNAVAILABLE)],
            Outcome.CONFIRMED,
        ),
        (SLOW, [record(HANGS, "released", seconds=2.0)], Outcome.CONFIRMED),
        (SLOW, [record(HANGS, "released", Verdict.CRASH, seconds=2.0)], Outcome.NOT_TESTED),
        (CRASHES, [record(f"{HANGS}-run1.17.1", "released")], Outcome.NOT_TESTED),
        (SLOW, [record(HANGS, "released", seconds=1.9)], Outcome.REFUTED),
        (SLOW + "at-most = 3\n", [record(HANGS, "released", seconds=3.5)], Outcome.REFUTED),
        (SLOW, [record(HANGS, "released")], Outcome.NOT_TESTED),
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


@pytest.mark.parametrize("verdict", [Verdict.CRASH, Verdict.FAILED, Verdict.WRONG, Verdict.UNAVAILABLE])
def test_what_neither_hangs_nor_runs_well_confirms_nothing(verdict: Verdict) -> None:
    assert decision(WITHIN, HANG, record(OLD, "held", verdict)).outcome is Outcome.NOT_TESTED
    assert decision(BUT_NOT, HANG, record(HANGS, "released", verdict)).outcome is Outcome.NOT_TESTED


def test_what_never_hangs_must_not_hang_where_nothing_else_does_either() -> None:
    records = HANG, record(HANGS, "released"), record(OLD, "held"), record(OLD, "released", Verdict.TIMEOUT)

    assert decision(BUT_NOT, *records).outcome is Outcome.REFUTED


def test_a_trial_that_hangs_is_no_further_hang() -> None:
    crossed = f"{HANGS}-run1.17.1"
    records = [HANG, record(crossed, "held", Verdict.DEADLOCK), record(crossed, "released")]

    found = judge(matrix(RELEASE + NEWER), [*records, record(HANGS, "released")]).trials

    assert [(trial.remedy.name, str(trial.hangs.cell)) for trial in found] == [
        ("release", HANGS),
        ("newer", HANGS),
    ]


def test_prices_of_another_machine_are_not_compared() -> None:
    elsewhere = replace(record(HANGS, "released", seconds=1.0), machine={"cpu": "another"})

    (trial,) = judge(matrix(RELEASE), [HANG, elsewhere]).trials

    assert (trial.cures, trial.price) == (True, None)


def test_a_build_with_another_python_is_as_good_and_not_asked_for_twice() -> None:
    of = matrix(REBUILT)
    cells = {of.title: (Cell.parse(HANGS), Cell.parse("cp312-cython3.0.12-scipy1.17.1"))}
    there = record("cp312-cython3.0.12-scipy1.17.1", "held")

    assert len([job for job in plan(of, cells).jobs if job.probe == "held"]) == 2
    assert [trial.record for trial in judge(of, [HANG, there]).trials] == [there]


def test_a_probe_is_not_tried_outside_its_cells() -> None:
    limited = TEXT.replace('env = {OLD = "1"}', 'env = {OLD = "1"}\nonly = {scipy = "<1.11"}')
    of = config.parse(limited + REBUILT, Path("/project/matrix.toml"), shown="matrix.toml")

    assert {str(job.cell) for job in plan(of, combinations(of, "3.11")).jobs if job.probe == "held"} == {
        HANGS,
        OLD,
    }


def test_what_a_remedy_adds_is_a_cell_of_the_plan() -> None:
    of = matrix(NEWER)

    assert f"{HANGS}-run1.17.1" in map(str, plan(of, combinations(of, "3.11")).cells)


def test_for_machines_all_that_decides_is_there() -> None:
    of = matrix(CURED)

    found = decided.to_json(judge(of, [HANG, record(HANGS, "released", seconds=2.0)]))

    assert json.loads(json.dumps(found)) == {
        "schema": 1,
        "remedies": [
            {
                "remedy": "release",
                "cell": HANGS,
                "probe": "held",
                "tried_in": HANGS,
                "tried_by": "released",
                "cures": True,
                "price": 1.0,
            }
        ],
        "claims": [
            {
                "claim": "t",
                "source": "s",
                "outcome": "confirmed",
                "supporting": [f"{HANGS} released"],
                "against": [],
            }
        ],
    }


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
    (sheet,) = sheets(WITHIN, [HANG, record(OLD, "held", Verdict.TIMEOUT)])

    assert sheet.rows == (("refuted", f"t\n  {OLD} held: timeout\n  source: s"),)


def test_a_claim_about_a_metric_tells_what_was_measured() -> None:
    (sheet,) = sheets(SLOW, [record(HANGS, "released", seconds=1.9)])

    assert f"{HANGS} released: seconds 1.9\n" in sheet.rows[0][1]


def test_only_in_full_are_all_cells_named() -> None:
    others = [record(f"cp3{n}-cython0.29.37-scipy1.10.1", "held", Verdict.TIMEOUT) for n in range(9, 13)]

    (short,) = sheets(WITHIN, [HANG, *others])
    (full,) = sheets(WITHIN, [HANG, *others], in_full=True)

    assert short.rows[0][1].splitlines()[3:] == ["  and 2 more", "  source: s"]
    assert len(full.rows[0][1].splitlines()) == 6


def test_a_table_of_remedies_counts_what_they_cure() -> None:
    records = [HANG, record(HANGS, "released", seconds=2.0), record(HANGS, "held+one", Verdict.DEADLOCK)]

    (sheet,) = sheets(RELEASE + ONE_THREAD, records)

    assert sheet.header == ("remedy", "held, cured", "price")
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
            RELEASE.replace("held =", "released =").replace('"released"', '"held"'),
            (
                "matrix.toml: [[remedy]] ('release') probes: no rule expects 'released' to hang, "
                "so it is never tried; write an [[expect]] for the cells where it does"
            ),
        ),
        (
            CURED.replace('text = "let go"\n', ""),
            "matrix.toml: [[remedy]] 1 ('release') text: is missing",
        ),
        (
            ONE_THREAD.replace('text = "ONE=1"\n', "")
            + '[[expect]]\nprobe = "held+one"\nverdict = "ok"\nbecause = "b"\n',
            "matrix.toml: [[remedy]] 1 ('one') text: is missing",
        ),
        (
            RELEASE.replace('{held = "released"}', '{held = ["released"]}'),
            (
                "matrix.toml: [[remedy]] 1 ('release') probes: there is no probe ['released']; "
                "did you mean 'released'?"
            ),
        ),
        (
            ONE_THREAD.replace("env = {", "env = {OLD = 1, "),
            "matrix.toml: [[remedy]] 1 ('one') env: of 'OLD', 1 should be a text in quotes",
        ),
        (
            ONE_THREAD.replace("ONE =", "OLD ="),
            (
                "matrix.toml: [[remedy]] 1 ('one'): nothing is changed for 'held': give env, build or run, "
                "or another probe, as in probes = { held = '...' }"
            ),
        ),
        (
            NEWER.replace('["held"]', "{}"),
            "matrix.toml: [[remedy]] 1 ('newer') probes: {} should be a list in brackets",
        ),
        (
            CURED.replace('cured-by = "release"', 'cured-by = ["release"]'),
            "matrix.toml: [[claim]] 1 cured-by: there is no remedy ['release']; did you mean 'release'?",
        ),
        (
            WITHIN.replace('{cython = ">=3"}', "{}"),
            "matrix.toml: [[claim]] 1 within: name an axis, as in within = { cython = '>=3.0' }",
        ),
        (
            BUT_NOT.replace('"released"', '"held"'),
            "matrix.toml: [[claim]] 1 but-not: 'held' is what hangs; name another probe",
        ),
        (
            BUT_NOT.replace('hangs = "held"\n', ""),
            "matrix.toml: [[claim]] 1 hangs: is missing",
        ),
        (CRASHES.replace('probe = "released"\n', ""), "matrix.toml: [[claim]] 1 probe: is missing"),
        (
            CRASHES.replace('"crash"', '"crashes"'),
            (
                "matrix.toml: [[claim]] 1 ends: 'crashes' is none of ok, wrong, failed, crash, deadlock, "
                "timeout, flaky, build-failed, unavailable"
            ),
        ),
        (
            CRASHES + 'hangs = "held"\n',
            "matrix.toml: [[claim]] 1 hangs: does not go with ends, which has probe",
        ),
        (
            BUT_NOT + 'probe = "held"\n',
            "matrix.toml: [[claim]] 1 probe: does not go with but-not, which has hangs",
        ),
        (
            SLOW.replace("at-least = 2\n", ""),
            "matrix.toml: [[claim]] 1 metric: give at-least, at-most, or both",
        ),
        (
            CRASHES + "at-most = 2\n",
            "matrix.toml: [[claim]] 1 at-most: of which metric? name it: metric = '...'",
        ),
        (
            SLOW + "at-most = 1\n",
            "matrix.toml: [[claim]] 1 at-most: nothing is 2 at least and 1 at most",
        ),
        (
            SLOW.replace("at-least = 2", 'at-least = "2"'),
            "matrix.toml: [[claim]] 1 at-least: '2' should be a number",
        ),
    ],
)
def test_a_mistake_is_named_with_its_table_and_key(text: str, sentence: str) -> None:
    assert mistakes(text) == [sentence]


AWAY = '[[probe]]\nname = "away"\ncommand = ["x"]\naxes = ["cython"]\n'


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            '[[remedy]]\nname = "r"\ntext = "t"\nprobes = {away = "held"}\n',
            (
                "matrix.toml: [[remedy]] 1 ('r') probes: 'held' depends on scipy, "
                "of which the cells of 'away' have no version"
            ),
        ),
        (
            REBUILT.replace('"held"', '"away"'),
            "matrix.toml: [[remedy]] 1 ('rebuilt') build scipy: the probe 'away' does not depend on it",
        ),
        (
            WITHIN.replace('"held"', '"away"').replace("cython =", "scipy ="),
            "matrix.toml: [[claim]] 1 within scipy: the probe 'away' does not depend on it",
        ),
        (
            BUT_NOT.replace('"held"', '"away"'),
            (
                "matrix.toml: [[claim]] 1 but-not: 'released' depends on scipy, "
                "and 'away', which hangs, does not"
            ),
        ),
    ],
)
def test_nothing_is_asked_of_an_axis_that_a_probe_does_not_depend_on(text: str, sentence: str) -> None:
    assert mistakes(AWAY + text) == [sentence]


def test_a_rule_may_speak_of_what_a_remedy_makes_of_a_probe() -> None:
    rule = '[[expect]]\nprobe = "held+one"\nverdict = "deadlock"\nbecause = "tiny#2"\n'

    found = matrix(ONE_THREAD + rule).rule(Cell.parse(HANGS), "held+one")

    assert found is not None
    assert found.verdict is Verdict.DEADLOCK
