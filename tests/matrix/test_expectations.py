"""The exit code says whether all is as the file expects, and the last lines say what is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.matrix.conftest import Project

PROBES = """
[axes.iniconfig]
versions = ["2.0.0"]

[[probe]]
name = "well"
command = ["python", "-m", "tiny.probe", "well"]

[[probe]]
name = "wrong"
command = ["python", "-m", "tiny.probe", "wrong"]
"""


def rule(probe: str, verdict: str) -> str:
    return f'[[expect]]\nprobe = "{probe}"\nverdict = "{verdict}"\nbecause = "tiny#1"\n'


def test_all_as_expected_exits_0(project: Project) -> None:
    project.write(PROBES + rule("wrong", "wrong"))
    done = project.run()
    assert done.code == 0
    assert "all as matrix.toml expects" in done.out


def test_a_probe_that_should_be_well_and_is_not_exits_1_and_is_named(project: Project) -> None:
    project.write(PROBES)
    done = project.run()
    assert done.code == 1
    (difference,) = [line for line in done.out.splitlines() if line.startswith("! cp")]
    assert "iniconfig2.0.0 wrong: wrong, expected ok (no rule names it)" in difference


def test_a_probe_that_should_fail_and_is_well_exits_1_and_is_named_with_its_rule(project: Project) -> None:
    project.write(PROBES + rule("wrong", "wrong") + rule("well", "timeout"))
    done = project.run()
    assert done.code == 1
    (difference,) = [line for line in done.out.splitlines() if line.startswith("! cp")]
    assert "iniconfig2.0.0 well: ok, expected timeout ([[expect]] 2 because tiny#1)" in difference


def test_mistakes_in_the_file_exit_2_all_at_once_and_nothing_is_installed(
    project: Project, tmp_path: Path
) -> None:
    empty = tmp_path / "cache"
    project.write(PROBES.replace("command", "comand") + rule("wel", "wrong"))
    done = project.run("run", env={"GILGRID_CACHE_DIR": str(empty)})
    assert done.code == 2
    assert done.out == ""
    assert "[[probe]] 1 ('well') comand: unknown key; did you mean 'command'?" in done.err
    assert "[[probe]] 2 ('wrong') comand: unknown key; did you mean 'command'?" in done.err
    assert "[[expect]] 1 probe: there is no probe 'wel'; did you mean 'well'?" in done.err
    assert "Traceback" not in done.err
    assert not empty.exists()
    assert not (project.folder / ".gilgrid").exists()


def test_a_pattern_that_matches_nothing_exits_2_and_names_the_probes(project: Project) -> None:
    project.write(PROBES)
    done = project.run("run", "--probe", "no*")
    assert done.code == 2
    assert "the probes are: well, wrong" in done.err
