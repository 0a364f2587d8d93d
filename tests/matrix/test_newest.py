"""The newest versions, at a day on which there was a pre-release; and what of them is news."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.matrix.conftest import Done, Project

WITH_A_CANDIDATE = {"UV_EXCLUDE_NEWER": "2025-05-01"}  # 3.0.12, 3.1.0rc1
WITH_RELEASES_ONLY = {"UV_EXCLUDE_NEWER": "2025-05-20"}  # 3.1.1
MATRIX = """
[axes.Cython]
versions = ["0.29.37", "3.0.0"]
stages = ["run"]

[[probe]]
name = "held-back"
command = ["python", "-c", "import Cython as c; raise SystemExit(3 if 'rc' in c.__version__ else 0)"]

[[probe]]
name = "mended"
command = ["python", "-c", "import Cython as c; raise SystemExit(0 if 'rc' in c.__version__ else 3)"]

[[expect]]
probe = "mended"
verdict = "failed"
because = "it is known"
"""


@pytest.fixture
def project(project: Project) -> Project:
    project.write(MATRIX)
    return project


def versions(project: Project, name: str = "newest.toml") -> dict[str, list[str]]:
    content = tomllib.loads((project.folder / name).read_text(encoding="utf-8"))
    return {axis: table["versions"] for axis, table in content["axes"].items() if axis != "python"}


def night(project: Project, day: dict[str, str]) -> Done:
    assert project.run("newest", env=day).code == 0
    assert project.run("run", "--matrix", "newest.toml", env=day).code in {0, 1}
    return project.run("news", "--matrix", "newest.toml")


def written(project: Project, name: str) -> str:
    return (project.folder / ".gilgrid/news" / name).read_text(encoding="utf-8")


def test_the_newest_release_and_a_pre_release_that_is_newer(project: Project) -> None:
    done = project.run("newest", "--with", "numpy", "--with", "CYTHON", env=WITH_A_CANDIDATE)
    assert done.code == 0, done.err
    assert done.out == "newest.toml: cython 3.0.12 and 3.1.0rc1, numpy 2.2.5\n"
    assert versions(project) == {"Cython": ["3.0.12", "3.1.0rc1"], "numpy": ["2.2.5"]}
    planned = project.run("plan", "--matrix", "newest.toml").out
    assert "cython3.1.0rc1-numpy2.2.5" in planned

    done = project.run("newest", env=WITH_RELEASES_ONLY)
    assert done.out == "newest.toml: cython 3.1.1; no pre-release is newer than its release\n"


def test_what_a_pre_release_changes_is_told_once_and_when_it_is_mended(project: Project) -> None:
    first = night(project, WITH_A_CANDIDATE)
    assert first.code == 0, first.err
    assert "**held-back** is failed, expected ok" in first.out
    assert "**mended** is ok, expected failed because it is known" in first.out
    assert "cython3.1.0rc1" in written(project, "issue.md")
    assert written(project, "title.txt").startswith(
        "tiny: held-back is failed with the newest versions, and 1"
    )

    again = night(project, WITH_A_CANDIDATE)
    assert written(project, "comment.md") == ""
    assert again.out == written(project, "issue.md") != ""

    night(project, WITH_RELEASES_ONLY)
    assert "**held-back** was failed in" in written(project, "comment.md")
    assert written(project, "issue.md") == written(project, "title.txt") == ""
    assert night(project, WITH_RELEASES_ONLY).out == "as expected\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["--to", "matrix.toml"],
            "matrix.toml: gilgrid newest has not made it; name another file with --to\n",
        ),
        (["--to", "tiny/newest.toml"], "--to tiny/newest.toml: paths in matrix.toml start from its folder"),
        (["--with", "a b"], "--with a b: this is not the name of a package\n"),
        (["--with", "gilgrid-there-is-none"], "gilgrid-there-is-none: there is no wheel for Python 3."),
    ],
)
def test_a_mistake_is_a_sentence(project: Project, arguments: list[str], sentence: str) -> None:
    done = project.run("newest", *arguments, env=WITH_RELEASES_ONLY)
    assert done.code == 2, done.out + done.err
    assert sentence in done.err
    assert not (project.folder / "newest.toml").exists()
