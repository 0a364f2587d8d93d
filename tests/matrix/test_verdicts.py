"""Real probes in real environments, each with the verdict that it deserves."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.matrix.conftest import Done, Project

# MarkupSafe 1.1.1 has wheels up to Python 3.9; tiny does not compile with iniconfig 1.
MATRIX = """
[axes.iniconfig]
versions = ["1.1.1", "2.0.0"]
stages = ["build"]

[axes.markupsafe]
versions = ["1.1.1", "3.0.2"]
stages = ["run"]

[[probe]]
name = "well"
command = ["python", "-m", "tiny.probe", "well"]

[[probe]]
name = "wrong"
command = ["python", "-m", "tiny.probe", "wrong"]

[[probe]]
name = "raises"
command = ["python", "-m", "tiny.probe", "raise"]

[[probe]]
name = "crashes"
command = ["python", "-m", "tiny.probe", "crash"]

[[probe]]
name = "sleeps"
command = ["python", "-m", "tiny.probe", "sleep"]
deadline = "1 s"

[[probe]]
name = "alternates"
command = ["python", "-m", "tiny.probe", "alternate"]
repeats = 2

[[probe]]
name = "without-subject"
command = ["python", "-c", "import markupsafe"]
axes = ["markupsafe"]
"""
UNAVAILABLE, GOOD, BROKEN = (
    "markupsafe1.1.1",
    "iniconfig2.0.0-markupsafe3.0.2",
    "iniconfig1.1.1-markupsafe3.0.2",
)


@pytest.fixture(scope="module")
def project(new_project: Callable[[], Project]) -> Project:
    project = new_project()
    project.write(MATRIX)
    return project


@pytest.fixture(scope="module")
def done(project: Project) -> Done:
    return project.run()


@pytest.mark.parametrize(
    ("probe", "verdict", "reason"),
    [
        ("well", "ok", ""),
        ("wrong", "wrong", "answer: it is 42"),
        ("raises", "failed", "exit code 1: RuntimeError: as asked for"),
        ("crashes", "crash", "killed by SIGSEGV"),
        ("sleeps", "timeout", "still running after 1 s"),
    ],
)
def test_a_probe_has_the_verdict_that_its_end_deserves(
    project: Project, done: Done, probe: str, verdict: str, reason: str
) -> None:
    assert done.code == 1
    record = project.records[f"{GOOD} {probe}"]
    assert (record["verdict"], record["reason"]) == (verdict, reason)
    assert record["versions"]["markupsafe"] == "3.0.2"
    assert record["build_versions"]["iniconfig"] == "2.0.0"


def test_repeats_that_disagree_are_flaky_and_counted(project: Project, done: Done) -> None:
    del done
    record = project.records[f"{GOOD} alternates"]
    assert record["verdict"] == "flaky"
    assert sorted(attempt["verdict"] for attempt in record["attempts"]) == ["failed", "ok"]
    counts, _, reason = record["reason"].partition(": ")
    assert sorted(counts.split(", ")) == ["1 x failed", "1 x ok"]
    assert reason == "exit code 1: no output"


def test_a_cell_that_does_not_build_says_so_with_the_compilers_line_and_others_go_on(
    project: Project, done: Done
) -> None:
    record = project.records[f"{BROKEN} well"]
    assert record["verdict"] == "build-failed"
    assert 'error: #error "tiny needs iniconfig 2"' in record["reason"]
    assert BROKEN in done.out
    assert record["reason"] in Path(record["build_log"]).read_text(encoding="utf-8")
    assert project.verdicts[f"{GOOD} well"] == "ok"


def test_a_version_without_a_wheel_is_unavailable_in_the_resolvers_own_words(
    project: Project, done: Done
) -> None:
    record = project.records[f"iniconfig2.0.0-{UNAVAILABLE} well"]
    assert record["verdict"] == "unavailable"
    assert "markupsafe==1.1.1 has no usable wheels" in record["reason"]
    assert record["reason"] in done.out


def test_nothing_is_installed_or_built_for_an_unavailable_cell(project: Project, done: Done) -> None:
    del done
    made = [json.loads(marker.read_text()) for marker in (project.cache / "environments").glob("*.json")]
    assert made
    assert not [marker for marker in made if marker["versions"].get("markupsafe") == "1.1.1"]
    assert {r["build_key"] for name, r in project.records.items() if UNAVAILABLE in name} == {""}


def test_a_probe_that_needs_no_build_runs_once_for_all_builds(project: Project, done: Done) -> None:
    del done
    verdicts = {name: v for name, v in project.verdicts.items() if name.endswith("without-subject")}
    assert verdicts == {
        "markupsafe1.1.1 without-subject": "unavailable",
        "markupsafe3.0.2 without-subject": "ok",
    }


def test_each_cell_and_probe_has_one_record(project: Project, done: Done) -> None:
    del done
    assert len(project.records) == 4 * 6 + 2


# The same verdicts from the records, in every form


def test_show_as_json_has_every_record(project: Project, done: Done) -> None:
    del done
    shown = json.loads(project.run("show", "--format", "json").out)
    assert {_name(r["cell"], r["probe"]): r for r in shown} == project.records


def test_show_as_junit_has_every_verdict_and_fails_what_is_not_expected(project: Project, done: Done) -> None:
    del done
    cases = ET.fromstring(project.run("show", "--format", "junit").out).iter("testcase")  # noqa: S314 - our own
    seen: dict[str, str] = {}
    for case in cases:
        (result,) = case
        verdict = "ok" if result.tag == "system-out" else result.attrib["type"]
        seen[_name(case.attrib["classname"], case.attrib["name"])] = verdict
    assert seen == project.verdicts


def test_show_as_markdown_has_every_verdict(project: Project, done: Done) -> None:
    del done
    seen: dict[str, str] = {}
    for section in project.run("show", "--format", "markdown").out.split("\n### ")[1:]:
        probe, *lines = section.splitlines()
        header, _, *rows = [line.strip("|").split("|") for line in lines if line.startswith("|")]
        table = [[field.strip("* ").partition(" (")[0] for field in row] for row in (header, *rows)]
        seen |= _of_grid(probe, table)
    assert seen == project.verdicts


def test_show_as_a_table_and_a_run_with_nothing_to_do_print_the_same_verdicts(
    project: Project, done: Done
) -> None:
    tables = project.run("show").out
    seen: dict[str, str] = {}
    grids, legend, _ = tables.partition("\n\nok   ")  # then the hangs that differ, and the outcome
    assert legend
    for grid in grids.strip().split("\n\n"):
        probe, header, *rows = [line for line in grid.splitlines() if re.search(r"\w", line)]
        begins = [match.start() for match in re.finditer(r"\S+(?: \S+)*", header)]
        ends = [*begins[1:], None]
        table = [
            [line[b:e].strip("! ") for b, e in zip(begins, ends, strict=True)] for line in (header, *rows)
        ]
        seen |= _of_grid(probe, table)
    assert seen == project.verdicts
    assert tables.rstrip() in done.out
    assert tables.rstrip() in project.run().out


def _name(cell: str, probe: str) -> str:
    return f"{cell.partition('-')[2]} {probe}"


def _of_grid(probe: str, rows: list[list[str]]) -> dict[str, str]:
    """Read a printed grid back: the first row is its header, the first column its rows' versions."""
    (corner, *columns), *body = rows
    row_axis, _, column_axis = corner.rpartition(" \\ ")
    return {
        f"{f'{row_axis}{row}-' if row_axis else ''}{column_axis}{column} {probe}": verdict
        for row, *verdicts in body
        for column, verdict in zip(columns, verdicts, strict=True)
    }


