"""Each pytest, and each Python that is there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gilgrid.files import cache_folder
from gilgrid.installer import uv_program
from gilgrid.interpreters import Interpreters
from tests.suite.conftest import Suite

ROOT = Path(__file__).parents[2]
OLDEST, NEWEST = (3, 9), (3, 13)
TESTS = """
import ctypes, time

@pytest.fixture(scope="session")
def once():
    return []

def test_well(once): once.append(1)
def test_hangs(): hang()
def test_crashes(): ctypes.string_at(0)
@pytest.mark.timeout(1)
def test_spins():
    while True: pass
@pytest.mark.parametrize("text", ["a b", "[x]", "ü"])
def test_odd(text, once): assert once == []
"""


def pythons() -> dict[str, str]:
    """The path of each, by its version."""
    found = Interpreters(cache_folder()).local()
    return {
        version: str(one.path)
        for version, one in found.items()
        if OLDEST <= tuple(map(int, version.split("."))) <= NEWEST
    }


def installed(folder: Path, python: str, *requirements: str) -> str:
    """The Python of an environment with gilgrid and these."""
    uv = [uv_program(), "--quiet"]
    place = folder / "environment"
    subprocess.run([*uv, "venv", "--python", python, str(place)], check=True)
    there = str(place / "bin/python")
    subprocess.run([*uv, "pip", "install", "--python", there, str(ROOT), *requirements], check=True)
    return there


def assert_it_works(folder: Path, python: str) -> None:
    suite = Suite(folder, (python,))
    suite.write(TESTS)
    done = suite.watched()
    assert done.code == 1
    assert done.outcome == "3 failed, 4 passed", done.out + done.err
    assert [row.partition(" - ")[2].partition(":")[0] for row in done.summary] == [
        "deadlock",
        "crash",
        "timeout",
    ]
    assert suite.watched("--lf").outcome.startswith("3 failed")


@pytest.mark.parametrize("version", ["7", "8", "9"])
def test_with_each_pytest(tmp_path: Path, version: str) -> None:
    assert_it_works(tmp_path, installed(tmp_path, sys.executable, f"pytest=={version}.*"))


@pytest.mark.parametrize("version", pythons())
def test_with_each_python_that_is_here(tmp_path: Path, version: str) -> None:
    assert_it_works(tmp_path, installed(tmp_path, pythons()[version], "pytest"))
