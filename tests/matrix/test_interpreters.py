"""Pythons are found where pyenv keeps them; one that is nowhere makes its own cells unavailable."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.matrix.conftest import Project

OWN = f"{sys.version_info[0]}.{sys.version_info[1]}"
MATRIX = """
[axes.iniconfig]
versions = ["2.0.0"]

[[probe]]
name = "well"
command = ["python", "-m", "tiny.probe", "well"]

[[probe]]
name = "imports"
command = ["python", "-c", "import iniconfig"]
"""
SUBJECT = '[subject]\nname = "tiny"\nsource = "tiny"\nbuild-requires = ["setuptools>=75.3"]\n'
# The shortest turns that there are: threads meet wherever they can.
ALL_ASK_AT_ONCE = """
import sys, threading
from concurrent.futures import ThreadPoolExecutor
from gilgrid.installer import uv_program
sys.setswitchinterval(1e-6)
begin = threading.Barrier(8)
def ask(_):
    begin.wait()
    return uv_program()
with ThreadPoolExecutor(8) as pool:
    print(len(set(pool.map(ask, range(8)))))
"""
FACTS = """
import os, platform, sys, sysconfig
print("%d.%d" % sys.version_info[:2], platform.python_version(), platform.python_implementation(),
      os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h")), sys.prefix, sep="\\n")
"""


def another_python() -> tuple[str, str, Path]:
    """Another CPython of this machine that can build: as cells name it, its version, where it is."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    places = [
        *pyenv.glob("versions/*/bin/python"),
        *Path(sys.base_prefix).parent.glob("*/bin/python"),  # beside gilgrid's own
        *Path("/opt/hostedtoolcache/Python").glob("*/*/bin/python"),  # of GitHub's runners
        *Path("/usr/bin").glob("python3.[0-9]*[0-9]"),
    ]
    for place in sorted(places):
        answer = subprocess.run([place, "-I", "-c", FACTS], capture_output=True, text=True, check=False)
        python, version, implementation, has_headers, prefix = (*answer.stdout.split("\n"), *[""] * 5)[:5]
        if (
            (implementation, has_headers) == ("CPython", "True")
            and python != OWN
            and python in {"3.9", "3.10", "3.11", "3.12", "3.13"}
        ):
            return python, version, Path(prefix)
    pytest.skip("there is no second CPython with headers here: pyenv install 3.10")


def pythons(*versions: str) -> str:
    return f"{SUBJECT}[axes.python]\nversions = {json.dumps(versions)}\n"


@pytest.fixture
def nowhere(tmp_path: Path) -> dict[str, str]:
    """An environment in which no Python but gilgrid's own is found."""
    return {
        "GILGRID_CACHE_DIR": str(tmp_path / "cache"),
        "PATH": "/usr/bin:/bin",
        "PYENV_ROOT": str(tmp_path / "pyenv"),
        "UV_PYTHON_INSTALL_DIR": str(tmp_path / "managed"),
        "UV_PYTHON_INSTALL_MIRROR": (tmp_path / "no-mirror").as_uri(),
        "UV_PYTHON_SEARCH_PATH": str(tmp_path / "no-folder"),
    }


def test_a_python_in_pyenvs_versions_folder_is_found(
    project: Project, tmp_path: Path, nowhere: dict[str, str]
) -> None:
    python, version, prefix = another_python()
    (tmp_path / "pyenv/versions").mkdir(parents=True)
    (tmp_path / "pyenv/versions" / version).symlink_to(prefix)
    project.write(MATRIX, head=pythons(python))
    done = project.run("run", env=nowhere)
    assert done.code == 0, done.out + done.err
    assert {record["versions"]["python"] for record in project.records.values()} == {version}
    assert all(
        record["cell"].startswith(f"cp{python.replace('.', '')}-") for record in project.records.values()
    )


def test_a_python_that_only_uv_finds_on_the_search_path_is_found(
    project: Project, tmp_path: Path, nowhere: dict[str, str]
) -> None:
    python, version, prefix = another_python()
    (tmp_path / "bin").mkdir()
    (tmp_path / f"bin/python{python}").symlink_to(prefix / f"bin/python{python}")
    project.write(MATRIX, head=pythons(python))
    search = {"UV_PYTHON_SEARCH_PATH": str(tmp_path / "bin"), "PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin"}
    done = project.run("run", env={**nowhere, **search})
    assert done.code == 0, done.out + done.err
    assert {record["versions"]["python"] for record in project.records.values()} == {version}


def test_a_python_that_is_nowhere_is_unavailable_with_the_reason_and_other_cells_go_on(
    project: Project, nowhere: dict[str, str]
) -> None:
    project.write(MATRIX, head=pythons("3.8", OWN))
    done = project.run("run", env=nowhere)
    assert done.code == 1
    by_cell = {
        path.parent.name + " " + path.stem: json.loads(path.read_text())
        for path in (project.folder / ".gilgrid/records").glob("*/*.json")
    }
    own = f"cp{OWN.replace('.', '')}"
    assert {name: record["verdict"] for name, record in by_cell.items()} == {
        "cp38-iniconfig2.0.0 well": "unavailable",
        "cp38-iniconfig2.0.0 imports": "unavailable",
        f"{own}-iniconfig2.0.0 well": "ok",
        f"{own}-iniconfig2.0.0 imports": "ok",
    }
    reason = by_cell["cp38-iniconfig2.0.0 well"]["reason"]
    assert "Python 3.8 is not on this machine" in reason
    assert "uv could not install" in reason
    assert "no-mirror" in reason


def test_a_python_that_nobody_makes_is_unavailable(project: Project, nowhere: dict[str, str]) -> None:
    project.write(MATRIX, head=pythons("3.99"))
    done = project.run("run", env=nowhere)
    assert done.code == 1
    assert set(project.verdicts.values()) == {"unavailable"}
    assert all("3.99" in record["reason"] for record in project.records.values())


def test_threads_that_are_the_first_to_look_for_uv_all_find_it() -> None:
    asked = subprocess.run(
        [sys.executable, "-c", ALL_ASK_AT_ONCE], capture_output=True, text=True, check=False
    )
    assert asked.stdout == "1\n", asked.stderr