def test_a_build_log_that_cannot_be_kept_costs_no_verdict(project: Project, done: Done) -> None:
    logs = project.folder / ".gilgrid/builds"
    kept = logs.rename(logs.with_name("kept"))
    logs.touch()  # a file where the folder should be
    try:
        again = project.run("run", "--rerun", "--cell", "*iniconfig1*", "--probe", "well")
        assert (again.code, again.err) == (done.code, "")
        assert project.verdicts[f"{BROKEN} well"] == "build-failed"
    finally:
        logs.unlink()
        kept.rename(logs)


def test_each_run_of_a_probe_has_a_temporary_folder_of_its_own_that_is_removed(project: Project) -> None:
    code = "import sys, tempfile; open(sys.argv[1], 'a').write(tempfile.mkdtemp() + chr(10))"
    project.write(
        f"""
        [axes.markupsafe]
        versions = ["3.0.2"]

        [[probe]]
        name = "leaves"
        command = ["python", "-c", "{code}", "{{project}}/said"]
        repeats = 2
        """
    )
    (project.folder / "said").touch()
    assert project.run().code == 0

    one, other = map(Path, (project.folder / "said").read_text(encoding="utf-8").split())
    assert one.parent != other.parent
    assert not one.parent.exists()
    assert not other.parent.exists()
