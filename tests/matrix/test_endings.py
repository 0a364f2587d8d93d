"""A run killed or interrupted at any moment: nothing is left, nothing is lost, the next one goes on."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.matrix.conftest import Project, Running

MATRIX = """
[axes.iniconfig]
versions = ["2.0.0", "2.1.0"]
build-inputs = ["iniconfig/py.typed"]

[[probe]]
name = "first"
command = ["python", "-m", "tiny.probe", "well", "first"]

[[probe]]
name = "wrong"
command = ["python", "-m", "tiny.probe", "wrong"]

[[probe]]
name = "last"
command = ["python", "-m", "tiny.probe", "well", "last"]

[[expect]]
probe = "wrong"
verdict = "wrong"
because = "it is what it is for"
"""
VERDICTS = {
    f"iniconfig{version} {probe}": "wrong" if probe == "wrong" else "ok"
    for version in ("2.0.0", "2.1.0")
    for probe in ("first", "wrong", "last")
}


def while_planning(project: Project) -> Running:
    project.write(MATRIX)
    running = project.start()
    running.wait_for_line("planning")
    return running


def while_an_environment_is_made(project: Project) -> Running:
    project.write(MATRIX)
    running = project.start()
    running.wait_for_line("environment ")
    return running


def while_it_compiles(project: Project) -> Running:
    project.write(MATRIX)
    project.change_source()
    running = project.start(hold="compile")
    project.wait_for_held("compile")
    return running


def after_the_first_verdict(project: Project) -> Running:
    project.write(MATRIX)
    running = project.start()
    running.wait_for_line(" first ok")
    return running


def while_the_last_probe_runs(project: Project) -> Running:
    project.write(MATRIX)
    running = project.start(hold="last")
    running.wait_for_line(" first ok")
    project.wait_for_held("last")
    return running


NEEDS_AN_EMPTY_CACHE = {while_planning, while_an_environment_is_made}
MOMENTS = [
    while_planning,
    while_an_environment_is_made,
    while_it_compiles,
    after_the_first_verdict,
    while_the_last_probe_runs,
]


@pytest.fixture
def at(
    new_project: Callable[..., Project], tmp_path: Path
) -> Callable[[Callable[[Project], Running]], tuple[Project, Running]]:
    """Start a project of its own and bring it to a moment."""

    def reach(moment: Callable[[Project], Running]) -> tuple[Project, Running]:
        project = new_project(cache=tmp_path / "cache") if moment in NEEDS_AN_EMPTY_CACHE else new_project()
        return project, moment(project)

    return reach


def assert_the_next_run_goes_on(project: Project) -> None:
    kept = {name: path.stat().st_ino for name, path in project.record_files.items()}
    probed = [f"probe {name.split()[1]}" for name in VERDICTS if name not in kept]
    project.took()
    done = project.run()
    assert done.code == 0, done.out + done.err
    assert done.err == ""
    assert project.verdicts == VERDICTS
    assert sorted(line for line in project.took() if line != "compile") == sorted(probed)
    assert {n: p.stat().st_ino for n, p in project.record_files.items() if n in kept} == kept


@pytest.mark.parametrize("moment", MOMENTS, ids=lambda moment: moment.__name__)
def test_a_killed_run_leaves_no_process_and_no_record_is_lost(
    at: Callable[[Callable[[Project], Running]], tuple[Project, Running]],
    moment: Callable[[Project], Running],
) -> None:
    project, running = at(moment)
    running.process.kill()
    printed = [line for line in running.finish().out.splitlines() if line.startswith("cp")]
    project.assert_nothing_is_left()
    told = {" ".join(line.split()[:2]).partition("-")[2] for line in printed}
    assert told <= set(project.verdicts)
    assert_the_next_run_goes_on(project)


@pytest.mark.parametrize(
    ("way", "moment"),
    [
        *(("SIGINT", moment) for moment in MOMENTS),
        ("Ctrl-C", while_the_last_probe_runs),
        ("SIGTERM", while_the_last_probe_runs),
        ("SIGTERM", while_it_compiles),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_an_interrupted_run_says_what_is_kept_and_how_to_go_on(
    at: Callable[[Callable[[Project], Running]], tuple[Project, Running]],
    moment: Callable[[Project], Running],
    way: str,
) -> None:
    project, running = at(moment)
    match way:
        case "Ctrl-C":  # a terminal tells the whole foreground group
            os.killpg(running.process.pid, signal.SIGINT)
        case "SIGINT":
            running.process.send_signal(signal.SIGINT)
        case _:
            running.process.send_signal(signal.SIGTERM)
    done = running.finish()
    assert done.code == 130, done.out + done.err
    (line,) = done.err.splitlines()
    assert f"{len(project.record_files)} record" in line
    assert "go on" in line or "goes on" in line
    project.assert_nothing_is_left()
    assert set(project.verdicts.items()) <= set(VERDICTS.items())
    assert_the_next_run_goes_on(project)


def test_an_interrupt_before_a_run_began_is_a_word_and_no_traceback(project: Project) -> None:
    os.mkfifo(project.folder / "matrix.toml")
    running = project.start()
    with (project.folder / "matrix.toml").open("w"):  # opens once gilgrid reads it
        running.process.send_signal(signal.SIGINT)
        done = running.finish()
    assert (done.code, done.out, done.err) == (130, "", "interrupted\n")


def test_an_interrupted_build_leaves_no_half_wheel_and_is_made_again(
    at: Callable[[Callable[[Project], Running]], tuple[Project, Running]],
) -> None:
    project, running = at(while_it_compiles)
    before = {path.name for path in (project.cache / "builds").glob("[!.]*/build.json")}
    running.process.kill()
    running.finish()
    project.assert_nothing_is_left()
    standing = [path for path in (project.cache / "builds").glob("[!.]*") if path.is_dir()]
    assert all((path / "build.json").is_file() for path in standing)
    assert {path.name for path in (project.cache / "builds").glob("[!.]*/build.json")} == before
    project.took()
    assert project.run().code == 0
    assert "compile" in project.took()
    assert list((project.cache / "builds").glob(".*")) == []


def test_two_runs_at_once_build_once_and_both_are_right(new_project: Callable[..., Project]) -> None:
    one, other = new_project(), new_project()
    for project in (one, other):
        project.write(MATRIX)
    one.change_source()
    (other.folder / "tiny/tiny/_tiny.c").write_bytes((one.folder / "tiny/tiny/_tiny.c").read_bytes())
    first = one.start(hold="compile")
    one.wait_for_held("compile")
    second = other.start()
    other.wait_until_one_waits_for_a_lock()
    one.release()
    assert (first.finish().code, second.finish().code) == (0, 0)
    assert one.verdicts == other.verdicts == VERDICTS
    assert (one.took() + other.took()).count("compile") == 1


def test_a_run_that_waits_for_the_build_of_another_can_be_interrupted(
    new_project: Callable[..., Project],
) -> None:
    one, other = new_project(), new_project()
    for project in (one, other):
        project.write(MATRIX)
    one.change_source()
    (other.folder / "tiny/tiny/_tiny.c").write_bytes((one.folder / "tiny/tiny/_tiny.c").read_bytes())
    first = one.start(hold="compile")
    one.wait_for_held("compile")
    second = other.start()
    other.wait_until_one_waits_for_a_lock()
    second.process.send_signal(signal.SIGINT)
    assert second.finish().code == 130
    one.release()
    assert first.finish().code == 0


def test_two_runs_at_once_of_one_project_end_with_whole_records(project: Project) -> None:
    project.write(MATRIX)
    project.change_source()
    first = project.start(hold="compile")
    project.wait_for_held("compile")
    second = project.start()
    project.wait_until_one_waits_for_a_lock()
    project.release()
    assert (first.finish().code, second.finish().code) == (0, 0)
    assert project.verdicts == VERDICTS
    assert project.took().count("compile") == 1
