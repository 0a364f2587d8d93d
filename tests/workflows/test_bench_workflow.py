"""The workflow of the benchmarks, rehearsed: two commits, on machines that have only what is cached."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.matrix.conftest import PYTHON
from tests.workflows.rehearsal import TINYS, Rehearsal, repository

if TYPE_CHECKING:
    from pathlib import Path

    from tests.workflows.rehearsal import Run

MATRIX = """
[axes.cython]
versions = ["3.1.1"]
stages = ["run"]

[axes.scipy]
versions = ["0"]
stages = ["build"]
build-settings = { nothing = "{version}" }

[[probe]]
name = "well"
command = ["python", "-m", "tiny.probe", "well"]
"""
ASV = {
    "version": 1,
    "project": "tiny",
    "repo": ".",
    "branches": ["main"],
    "plugins": [".gilgrid.asv_plugin"],
    "environment_type": "gilgrid",
    "pythons": [PYTHON],
    "matrix": {"req": {"cython": ["3.1.1"], "scipy": ["0"]}},
    "benchmark_dir": "benchmarks",
    "env_dir": ".asv/env",
    "results_dir": ".asv/results",
    "html_dir": ".asv/html",
}
BENCHMARK = """
import tiny
def track_answer():
    from tiny import _tiny
    return _tiny.answer()
def track_nothing():
    raise RuntimeError("on purpose")
"""


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory: pytest.TempPathFactory) -> Rehearsal:
    place = tmp_path_factory.mktemp("bench")
    copy = repository(place, MATRIX, "noxfile.py")
    (copy / "asv.conf.json").write_text(json.dumps(ASV))
    (copy / "benchmarks").mkdir()
    (copy / "benchmarks/__init__.py").touch()
    (copy / "benchmarks/answers.py").write_text(BENCHMARK)
    (copy / ".gitignore").write_text(".asv/\n.nox/\n.gilgrid/\n")
    git(copy, "init", "--quiet", "--initial-branch", "main")
    commit(copy)
    return Rehearsal(repository=copy, place=place, env=TINYS)


def git(copy: Path, *arguments: str) -> str:
    author = ("-c", "user.name=tests", "-c", "user.email=tests@example.org")
    done = subprocess.run(
        ["git", *author, *arguments],  # noqa: S607 - whichever a machine has
        cwd=copy,
        check=True,
        capture_output=True,
        encoding="utf-8",
    )
    return done.stdout.strip()


def commit(copy: Path) -> None:
    git(copy, "add", "--all")
    git(copy, "commit", "--quiet", "--message", "a commit")


def measured(run: Run) -> set[str]:
    graphs = run.artifacts["github-pages"].glob("graphs/**/answers.track_answer.json")
    return {str(point) for graph in graphs for point in json.loads(graph.read_text(encoding="utf-8"))}


def test_each_commit_adds_to_the_results_of_those_before(rehearsal: Rehearsal) -> None:
    first = rehearsal.run("bench.yml")
    (measure,) = first.jobs["measure"]
    assert "on purpose" in measure.log
    assert (
        not measure.is_well
    )  # asv's exit code, for a benchmark that failed; the pages are published all the same
    pages = first.artifacts["github-pages"]
    assert (pages / "index.html").is_file()
    assert len(measured(first)) == 1, measure.log
    assert first.jobs["deploy"][0].is_well

    (rehearsal.repository / "README.md").write_text("changed")
    commit(rehearsal.repository)
    second = rehearsal.run("bench.yml")
    assert len(measured(second)) == 2, second.log
    assert second.jobs["deploy"][0].is_well
