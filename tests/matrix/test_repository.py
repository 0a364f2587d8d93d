"""What the repository itself promises: its example, its sessions, its rule on skips."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.matrix.conftest import Project

ROOT = Path(__file__).parents[2]


@pytest.mark.usefixtures("cplusplus")
def test_the_example_of_another_package_is_as_its_file_expects(project: Project, tmp_path: Path) -> None:
    example = tmp_path / "example"
    shutil.copytree(ROOT / "examples/pybind11-join", example, ignore=shutil.ignore_patterns(".gilgrid"))
    done = project.run("run", "--matrix", str(example / "matrix.toml"))
    assert done.code == 0, done.out + done.err
    assert "6 verdicts from 3 builds, all as matrix.toml expects" in done.out


def test_nox_lists_every_pair_of_the_matrix() -> None:
    listed = subprocess.run(
        [sys.executable, "-m", "nox", "-l"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    axes = tomllib.loads((ROOT / "matrix.toml").read_text(encoding="utf-8"))["axes"]
    pairs = list(itertools.product(axes["cython"]["versions"], axes["scipy"]["versions"]))
    assert len(pairs) >= 24
    for cython, scipy in pairs:
        assert f"pair(cython='{cython}', scipy='{scipy}')" in listed
    assert listed.count("pair(") == len(pairs)


@pytest.mark.parametrize(("ci", "outcome"), [("", "2 skipped"), ("true", "1 failed, 1 error")])
def test_a_skip_is_a_failure_in_ci(tmp_path: Path, ci: str, outcome: str) -> None:
    shutil.copy(ROOT / "tests/conftest.py", tmp_path)
    (tmp_path / "test_one.py").write_text("import pytest\ndef test_one(): pytest.skip('no compiler')\n")
    (tmp_path / "test_two.py").write_text("import pytest\npytest.skip('no SciPy', allow_module_level=True)\n")
    ended = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "--rootdir",
            tmp_path,
            "-p",
            "no:cacheprovider",
            "--continue-on-collection-errors",
            tmp_path,
        ],
        env={**os.environ, "CI": ci},
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome in ended.stdout.splitlines()[-1]
    assert (ended.returncode == 0) is not bool(ci)
    assert not ci or ("no compiler" in ended.stdout and "no SciPy" in ended.stdout)
