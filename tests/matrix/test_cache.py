"""A cache of which somebody removed or damaged a part: it is made again, and no cell is blamed."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.matrix.conftest import Project

MATRIX = """
[axes.iniconfig]
versions = ["2.1.0"]

[[probe]]
name = "first"
command = ["python", "-m", "tiny.probe", "well"]

[[probe]]
name = "imports"
command = ["python", "-c", "import iniconfig"]
"""
PARTS = [
    "environments/*.json",
    "environments/*/",
    "environments/*/env-*/bin/python",
    "environments/*/env-*/lib/*/site-packages",
    "builds/*/build.json",
    "builds/*/build.log",
    "builds/*/site",
    "builds/*/site/tiny/__init__.py",
    "resolutions",
    "interpreters.json",
]
MARKERS = ["environments/*.json", "builds/*/build.json", "resolutions/*.json", "interpreters.json"]


@pytest.fixture(scope="module")
def whole(new_project: Callable[..., Project], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache in which all stands that the matrix needs."""
    cache = tmp_path_factory.mktemp("whole") / "cache"
    project = new_project(cache=cache)
    project.write(MATRIX)
    assert project.run().code == 0
    return cache


@pytest.fixture
def measured(new_project: Callable[..., Project], whole: Path, tmp_path: Path) -> Project:
    project = new_project(cache=shutil.copytree(whole, tmp_path / "cache", symlinks=True))
    project.write(MATRIX)
    return project


def assert_all_is_well(project: Project) -> None:
    done = project.run()
    assert done.code == 0, done.out + done.err
    assert project.verdicts == {"iniconfig2.1.0 first": "ok", "iniconfig2.1.0 imports": "ok"}


@pytest.mark.parametrize("part", PARTS)
def test_what_was_removed_from_the_cache_is_made_again(measured: Project, part: str) -> None:
    found = list(measured.cache.glob(part))
    assert found
    for path in found:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert_all_is_well(measured)


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"of": "another version"}'])
@pytest.mark.parametrize("part", MARKERS)
def test_what_gilgrid_cannot_read_in_the_cache_is_made_again(
    measured: Project, part: str, content: str
) -> None:
    found = list(measured.cache.glob(part))
    assert found
    for path in found:
        path.write_text(content)
    assert_all_is_well(measured)
