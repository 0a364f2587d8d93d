"""What people and machines are shown, for matrices of one axis, two and three."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from junitparser import Error, Failure, JUnitXml, Skipped
from rich.console import Console

from gilgrid import config, expectations
from gilgrid.model import Cell, Record, Verdict
from gilgrid.pins import run_pins
from gilgrid.plan import Job, combinations, plan
from gilgrid.report import live, planned, terminal
from gilgrid.report.grid import grids
from gilgrid.report.junit import junit
from gilgrid.report.lines import PlainLines
from gilgrid.report.markdown import markdown
from gilgrid.report.progress import Progress, clock
from gilgrid.report.svg import svg
from gilgrid.schedule import Task
from gilgrid.workshop import Prospect

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gilgrid.expectations import Judged
    from gilgrid.matrix import Matrix

SUBJECT = '[subject]\nname = "tiny"\nsource = "tiny==1.0"\n'
CYTHON = '[axes.cython]\nversions = ["0.29.37", "3.0.12"]\nstages = ["build"]\n'
SCIPY = '[axes.scipy]\nversions = ["1.9.3", "1.10.1", "1.17.1"]\n'
NUMPY = '[axes.numpy]\nversions = ["1.9.0", "1.10.0"]\nstages = ["run"]\n'
HELD = '[[probe]]\nname = "held"\ncommand = ["x"]\n'
RELEASED = '[[probe]]\nname = "released"\ncommand = ["x"]\n'
RULE = '[[expect]]\nprobe = "held"\ncython = ">=3"\nverdict = "timeout"\nbecause = "tiny#1"\n'
CROSS = '[[cross]]\nbuild = {scipy = "==1.10.1", cython = "==3.0.12"}\nrun = {scipy = "1.17.1"}\n'
TWO = SUBJECT + CYTHON + SCIPY + HELD


def matrix(text: str = TWO) -> Matrix:
    return config.parse(text, Path("/project/matrix.toml"), shown="matrix.toml")


def record(cell: str, verdict: Verdict = Verdict.OK, *, probe: str = "held", reason: str = "") -> Record:
    return Record(
        cell=Cell.parse(cell),
        probe=probe,
        verdict=verdict,
        reason=reason,
        inputs="",
        measured_at="",
        seconds=1.5,
    )


def judged(of: Matrix, *records: Record) -> list[Judged]:
    return expectations.judge(of, records)


def all_ok(of: Matrix, *pythons: str) -> list[Judged]:
    return judged(
        of,
        *(
            record(str(job.cell), probe=job.probe)
            for python in pythons
            for job in plan(of, combinations(of, python)).jobs
        ),
    )


def printed(of: Matrix, entries: Sequence[Judged], width: int = 120) -> str:
    console = Console(file=io.StringIO(), width=width)
    terminal.print_to(console, terminal.tables(of, entries))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_rows_are_the_first_axis_and_columns_the_second() -> None:
    (grid,) = grids(matrix(), all_ok(matrix(), "3.11"))

    assert (grid.title, grid.corner) == ("held", "cython \\ scipy")
    assert (grid.rows, grid.columns) == (("0.29.37", "3.0.12"), ("1.9.3", "1.10.1", "1.17.1"))
    assert len(grid.entries) == 6


def test_one_axis_is_one_row() -> None:
    one = matrix(SUBJECT + SCIPY + HELD)

    (grid,) = grids(one, all_ok(one, "3.11"))

    assert (grid.corner, grid.rows, grid.columns) == ("scipy", ("",), ("1.9.3", "1.10.1", "1.17.1"))
    assert set(grid.entries) == {("", "1.9.3"), ("", "1.10.1"), ("", "1.17.1")}


def test_a_third_axis_makes_a_grid_for_each_of_its_versions_in_their_order() -> None:
    three = matrix(SUBJECT + CYTHON + SCIPY + NUMPY + HELD)

    assert [grid.title for grid in grids(three, all_ok(three, "3.11"))] == [
        "held, numpy 1.9.0",
        "held, numpy 1.10.0",
    ]


def test_several_pythons_make_a_grid_each_in_their_order() -> None:
    entries = all_ok(matrix(), "3.10", "3.9")

    assert [grid.title for grid in grids(matrix(), entries)] == ["held, Python 3.9", "held, Python 3.10"]


def test_a_crossed_cell_is_a_column_of_its_own_at_the_end() -> None:
    crossed = matrix(TWO + CROSS)

    (grid,) = grids(crossed, all_ok(crossed, "3.11"))

    assert len(grid.columns) == 4
    assert grid.columns[-1].startswith("1.10.1 ")
    assert grid.columns[-1].endswith(" 1.17.1")
    assert ("0.29.37", grid.columns[-1]) not in grid.entries


def test_a_probe_of_fewer_axes_has_a_grid_of_those() -> None:
    both = matrix(TWO + RELEASED + 'axes = ["scipy"]\n')

    assert [grid.corner for grid in grids(both, all_ok(both, "3.11"))] == ["cython \\ scipy", "scipy"]


def test_probes_come_in_the_order_of_the_file() -> None:
    both = matrix(SUBJECT + CYTHON + SCIPY + RELEASED + HELD)

    assert [grid.probe for grid in grids(both, all_ok(both, "3.11"))] == ["released", "held"]


def test_a_table_shows_every_version_and_verdict() -> None:
    shown = printed(matrix(TWO + RULE), judged(matrix(TWO + RULE), record("cp311-cython3.0.12-scipy1.10.1")))

    assert {"held", "cython", "scipy", "3.0.12", "1.10.1", "ok"} <= set(shown.split())


def test_what_is_not_expected_is_marked_without_colours_too() -> None:
    of = matrix(TWO + RULE)
    shown = printed(of, judged(of, record("cp311-cython3.0.12-scipy1.10.1")))

    assert "! ok" in shown
    assert "not what matrix.toml expects" in shown


def test_what_is_expected_bears_no_mark() -> None:
    of = matrix(TWO + RULE)

    assert "!" not in printed(of, judged(of, record("cp311-cython3.0.12-scipy1.10.1", Verdict.TIMEOUT)))


@pytest.mark.parametrize("verdict", Verdict)
def test_the_legend_explains_every_verdict_that_occurs(verdict: Verdict) -> None:
    shown = printed(matrix(), judged(matrix(), record("cp311-cython3.0.12-scipy1.10.1", verdict)))

    assert f"{verdict.meaning}\n" in shown


def test_the_legend_leaves_out_what_does_not_occur() -> None:
    shown = printed(matrix(), all_ok(matrix(), "3.11"))

    assert Verdict.CRASH.meaning not in shown
    assert "built with A, run with B" not in shown


def test_the_legend_explains_crossed_cells() -> None:
    crossed = matrix(TWO + CROSS)

    assert "built with A, run with B" in printed(crossed, all_ok(crossed, "3.11"))


@pytest.mark.parametrize(
    "text", [SUBJECT + SCIPY + HELD, TWO, TWO + CROSS, SUBJECT + CYTHON + SCIPY + NUMPY + HELD]
)
@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_line_ends_in_a_blank(text: str, width: int) -> None:
    lines = printed(matrix(text), all_ok(matrix(text), "3.11", "3.12"), width).splitlines()

    assert [line for line in lines if line != line.rstrip()] == []


def test_no_records_are_no_tables() -> None:
    assert printed(matrix(), []).strip() == ""


def test_the_table_of_differences_has_a_sentence_for_each() -> None:
    of = matrix(TWO + RULE)
    entries = judged(
        of,
        record("cp311-cython3.0.12-scipy1.10.1"),
        record("cp311-cython3.0.12-scipy1.17.1", Verdict.TIMEOUT),
        record("cp311-cython0.29.37-scipy1.17.1", Verdict.CRASH, reason="killed by SIGSEGV"),
    )

    assert terminal.conclusion(of, entries, 6) == [
        "! cp311-cython3.0.12-scipy1.10.1 held: ok, expected timeout ([[expect]] 1 because tiny#1)",
        "! cp311-cython0.29.37-scipy1.17.1 held: crash, expected ok (no rule names it): killed by SIGSEGV",
        "3 of 6 verdicts from 0 builds, 2 are not as matrix.toml expects",
    ]


def test_markdown_says_the_outcome_first() -> None:
    assert markdown(matrix(), all_ok(matrix(), "3.11")).startswith(
        "## tiny: All 6 verdicts are as expected.\n"
    )


def test_markdown_says_that_it_is_not_all() -> None:
    assert markdown(matrix(), all_ok(matrix(), "3.11"), missing=2).startswith(
        "## tiny: All 6 verdicts are as expected; 2 more are not recorded.\n"
    )


def test_markdown_names_what_differs() -> None:
    entries = judged(
        matrix(),
        record("cp311-cython3.0.12-scipy1.10.1", Verdict.CRASH, reason="a | b\n<script>"),
        record("cp311-cython3.0.12-scipy1.17.1"),
    )

    text = markdown(matrix(), entries)

    assert text.startswith("## tiny: 1 of 2 verdicts are not as expected.\n")
    assert (
        "- cp311-cython3.0.12-scipy1.10.1 held: crash, expected ok (no rule names it): a \\| b &lt;script>\n"
        in text
    )
    assert "| 3.0.12 | **crash (expected ok)** | ok |" in text


def test_every_row_of_a_markdown_table_has_as_many_cells() -> None:
    crossed = matrix(TWO + CROSS)

    rows = [line for line in markdown(crossed, all_ok(crossed, "3.11")).splitlines() if line.startswith("|")]

    assert {row.count("|") for row in rows} == {6}
    assert len(rows) == 4


def parsed(entries: Sequence[Judged]) -> JUnitXml:
    return JUnitXml.fromstring(junit(entries))


def test_junit_has_a_suite_for_each_cell_and_a_case_for_each_probe() -> None:
    both = matrix(TWO + RELEASED)

    suites = list(parsed(all_ok(both, "3.11")))

    assert len(suites) == 6
    assert {case.name for case in suites[0]} == {"held", "released"}
    assert {case.time for case in suites[0]} == {1.5}


@pytest.mark.parametrize(
    ("verdict", "kind"),
    [
        (Verdict.OK, None),
        (Verdict.CRASH, Failure),
        (Verdict.TIMEOUT, Failure),
        (Verdict.UNAVAILABLE, Failure),
        (Verdict.ERROR, Error),
    ],
)
def test_junit_fails_for_what_is_unexpected(verdict: Verdict, kind: type[Failure | Error] | None) -> None:
    (suite,) = parsed(judged(matrix(), record("cp311-cython3.0.12-scipy1.10.1", verdict, reason="why")))

    (case,) = suite
    assert [type(result) for result in case.result] == ([kind] if kind else [])
    assert all("why" in str(result.message) for result in case.result)


def test_junit_passes_a_hang_that_was_expected() -> None:
    of = matrix(TWO + RULE)

    document = parsed(judged(of, record("cp311-cython3.0.12-scipy1.10.1", Verdict.TIMEOUT, reason="hung")))

    assert (document.tests, document.failures, document.errors) == (1, 0, 0)


def test_junit_skips_an_environment_that_was_expected_not_to_exist() -> None:
    of = matrix(TWO + RULE.replace("timeout", "unavailable"))

    (suite,) = parsed(
        judged(of, record("cp311-cython3.0.12-scipy1.10.1", Verdict.UNAVAILABLE, reason="no wheel"))
    )

    (case,) = suite
    assert [type(result) for result in case.result] == [Skipped]


ODD = "\x1b[31m\x00\x08]]>&<\ufffe\ud800"


@pytest.mark.parametrize("verdict", [Verdict.CRASH, Verdict.OK, Verdict.ERROR])
def test_junit_can_be_parsed_whatever_a_program_printed(verdict: Verdict) -> None:
    document = parsed(judged(matrix(), record("cp311-cython3.0.12-scipy1.10.1", verdict, reason=ODD)))

    assert document.tests == 1


@pytest.mark.parametrize("form", [markdown, printed, svg])
def test_no_report_moves_the_cursor(form: object) -> None:
    assert callable(form)

    text = form(
        matrix(), judged(matrix(), record("cp311-cython3.0.12-scipy1.10.1", Verdict.CRASH, reason=ODD))
    )

    assert not set(text) & set("\x1b\x00\x08")


def test_where_the_time_went_is_told_by_kind() -> None:
    assert terminal.spent({"build": 3.14, "probe": 2.0}, 4.0, 2) == (
        "spent: build 3.1 s, probe 2.0 s; by the clock 4.0 s, with 2 CPUs"
    )


def prospects(of: Matrix) -> list[Prospect]:
    jobs = plan(of, combinations(of, "3.11")).jobs
    return [
        Prospect(
            job=job,
            pins=run_pins(of, of.subjects[0], job.cell),
            environment=None,
            build_key=f"key-{c.version}" if (c := job.cell.coordinate("cython")) else None,
            build=None,
            record=record(str(job.cell), Verdict.TIMEOUT) if n == 0 else None,
        )
        for n, job in enumerate(jobs)
    ]


def planned_text(of: Matrix) -> str:
    console = Console(file=io.StringIO(), width=160)
    terminal.print_to(console, planned.tables(of, plan(of, combinations(of, "3.11")), prospects(of)))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_plan_shows_environments_builds_and_probes() -> None:
    shown = planned_text(matrix())

    assert "Python 3.11: scipy==1.10.1" in shown
    assert "key-3.0.12" in shown
    assert "held: timeout" in shown
    assert "6 cells; 5 environments, 5 to make; 2 builds, 2 to make; 6 probes, 5 to run" in shown
    assert [line for line in shown.splitlines() if line != line.rstrip()] == []


def test_a_plan_shows_the_extras_of_a_requirement() -> None:
    of = matrix(TWO.replace("[axes.cython]", 'run-requires = ["coverage[toml]"]\n[axes.cython]'))

    assert "coverage[toml]" in planned_text(of)


def test_a_plan_for_machines_is_json() -> None:
    of = matrix()

    content = json.loads(json.dumps(planned.to_json(of, plan(of, combinations(of, "3.11")), prospects(of))))

    assert (len(content["cells"]), len(content["builds"]), len(content["probes"])) == (6, 2, 6)
    assert [probe["verdict"] for probe in content["probes"]] == ["timeout", *[None] * 5]
    assert {environment["cached"] for environment in content["environments"]} == {False}


def task(name: str, kind: str) -> Task:
    return Task(
        name=name, kind=kind, work=lambda *, on_quiet: on_quiet, then=lambda _: None, cpus=1, value=(0,)
    )


def lived(of: Matrix, records: Sequence[Record], *tasks: Task) -> str:
    console = Console(file=io.StringIO(), width=120, height=50)
    view = live.LiveView(console, of, plan(of, combinations(of, "3.11")), records[:1])
    for running in tasks:
        view.started(running)
    for one in records[1:]:
        view.recorded(one)
    console.print(view._render())  # noqa: SLF001 - what rich would draw next
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize(
    "text",
    [SUBJECT + SCIPY + HELD, TWO, TWO + CROSS, SUBJECT + CYTHON + SCIPY + NUMPY + HELD + RELEASED],
    ids=["one axis", "two axes", "crossed", "three axes"],
)
def test_the_live_view_draws_every_version(text: str) -> None:
    shown = lived(matrix(text), [])

    assert all(version in shown for axis in matrix(text).axes for version in axis.versions)


def test_the_live_view_counts_what_was_kept_and_what_was_measured() -> None:
    kept, measured = record("cp311-cython0.29.37-scipy1.9.3"), record("cp311-cython3.0.12-scipy1.9.3")

    assert "2 of 6 verdicts" in lived(matrix(), [kept, measured])


def test_the_live_view_names_what_runs() -> None:
    shown = lived(matrix(), [], task("environment coverage[toml]==7.0", "environment"))

    assert "environment coverage[toml]==7.0" in shown


def test_the_live_view_marks_each_verdict() -> None:
    shown = lived(matrix(), [record("cp311-cython0.29.37-scipy1.9.3", Verdict.TIMEOUT)]).splitlines()

    assert any(line.startswith("0.29.37 ") and "T" in line for line in shown)


def test_the_live_view_has_a_grid_for_each_subject_with_its_own_probes() -> None:
    both = (
        SUBJECT.replace("[subject]", '[[subject]]\naxes = ["scipy"]')
        + '[[subject]]\nname = "plain"\nsource = "plain==1.0"\naxes = []\n'
        + SCIPY
        + "".join(
            probe.replace("command", f'subject = "{of}"\ncommand')
            for probe, of in ((HELD, "tiny"), (RELEASED, "plain"))
        )
    )

    shown = lived(matrix(both), [record("cp311", probe="released")])

    assert "each mark a probe: 1\N{NO-BREAK SPACE}held\n" in shown.replace("  ", "")
    assert "1\N{NO-BREAK SPACE}released" in shown
    assert [line.strip() for line in shown.splitlines() if line.strip() == "●"]


def test_a_table_of_one_verdict_has_its_title_on_one_line() -> None:
    of = matrix(
        '[[subject]]\nname = "plain"\nsource = "plain==1.0"\naxes = []\n'
        + SUBJECT.replace("[subject]", "[[subject]]")
        + SCIPY
        + HELD.replace("held", "a-probe-without-axes").replace("command", 'subject = "plain"\ncommand')
    )
    console = Console(file=io.StringIO(), width=80)

    console.print(terminal.tables(of, judged(of, record("cp311", probe="a-probe-without-axes"))))

    assert isinstance(console.file, io.StringIO)
    lines = [line.strip() for line in console.file.getvalue().splitlines() if line.strip()]
    assert (lines[0], lines[2]) == ("a-probe-without-axes", "ok")


def test_the_live_view_counts_the_trials_of_remedies() -> None:
    remedy = '[[remedy]]\nname = "one"\ntext = "ONE=1"\nprobes = ["held"]\nenv = {ONE = "1"}\n'
    of = matrix(TWO + RULE.replace('"timeout"', '"deadlock"') + remedy)

    assert "remedies: 0 of 3 trials" in lived(of, [])


def plain(of: Matrix, records: Sequence[Record], *tasks: Task) -> list[str]:
    console = Console(file=io.StringIO(), width=40)
    log = PlainLines(console, of, plan(of, combinations(of, "3.11")), [])
    for running in tasks:
        log.started(running)
    for one in records:
        log.recorded(one)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_a_log_has_one_line_for_each_verdict() -> None:
    lines = plain(matrix(), [record("cp311-cython3.0.12-scipy1.10.1", Verdict.CRASH)])

    assert len(lines) == 2
    assert "6 verdicts, 6 to measure" in lines[0]
    assert lines[1].startswith("cp311-cython3.0.12-scipy1.10.1 held ! crash (1 of 6 verdicts, ")


def test_a_log_tells_of_builds_and_not_of_probes() -> None:
    lines = plain(matrix(), [], task("cp311", "build"), task("cp311 held", "probe"))

    assert [line for line in lines if "cp311" in line] == ["0 s  build cp311"]


def test_a_log_keeps_the_extras_of_a_requirement() -> None:
    assert plain(matrix(), [], task("environment coverage[toml]==7", "environment"))[1].endswith("[toml]==7")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (185, "3 min 05 s")]
)
def test_seconds_are_written_for_people(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_a_guess_is_made_only_from_several_measurements() -> None:
    of = matrix()
    progress = Progress(of, plan(of, combinations(of, "3.11")), [])
    jobs: Sequence[Job] = plan(of, combinations(of, "3.11")).jobs
    guesses = []
    for job in jobs:
        progress.note(record(str(job.cell)))
        guesses.append(bool(progress.left()))

    assert guesses == [False, False, False, True, True, False]
