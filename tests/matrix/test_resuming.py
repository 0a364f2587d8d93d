"""What stands is not measured again, and what changed is: no more, no less."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.matrix.conftest import Project

MATRIX = """
[axes.iniconfig]
versions = ["2.0.0", "2.1.0"]
build-inputs = ["iniconfig/py.typed"]

[[probe]]
name = "one"
command = ["python", "-m", "tiny.probe", "well", "one"]
files = ["data.txt"]

[[probe]]
name = "two"
command = ["python", "-m", "tiny.probe", "well", "two"]
"""
ONE_VERSION = MATRIX.replace(', "2.1.0"', "")
# Tells of every process that gilgrid starts.
TELLING = """
import sys
def told(event, arguments):
    if event == "subprocess.Popen":
        print("STARTED", *arguments[1], file=sys.stderr)
    elif event in {"os.fork", "os.forkpty", "os.posix_spawn", "os.exec", "os.system"}:
        print("STARTED", event, file=sys.stderr)
sys.addaudithook(told)
from gilgrid.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def project(project: Project) -> Project:
    """A project with a file that a probe reads."""
    (project.folder / "data.txt").write_text("1")
    return project


@pytest.fixture
def measured(project: Project) -> Project:
    """A project in which all is measured."""
    project.write(MATRIX)
    done = project.run()
    assert done.code == 0, done.out + done.err
    project.took()
    return project


def test_a_second_run_with_nothing_changed_starts_no_process_but_the_compilers_version(
    measured: Project,
) -> None:
    before = {name: path.stat() for name, path in measured.record_files.items()}
    done = measured.run("run", via=(sys.executable, "-c", TELLING))
    assert done.code == 0
    started = [line for line in done.err.splitlines() if line.startswith("STARTED")]
    assert [line for line in started if not line.endswith(" --version")] == []
    assert measured.took() == []
    after = {name: path.stat() for name, path in measured.record_files.items()}
    assert {n: (s.st_mtime_ns, s.st_ino) for n, s in after.items()} == {
        n: (s.st_mtime_ns, s.st_ino) for n, s in before.items()
    }
    assert "to measure" not in done.out


def test_rerun_measures_all_again_and_builds_nothing(measured: Project) -> None:
    assert measured.run("run", "--rerun").code == 0
    assert measured.took() == ["probe one"] * 2 + ["probe two"] * 2


def test_a_changed_probe_is_measured_again_and_no_other(measured: Project) -> None:
    measured.write(MATRIX + 'env = { CHANGED = "1" }\n')
    measured.run()
    assert measured.took() == ["probe two"] * 2


def test_a_changed_file_of_a_probe_asks_for_that_probe_alone(measured: Project) -> None:
    (measured.folder / "data.txt").write_text("2")
    measured.run()
    assert measured.took() == ["probe one"] * 2


def test_a_changed_source_is_built_again_and_all_that_runs_it_measured_again(measured: Project) -> None:
    measured.change_source()
    measured.run()
    assert measured.took() == ["compile"] + ["probe one"] * 2 + ["probe two"] * 2


def test_a_reworded_rule_measures_nothing(measured: Project) -> None:
    measured.write(MATRIX + '[[expect]]\nprobe = "one"\nverdict = "wrong"\nbecause = "a trial"\n')
    assert measured.run().code == 1
    assert measured.took() == []


def test_a_new_version_of_the_same_content_costs_no_compile(project: Project) -> None:
    project.change_source()
    project.write(ONE_VERSION)
    assert project.run().code == 0
    assert project.took() == ["compile", "probe one", "probe two"]
    project.write(MATRIX)
    assert project.run().code == 0
    assert project.took() == ["probe one", "probe two"]
    assert len({record["build_key"] for record in project.records.values()}) == 1
    assert project.records["iniconfig2.1.0 one"]["versions"]["iniconfig"] == "2.1.0"


def test_a_new_version_of_another_content_is_compiled(project: Project) -> None:
    project.change_source()
    project.write(ONE_VERSION.replace("py.typed", "__init__.py"))
    assert project.run().code == 0
    project.took()
    project.write(MATRIX.replace("py.typed", "__init__.py"))
    assert project.run().code == 0
    assert project.took() == ["compile", "probe one", "probe two"]


@pytest.mark.parametrize(
    ("content", "warning"),
    [("{", "is damaged"), ('{"schema": 999}', "has schema 999"), ("[]", "is damaged"), ("\udcff", "")],
)
def test_a_record_that_cannot_be_read_is_set_aside_with_a_warning_and_measured_again(
    measured: Project, content: str, warning: str
) -> None:
    file = measured.record_files["iniconfig2.0.0 one"]
    file.write_text(content, encoding="utf-8", errors="surrogateescape")
    shown = measured.run("show")
    assert warning in shown.err
    assert f"{file.name} " in shown.err
    assert shown.err.strip().endswith(": left out")
    assert file.exists()  # who only reads leaves it
    assert "nothing is recorded of that" in measured.run("show", "--cell", "*2.0.0", "--probe", "one").err
    ran = measured.run()
    assert ran.code == 0
    assert f"set aside as {file.name}.1.aside" in ran.err
    assert measured.took() == ["probe one"]
    aside = file.with_name(f"{file.name}.1.aside")
    assert aside.read_text(encoding="utf-8", errors="surrogateescape") == content
    assert measured.verdicts["iniconfig2.0.0 one"] == "ok"


def test_a_second_damaged_record_does_not_overwrite_the_first(measured: Project) -> None:
    file = measured.record_files["iniconfig2.0.0 one"]
    for content in "12":
        file.write_text(content)
        measured.run()
    assert [file.with_name(f"{file.name}.{n}.aside").read_text() for n in (1, 2)] == ["1", "2"]


def test_the_plan_says_what_stands_and_what_would_run(measured: Project) -> None:
    measured.change_source()
    planned = json.loads(measured.run("plan", "--json").out)
    assert [build["cached"] for build in planned["builds"]] == [False]
    assert [environment["cached"] for environment in planned["environments"]][:2] == [True, True]
    assert {probe["verdict"] for probe in planned["probes"]} == {None}
    assert measured.took() == []


def test_what_was_repeated_more_often_than_asked_for_stands(measured: Project) -> None:
    assert measured.run("run", "--repeats", "3").code == 0
    assert measured.took() == ["probe one"] * 6 + ["probe two"] * 6
    assert {len(record["attempts"]) for record in measured.records.values()} == {3}

    assert measured.run("run", "--repeats", "2").code == measured.run().code == 0
    assert measured.took() == []
