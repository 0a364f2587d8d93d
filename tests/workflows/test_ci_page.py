"""What ``docs/ci.md`` says, done as it says it, in the repository of somebody else's package."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.matrix.conftest import GILGRID
from tests.workflows.rehearsal import Rehearsal, gilgrid_alone

if TYPE_CHECKING:
    from tests.workflows.rehearsal import Run

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/ci.md").read_text(encoding="utf-8")
GILGRID_ACTION = "OWNER/gilgrid@COMMIT"
PACKAGE = {
    "pyproject.toml": """
[build-system]
requires = ["setuptools>=77", "pybind11>=2.11"]
build-backend = "setuptools.build_meta"

[project]
name = "mypackage"
version = "1.0"
""",
    "setup.py": """
from pybind11.setup_helpers import Pybind11Extension
from setuptools import setup

setup(ext_modules=[Pybind11Extension("mypackage", ["mypackage.cpp"], extra_compile_args=["-O0", "-g0"])])
""",
    "mypackage.cpp": """
#include <pybind11/pybind11.h>
PYBIND11_MODULE(mypackage, m) { m.attr("answer") = 42; }
""",
}


def block(language: str) -> str:
    """The first of that language on the page."""
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found
    return found[1]


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory: pytest.TempPathFactory) -> Rehearsal:
    place = tmp_path_factory.mktemp("page")
    files = {
        **PACKAGE,
        "matrix.toml": block("toml"),
        ".github/workflows/gilgrid.yml": block("yaml"),
        ".gitignore": ".gilgrid/\n",
    }
    for name, text in files.items():
        (place / "repository" / name).parent.mkdir(parents=True, exist_ok=True)
        (place / "repository" / name).write_text(text, encoding="utf-8")
    return Rehearsal(
        repository=place / "repository",
        place=place,
        actions={GILGRID_ACTION: gilgrid_alone(place / "action")},
    )


@pytest.fixture(scope="module")
def first(rehearsal: Rehearsal) -> Run:
    return rehearsal.run("gilgrid.yml")


def test_five_lines_make_a_matrix(first: Run) -> None:
    (job,) = first.jobs["matrix"]
    assert job.is_well, job.log
    assert "## mypackage: All 2 verdicts are as expected." in job.summary
    assert "| ok |" in job.summary


def test_its_artifact_shows_the_same_on_another_machine(
    rehearsal: Rehearsal, first: Run, tmp_path: Path
) -> None:
    here = tmp_path / "repository"
    shutil.copytree(rehearsal.repository, here)
    shutil.copytree(first.artifacts["gilgrid"], here / ".gilgrid")

    done = subprocess.run(
        [*GILGRID, "show", "--format", "markdown"],
        cwd=here,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )

    assert done.stdout == first.jobs["matrix"][0].summary


def test_the_next_run_builds_what_changed(rehearsal: Rehearsal, first: Run) -> None:
    assert first
    source = rehearsal.repository / "matrix.toml"
    source.write_text(source.read_text(encoding="utf-8").replace("import mypackage", "import mypackage as m"))

    (job,) = rehearsal.run("gilgrid.yml").jobs["matrix"]

    assert job.is_well, job.log
    assert "build 0.0 s" in job.log


def test_what_differs_fails_the_job_and_is_told_first(rehearsal: Rehearsal, first: Run) -> None:
    assert first
    source = rehearsal.repository / "matrix.toml"
    text = source.read_text(encoding="utf-8")
    source.write_text(re.sub('import mypackage.*"', 'import mypackage; assert mypackage.answer == 41"', text))

    (job,) = rehearsal.run("gilgrid.yml").jobs["matrix"]

    assert not job.is_well
    assert job.summary.startswith("## mypackage: 2 of 2 verdicts are not as expected.")
    assert "AssertionError" in job.summary
